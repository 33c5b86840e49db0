"""One operator per node: an exclusive lock on a file, which says who holds it.

The kernel drops it when the holder ends, however it ends, so it never has to be broken by hand. Children do
not inherit it. The verbs that change something hold it where no operator runs; `plan`, `diff`, `drift` and
`status` never take it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.core.errors import LockHeld, OperatorError, Refused

_RETRY_S = 0.05
_HOLDER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock, doing what, since when (unix seconds)."""

    pid: int
    verb: str
    since: float

    def __str__(self) -> str:
        began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since))
        return f"`reconcile {self.verb}` (pid {self.pid}, since {began})"


class OperatorLock:
    """Held from `acquire` until `release` or the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path, holder: Holder, *, wait_s: float = 0.2) -> OperatorLock:
        """Raises `LockHeld`, naming the holder, where it is not free within `wait_s`.

        Blocks for so long; the default only outlasts somebody's short look at the lock.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError as failed:
            raise Refused(
                f"may not use the operator's lock {path}", next_step="run as the data directory's owner"
            ) from failed
        try:
            if not _lock_within(descriptor, wait_s):
                found = _read(descriptor)
                who = str(found) if found else "a process that has not said its name yet"
                raise LockHeld(
                    f"this node is operated by {who}",
                    next_step="ask it through its socket, or end it first (`reconcile stop`, SIGTERM)",
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
        except OSError as failed:
            os.close(descriptor)
            raise OperatorError(
                f"cannot write the operator's lock {path}: {failed.strerror}",
                next_step="what runs serves on; make room on that disk, then call again",
            ) from failed
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        """The file stays: removing it would let two processes lock two files of one name."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def read_holder(path: Path) -> Holder | None:
    """Who operates this node now; nothing where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        return _read(descriptor) or Holder(pid=0, verb="?", since=0.0)
    finally:
        os.close(descriptor)


def _lock_within(descriptor: int, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() >= until:
            return False
        time.sleep(_RETRY_S)
    return True


def _try_lock(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Holder | None:
    try:
        fields = json.loads(os.pread(descriptor, _HOLDER_BYTES, 0))
        return Holder(pid=int(fields["pid"]), verb=str(fields["verb"]), since=float(fields["since"]))
    except (ValueError, KeyError, TypeError):
        return None  # written a moment from now, or cut short by a crash
