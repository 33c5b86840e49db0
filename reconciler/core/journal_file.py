"""The journal's file: opened, told from others, checked, migrated.

A file that is not ours, too new, or damaged is an error that names it and says what to do; it is never
replaced or repaired. Migrations are numbered, each applied once in a transaction. Called by the SQLite
journal only; what is in the tables is not its business.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reconciler.core.errors import JournalError
from reconciler.core.journal_tables import MIGRATIONS

_BUSY_TIMEOUT_S = 5.0
_APPLICATION_ID = 0x4C504F52  # "LPOR": tells our file from any other SQLite file


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Create or migrate as needed. The file is readable by its owner only."""
    with explaining(path):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """Nothing where there is no journal yet."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with explaining(path):
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _check(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, mode: str) -> Iterator[None]:
    connection.execute(f"BEGIN {mode}")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn the database's own errors into ours, with the file and a way out."""
    try:
        yield
    except sqlite3.OperationalError as failed:
        raise JournalError(
            f"cannot use the operator's journal {path}: {failed}",
            next_step="check the disk's space and the file's permissions",
        ) from failed
    except sqlite3.DatabaseError as failed:
        raise _damaged(path, str(failed)) from failed
    except OSError as failed:
        raise JournalError(
            f"cannot open the operator's journal {path}: {failed.strerror}",
            next_step="check that the data directory exists and belongs to this user",
        ) from failed


def _damaged(path: Path, what: str) -> JournalError:
    return JournalError(
        f"the operator's journal {path} is damaged or not ours: {what}",
        next_step=(
            f"it was left as it is; move it aside to start with an empty memory "
            f"(mv {path} {path}.damaged): every difference then counts as a change, nothing else is lost"
        ),
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    fresh = _pragma(connection, "schema_version") == 0
    if not fresh:
        _check(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    version = _pragma(connection, "user_version")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        with transaction(connection, "EXCLUSIVE"):
            for statement in script.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != _APPLICATION_ID:
        raise _damaged(path, "it is not an operator's journal")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path, str(found))
    version = _pragma(connection, "user_version")
    if version > len(MIGRATIONS):
        raise JournalError(
            f"the operator's journal {path} was written by a newer version (format {version}, "
            f"known up to {len(MIGRATIONS)})",
            next_step="upgrade this program, or move the file aside to start with an empty memory",
        )


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]
