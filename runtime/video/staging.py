"""Room for segments that are being received and transcoded: one directory per job, none of which outlives it.

Beside the store, so that a finished rendition moves over by rename. Each process holds a lock on its own
corner; what a killed process left is deleted by the next one that finds its lock free.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = "lock"


class Staging:
    def __init__(self, root: Path) -> None:
        work = root / "work"
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        _delete_abandoned(work)
        self._corner = work / uuid.uuid4().hex
        self._corner.mkdir(mode=0o700)
        self._lock = os.open(self._corner / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._numbers = itertools.count(1)

    @contextmanager
    def job(self) -> Iterator[Path]:
        """A new empty directory, gone afterwards with all that is in it. Raises `OSError`."""
        directory = self._corner / str(next(self._numbers))
        directory.mkdir(mode=0o700, parents=True)  # also where somebody deleted the work directory
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def close(self) -> None:
        shutil.rmtree(self._corner, ignore_errors=True)
        os.close(self._lock)


def _delete_abandoned(work: Path) -> None:
    for entry in os.listdir(work):
        corner = work / entry
        try:
            lock = os.open(corner / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # being made, or being deleted, by somebody else
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(corner, ignore_errors=True)
        finally:
            os.close(lock)
