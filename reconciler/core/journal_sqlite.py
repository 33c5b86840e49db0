"""The journal on disk: SQLite in WAL mode, synchronous=FULL, so what is written survives a power loss.

One connection in one thread writes (the holder of the operator's lock); verbs open it read-only meanwhile.
Each method is one transaction. How the file is opened, checked and migrated stands in `journal_file`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from reconciler.core import journal_file
from reconciler.core.journal import (
    DECLARATIONS_KEPT,
    EVENTS_KEPT,
    FAILURES_KEPT,
    INTENTS_KEPT,
    RUNS_KEPT,
)
from reconciler.core.journal_file import explaining, transaction
from reconciler.core.journal_tables import read_memory
from reconciler.core.memory import Failure, Memory, Repair, Run, Suspension
from reconciler.core.values import (
    Condition,
    Event,
    Json,
    Operation,
    Outcome,
    PlanId,
    Result,
    Revision,
    TargetId,
)


class SqliteJournal:
    """`open` for the operator, `open_read_only` for verbs that must not change anything."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    def open(cls, path: Path) -> SqliteJournal:
        """Create or migrate as needed. The file is readable by its owner only."""
        return cls(journal_file.open_for_writing(path), path)

    @classmethod
    def open_read_only(cls, path: Path) -> SqliteJournal | None:
        """Nothing where there is no journal yet: the same as an empty memory."""
        connection = journal_file.open_for_reading(path)
        return None if connection is None else cls(connection, path)

    def close(self) -> None:
        self._connection.close()

    def memory(self) -> Memory:
        with self._reading() as connection:
            return read_memory(connection)

    def events(self, *, after: int = 0, limit: int = 1_000) -> tuple[Event, ...]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT sequence, at, name, fields FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (after, limit),
            ).fetchall()
        return tuple(Event(sequence=s, at=at, name=name, fields=json.loads(f)) for s, at, name, f in rows)

    def runs(self) -> tuple[Run, ...]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT revision, result, first_at, last_at, duration_s, count FROM run ORDER BY number DESC"
            ).fetchall()
        return tuple(
            Run(revision=Revision(r), result=w, first_at=f, last_at=e, duration_s=d, count=c)
            for r, w, f, e, d, c in rows
        )

    def declaration(self, revision: Revision) -> str | None:
        with self._reading() as connection:
            row = connection.execute(
                "SELECT text FROM declaration WHERE revision = ?", (revision,)
            ).fetchone()
        return None if row is None else str(row[0])

    def begin(self, operation: Operation, plan_id: PlanId, at: float) -> int:
        with self._writing() as connection:
            cursor = connection.execute(
                "INSERT INTO intent (plan_id, operation_id, kind, target, fingerprint, reversible, began_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    plan_id,
                    operation.id,
                    operation.kind,
                    operation.target,
                    operation.fingerprint,
                    operation.reversible,
                    at,
                ),
            )
            return int(cursor.lastrowid or 0)

    def finish(self, number: int, outcome: Outcome) -> None:
        ended_at = None if outcome.result is Result.UNKNOWN else outcome.ended_at
        with self._writing() as connection:
            connection.execute(
                "UPDATE intent SET ended_at = ?, result = ?, detail = ? WHERE number = ?",
                (ended_at, outcome.result, outcome.detail, number),
            )
            connection.execute(
                "DELETE FROM intent WHERE ended_at IS NOT NULL AND number <= ?", (number - INTENTS_KEPT,)
            )

    def settle(self, numbers: Iterable[int], at: float, detail: str) -> None:
        rows = [(at, detail, number) for number in numbers]
        with self._writing() as connection:
            connection.executemany(
                "UPDATE intent SET ended_at = ?, result = 'settled', detail = ? WHERE number = ?", rows
            )

    def remember_failure(self, failure: Failure) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO failure (fingerprint, operation_id, target, revision, count,"
                " in_a_row, first_at, last_at, not_before, detail, final) VALUES (:fingerprint,"
                " :operation_id, :target, :revision, :count, :in_a_row, :first_at, :last_at, :not_before,"
                " :detail, :final)",
                asdict(failure),
            )
            connection.execute(
                "DELETE FROM failure WHERE target = ? AND fingerprint NOT IN (SELECT fingerprint FROM failure"
                " WHERE target = ? ORDER BY last_at DESC, rowid DESC LIMIT ?)",
                (failure.target, failure.target, FAILURES_KEPT),
            )

    def forget_failures(self, targets: Iterable[TargetId] | None = None) -> None:
        with self._writing() as connection:
            if targets is None:
                connection.execute("DELETE FROM failure")
                connection.execute("DELETE FROM repair")
            else:
                rows = [(target,) for target in targets]
                connection.executemany("DELETE FROM failure WHERE target = ?", rows)

    def remember_repair(self, repair: Repair) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO repair (target, revision, count, last_at, not_before)"
                " VALUES (:target, :revision, :count, :last_at, :not_before)",
                asdict(repair),
            )

    def remember_applied(self, kind: str, digests: Mapping[TargetId, str]) -> None:
        rows = [(target, kind, text) for target, text in digests.items()]
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO applied (target, kind, digest) VALUES (?, ?, ?)", rows
            )

    def forget_applied(self) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM applied")

    def remember_attempt(self, revision: Revision) -> None:
        self._note(attempted_revision=revision)

    def remember_success(self, revision: Revision, text: str, at: float) -> None:
        with self._writing() as connection:
            _write_notes(connection, {"applied_revision": revision})
            connection.execute(
                "INSERT OR REPLACE INTO declaration (revision, text, at) VALUES (?, ?, ?)",
                (revision, text, at),
            )
            connection.execute(
                "DELETE FROM declaration WHERE rowid NOT IN"
                " (SELECT rowid FROM declaration ORDER BY rowid DESC LIMIT ?)",
                (DECLARATIONS_KEPT,),
            )

    def remember_healthy(self, revision: Revision) -> None:
        self._note(healthy_revision=revision)

    def remember_conditions(self, conditions: Iterable[Condition]) -> None:
        self._note(conditions=[asdict(condition) for condition in conditions])

    def remember_run(self, run: Run) -> None:
        with self._writing() as connection:
            newest = connection.execute(
                "SELECT number, revision, result FROM run ORDER BY number DESC LIMIT 1"
            ).fetchone()
            if newest is not None and newest[1:] == (run.revision, run.result):
                connection.execute(
                    "UPDATE run SET last_at = ?, duration_s = ?, count = count + ? WHERE number = ?",
                    (run.last_at, run.duration_s, run.count, newest[0]),
                )
            else:
                cursor = connection.execute(
                    "INSERT INTO run (revision, result, first_at, last_at, duration_s, count) VALUES"
                    " (:revision, :result, :first_at, :last_at, :duration_s, :count)",
                    asdict(run),
                )
                oldest_kept = int(cursor.lastrowid or 0) - RUNS_KEPT
                connection.execute("DELETE FROM run WHERE number <= ?", (oldest_kept,))
            _write_notes(connection, {"handled_at": run.last_at})

    def suspend(self, suspension: Suspension) -> None:
        self._note(suspension=asdict(suspension))

    def resume(self) -> None:
        self._note(suspension=None)

    def request(self, target: str, token: str) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO request (target, token) VALUES (?, ?)", (target, token)
            )

    def append_event(self, at: float, name: str, fields: Mapping[str, Json]) -> Event:
        text = json.dumps(dict(fields), ensure_ascii=False)
        with self._writing() as connection:
            cursor = connection.execute(
                "INSERT INTO event (at, name, fields) VALUES (?, ?, ?)", (at, name, text)
            )
            sequence = int(cursor.lastrowid or 0)
            connection.execute("DELETE FROM event WHERE sequence <= ?", (sequence - EVENTS_KEPT,))
        return Event(sequence=sequence, at=at, name=name, fields=json.loads(text))

    def _note(self, **notes: object) -> None:
        with self._writing() as connection:
            _write_notes(connection, notes)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with explaining(self._path), transaction(self._connection, "DEFERRED"):
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with explaining(self._path), transaction(self._connection, "IMMEDIATE"):
            yield self._connection


def _write_notes(connection: sqlite3.Connection, notes: Mapping[str, object]) -> None:
    rows = [(name, json.dumps(value)) for name, value in notes.items()]
    connection.executemany("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", rows)
