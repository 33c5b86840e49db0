"""Looks at the directories, their disks and the clock. Changes nothing.

A directory that is a link, no directory, or somebody else's is answered with `Unknown`: no one is to build
on it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from reconciler.core.values import Known, Observation, Unknown
from reconciler.resources.data_directory.clock import ClockWatch
from reconciler.resources.data_directory.state import DataDesired, DataObserved, SeenDirectory, SeenRoom


class UnsafeDirectory(OSError):
    """Raised when a directory is there and not ours to use."""


class DataObserver:
    def __init__(self, desired: DataDesired, clock: ClockWatch, now: Callable[[], float]) -> None:
        self._desired = desired
        self._clock = clock
        self._now = now

    async def observe(self) -> Observation:
        try:
            seen = DataObserved(
                directories=tuple(
                    SeenDirectory(name=each.name, modes=look_at(each.paths))
                    for each in self._desired.directories
                ),
                rooms=tuple(_room(each.name, each.path) for each in self._desired.rooms),
                clock=self._clock.look(),
            )
        except UnsafeDirectory as error:
            return Unknown(str(error), self._now())
        except OSError as error:
            return Unknown(f"{error.filename}: {error.strerror}", self._now())
        return Known(seen, self._now())


def look_at(paths: Iterable[Path]) -> tuple[tuple[str, int | None], ...]:
    """The permission bits by path. Raises `UnsafeDirectory`."""
    return tuple((str(path), private_mode(path)) for path in paths)


def private_mode(path: Path) -> int | None:
    """The permission bits; None where nothing is there. Raises `UnsafeDirectory` for what is not ours."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise UnsafeDirectory(f"{path} is a symbolic link, not a directory of its own; remove it")
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectory(f"{path} is not a directory; remove it")
    if found.st_uid != os.geteuid():
        raise UnsafeDirectory(
            f"{path} belongs to user {found.st_uid}, and the operator runs as {os.geteuid()}; "
            "run as its owner, or remove it"
        )
    return stat.S_IMODE(found.st_mode)


def _room(name: str, path: Path) -> SeenRoom:
    while not path.exists() and path != path.parent:
        path = path.parent
    found = os.statvfs(path)
    return SeenRoom(
        name=name,
        free_bytes=found.f_bavail * found.f_frsize,
        total_bytes=found.f_blocks * found.f_frsize,
        free_files=found.f_favail if found.f_files else 2**31,
    )
