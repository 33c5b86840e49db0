"""Where renditions wait for their gateways: our own store, a directory that outlives the process.

Layout under the root: `sessions/<session>/<directory>/<file>`, `sessions/<session>/session.json` (so that a
successor knows the session), `work/<process>/…` for what is not finished. Names come from strangers, so every
part of a path is an escaped form of its name that cannot leave its directory. A directory keeps its newest 12
files, a session its newest 24 directories. Finished files arrive by rename: a reader sees all of one or none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from runtime.server.sessions import SessionFacts

KEPT_PER_DIRECTORY = 12
KEPT_DIRECTORIES = 24
"""Per session: one for each rendition of a segment, ten at most. Strangers choose their names."""
_FACTS = "session.json"
_LONGEST_NAME_BYTES = 200
_OWNER_ONLY = 0o700


class StorageError(Exception):
    """Raised when a rendition could not be stored; the text is for the gateway."""


class OutputStorage(Protocol):
    """Where a session's renditions go; fixed when the session begins."""

    async def put(self, name: str, path: Path) -> str:
        """Store the file at `path`, which may be moved away, as `name`; its URL. Raises `StorageError`."""


class UnsafeDirectory(Exception):
    """Raised when the store's directory belongs to somebody else or is open to others."""


class OwnStore:
    def __init__(self, root: Path, *, clock: Callable[[], float]) -> None:
        self._root = root
        self._sessions = root / "sessions"
        self._clock = clock
        self._touched: dict[str, int] = {}
        _make_private(root)
        self._sessions.mkdir(mode=_OWNER_ONLY, exist_ok=True)

    def begin(self, facts: SessionFacts) -> None:
        """Make the session's directory, or take over a predecessor's. Raises `OSError`."""
        directory = self._directory(facts.id)
        self._sessions.mkdir(mode=_OWNER_ONLY, exist_ok=True)  # a tidy-minded cron job may have deleted it
        directory.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        text = json.dumps(
            {
                "sender": facts.sender.hex(),
                "stream": facts.stream.hex(),
                "token_expires_at": facts.token_expires_at,
            }
        )
        unfinished = directory / f"{_FACTS}.{os.getpid()}"
        unfinished.write_text(text, "ascii")
        unfinished.rename(directory / _FACTS)
        self.touch(facts.id)

    def touch(self, session_id: str) -> None:
        """Say that the session is alive, to this process's successor and to every sweep."""
        now = int(self._clock() * 1e9)
        try:
            os.utime(self._directory(session_id), ns=(now, now))
        except FileNotFoundError:
            return
        self._touched[session_id] = now

    def recall(self, session_id: str, *, idle_s: float) -> SessionFacts | None:
        """What a predecessor knew of a session that was alive within the idle time."""
        directory = self._directory(session_id)
        try:
            found = directory.stat()
            if self._clock() - found.st_mtime > idle_s:
                return None
            facts = json.loads((directory / _FACTS).read_text("ascii"))
            self._touched.setdefault(session_id, found.st_mtime_ns)
            return SessionFacts(
                id=session_id,
                sender=bytes.fromhex(facts["sender"]),
                stream=bytes.fromhex(facts["stream"]),
                token_expires_at=int(facts["token_expires_at"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def recall_all(self, *, idle_s: float) -> Iterator[SessionFacts]:
        for entry in sorted(os.listdir(self._sessions)):
            facts = self.recall(entry, idle_s=idle_s)
            if facts is not None:
                yield facts

    def put(self, session_id: str, name: str, path: Path) -> None:
        """Move a finished file in as `<directory>/<file>` of the session. Raises `OSError`."""
        target = self._file(session_id, name)
        target.parent.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        os.utime(path)
        path.rename(target)
        for old in _all_but_newest(target.parent, KEPT_PER_DIRECTORY):
            old.unlink(missing_ok=True)
        for old in _all_but_newest(self._directory(session_id), KEPT_DIRECTORIES):
            if old.is_dir():
                shutil.rmtree(old, ignore_errors=True)
        self.touch(session_id)

    def find(self, session_id: str, name: str) -> Path:
        """Where that object is, if it is."""
        return self._file(session_id, name)

    def drop(self, session_id: str) -> None:
        """Delete a session's files, unless another process has been serving it since this one did."""
        directory = self._directory(session_id)
        touched = self._touched.pop(session_id, None)
        try:
            is_ours = touched is None or directory.stat().st_mtime_ns <= touched
        except FileNotFoundError:
            return
        if is_ours:
            shutil.rmtree(directory, ignore_errors=True)

    def sweep(self, *, keep: frozenset[str], older_than_s: float) -> int:
        """Delete sessions that nobody has touched for so long; how many there were."""
        swept = 0
        for entry in os.listdir(self._sessions):
            directory = self._sessions / entry
            try:
                age_s = self._clock() - directory.stat().st_mtime
            except FileNotFoundError:
                continue
            if entry not in keep and age_s > older_than_s:
                shutil.rmtree(directory, ignore_errors=True)
                swept += 1
        return swept

    def _directory(self, session_id: str) -> Path:
        return self._sessions / escaped(session_id)

    def _file(self, session_id: str, name: str) -> Path:
        directory, _, file = name.rpartition("/")
        return self._directory(session_id) / f"d{escaped(directory)}" / f"f{escaped(file)}"


class OwnStorage:
    """The own store as one session's output storage."""

    def __init__(self, store: OwnStore, *, session_id: str, service_uri: Callable[[], str]) -> None:
        self._store = store
        self._session_id = session_id
        self._service_uri = service_uri

    async def put(self, name: str, path: Path) -> str:
        try:
            self._store.put(self._session_id, name, path)
        except OSError as error:
            raise StorageError(f"cannot keep {name}: {error.strerror}") from error
        return f"{self._service_uri()}/stream/{self._session_id}/{name}"


def escaped(name: str) -> str:
    """One path component for any text: different texts differ, none is empty, `.`, `..` or too long."""
    text = quote(name, safe="") or "%"
    if text.startswith("."):
        text = f"%2E{text[1:]}"
    if len(text) > _LONGEST_NAME_BYTES:
        return f"~{hashlib.sha256(name.encode()).hexdigest()}"
    return text


def _make_private(root: Path) -> None:
    root.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
    found = os.lstat(root)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnsafeDirectory(f"{root} is not a directory of this user: remove it or declare another one")
    root.chmod(_OWNER_ONLY)


def _all_but_newest(directory: Path, count: int) -> list[Path]:
    with os.scandir(directory) as entries:
        files = [(entry.stat().st_mtime_ns, entry.path) for entry in entries]
    files.sort()
    return [Path(path) for _, path in files[:-count]]
