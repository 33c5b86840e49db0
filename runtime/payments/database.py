"""`money.db`: what a node must not forget. Now the token secret; tickets, nonces and balances later.

Two runtimes have it open at once while one replaces the other, so every write is one short transaction that
takes the write lock first, and creating a secret is "insert unless there" followed by reading what won. WAL
with `synchronous=FULL`: what was committed survives a power loss. Opened by the process assembly only.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

_BUSY_MS = 5_000
_SECRET_BYTES = 32
_TOKEN_SECRET = "auth-token"  # noqa: S105 - the name of a row

_MIGRATIONS = (
    """
    CREATE TABLE secret (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL,
        created_at REAL NOT NULL DEFAULT (unixepoch())
    ) STRICT
    """,
)
"""Each is applied once, in order; `user_version` counts them. Never edited, only added to."""


class NewerDatabase(Exception):
    """Raised when the file was written by a newer program than this one."""


def load_token_secret(path: str) -> bytes:
    """The 32 bytes that sign auth tokens: made once, the same for every process that opens `path`."""
    with closing(_open(path)) as connection:
        _migrate(connection)
        with _writing(connection):
            connection.execute(
                "INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                (_TOKEN_SECRET, secrets.token_bytes(_SECRET_BYTES)),
            )
        row = connection.execute("SELECT value FROM secret WHERE name = ?", (_TOKEN_SECRET,)).fetchone()
        return bytes(row[0])


def _open(path: str) -> sqlite3.Connection:
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite alone would make it readable to all
    connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None)
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switching a new file needs it alone, and SQLite answers "locked" at once instead of waiting."""
    give_up_at = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection) -> None:
    with _writing(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise NewerDatabase(
                f"money.db has version {version}, this program knows {len(_MIGRATIONS)}: "
                "start the newer program again, or restore the database it replaced"
            )
        for statement in _MIGRATIONS[version:]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
