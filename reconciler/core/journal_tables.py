"""The journal's tables, and how a `Memory` is read from them.

`MIGRATIONS` is append-only: entry N (statements, separated by semicolons) brings a database from format N to
N + 1 and is never edited once released. Called by the SQLite journal only.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from reconciler.core.memory import Failure, Intent, Memory, Repair, Suspension
from reconciler.core.values import Condition, OperationId, PlanId, Revision, TargetId, Truth

MIGRATIONS: tuple[str, ...] = (
    # AUTOINCREMENT: numbers only grow, though old rows are deleted
    """
    CREATE TABLE intent (
        number INTEGER PRIMARY KEY AUTOINCREMENT, plan_id TEXT NOT NULL, operation_id TEXT NOT NULL,
        kind TEXT NOT NULL, target TEXT NOT NULL, fingerprint TEXT NOT NULL, reversible INTEGER NOT NULL,
        began_at REAL NOT NULL, ended_at REAL, result TEXT, detail TEXT);
    CREATE INDEX intent_open ON intent (number) WHERE ended_at IS NULL;
    CREATE TABLE failure (
        fingerprint TEXT PRIMARY KEY, operation_id TEXT NOT NULL, target TEXT NOT NULL,
        revision TEXT NOT NULL, count INTEGER NOT NULL, in_a_row INTEGER NOT NULL,
        first_at REAL NOT NULL, last_at REAL NOT NULL, not_before REAL NOT NULL, detail TEXT NOT NULL,
        final INTEGER NOT NULL);
    CREATE TABLE repair (
        target TEXT PRIMARY KEY, revision TEXT NOT NULL, count INTEGER NOT NULL, last_at REAL NOT NULL,
        not_before REAL NOT NULL);
    CREATE TABLE applied (target TEXT PRIMARY KEY, kind TEXT NOT NULL, digest TEXT NOT NULL);
    CREATE TABLE declaration (revision TEXT PRIMARY KEY, text TEXT NOT NULL, at REAL NOT NULL);
    CREATE TABLE run (
        number INTEGER PRIMARY KEY AUTOINCREMENT, revision TEXT NOT NULL, result TEXT NOT NULL,
        first_at REAL NOT NULL, last_at REAL NOT NULL, duration_s REAL NOT NULL, count INTEGER NOT NULL);
    CREATE TABLE request (target TEXT PRIMARY KEY, token TEXT NOT NULL);
    CREATE TABLE event (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, name TEXT NOT NULL,
        fields TEXT NOT NULL);
    CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL)
    """,
)


def read_memory(connection: sqlite3.Connection) -> Memory:
    """Everything, within the caller's transaction."""
    notes = {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM note")}
    applied = connection.execute("SELECT target, kind, digest FROM applied ORDER BY target").fetchall()
    suspension = notes.get("suspension")
    return Memory(
        applied={TargetId(target): digest for target, _, digest in applied},
        owners={TargetId(target): kind for target, kind, _ in applied},
        applied_revision=notes.get("applied_revision"),
        attempted_revision=notes.get("attempted_revision"),
        healthy_revision=notes.get("healthy_revision"),
        handled_at=notes.get("handled_at"),
        failures={failure.fingerprint: failure for failure in _failures(connection)},
        repairs={repair.target: repair for repair in _repairs(connection)},
        suspension=None if suspension is None else Suspension(**suspension),
        requests=dict(connection.execute("SELECT target, token FROM request ORDER BY target").fetchall()),
        open_intents=_open_intents(connection),
        conditions=tuple(_condition(fields) for fields in notes.get("conditions", ())),
    )


def _failures(connection: sqlite3.Connection) -> list[Failure]:
    rows = connection.execute(
        "SELECT fingerprint, operation_id, target, revision, count, in_a_row, first_at, last_at, not_before,"
        " detail, final FROM failure ORDER BY fingerprint"
    )
    return [
        Failure(
            fingerprint=fingerprint,
            operation_id=OperationId(operation_id),
            target=TargetId(target),
            revision=Revision(revision),
            count=count,
            in_a_row=in_a_row,
            first_at=first_at,
            last_at=last_at,
            not_before=not_before,
            detail=detail,
            final=bool(final),
        )
        for (
            fingerprint,
            operation_id,
            target,
            revision,
            count,
            in_a_row,
            first_at,
            last_at,
            not_before,
            detail,
            final,
        ) in rows
    ]


def _repairs(connection: sqlite3.Connection) -> list[Repair]:
    rows = connection.execute(
        "SELECT target, revision, count, last_at, not_before FROM repair ORDER BY target"
    )
    return [
        Repair(
            target=TargetId(target),
            revision=Revision(revision),
            count=count,
            last_at=last_at,
            not_before=not_before,
        )
        for target, revision, count, last_at, not_before in rows
    ]


def _open_intents(connection: sqlite3.Connection) -> tuple[Intent, ...]:
    rows = connection.execute(
        "SELECT number, plan_id, operation_id, kind, target, fingerprint, reversible, began_at FROM intent"
        " WHERE ended_at IS NULL ORDER BY number"
    )
    return tuple(
        Intent(
            number=number,
            plan_id=PlanId(plan_id),
            operation_id=OperationId(operation_id),
            kind=kind,
            target=TargetId(target),
            fingerprint=fingerprint,
            reversible=bool(reversible),
            began_at=began_at,
        )
        for number, plan_id, operation_id, kind, target, fingerprint, reversible, began_at in rows
    )


def _condition(fields: dict[str, Any]) -> Condition:
    return Condition(**{**fields, "status": Truth(fields["status"])})
