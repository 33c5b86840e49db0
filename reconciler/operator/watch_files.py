"""Notices that a declared file changed: every file that the declaration was read from, and its certificate's.

Watches directories, since editors and configuration tools replace files by renaming others over them, and
looks every few seconds whether they are still the same ones, since others swap a link or a directory. Settles
for 250 ms, so that a burst of saves is one change. Where the kernel offers no notifications it polls. It does
not read the files and knows nothing of their content.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from watchfiles import awatch

_SETTLE_MS = 250
_LONGEST_BURST_MS = 1_000
_LOOK_AGAIN_S = 2.0
_LOOK_WHERE_MS = 5_000

_Places = dict[Path, int | None]

_LOG = logging.getLogger("reconciler.operator.files")


async def watch_files(
    wanted: Callable[[], frozenset[Path]], changed: Callable[[frozenset[Path]], None]
) -> None:
    """Calls `changed` with the files that did; `wanted` is asked again after each change. Until cancelled."""
    polling = False
    known: tuple[frozenset[Path], _Places] | None = None
    while True:
        files = wanted()
        try:
            places = _places(files)
            if known is not None and known[0] == files and known[1] != places:
                changed(files)
            known = files, places
            async for batch in _changes(files, places, polling=polling):
                changed(batch)
                if wanted() != files:
                    break
        except (OSError, RuntimeError) as error:
            _LOG.warning("files.polled", extra={"fields": {"reason": str(error), "polling": polling}})
            polling = True
        await asyncio.sleep(_LOOK_AGAIN_S if polling else 0)


async def _changes(
    files: frozenset[Path], places: _Places, *, polling: bool
) -> AsyncIterator[frozenset[Path]]:
    """Ends once the files are not in these places any more."""
    directories = [path for path, inode in places.items() if inode is not None]
    if not directories:
        raise OSError("none of the declared files' directories exist")
    watched = _aliases(files)
    async for batch in awatch(
        *directories,
        watch_filter=None,  # a link that is swapped on the way to a file has another name
        debounce=_LONGEST_BURST_MS,
        step=_SETTLE_MS,
        rust_timeout=_LOOK_WHERE_MS,
        yield_on_timeout=True,
        recursive=False,
        force_polling=polling or None,
    ):
        if _places(files) != places:
            return
        found = frozenset(watched[path] for _change, path in batch if path in watched)
        if found:
            yield found


def _places(files: Iterable[Path]) -> _Places:
    """The directories to watch, and which one each is now: the kernel goes on watching a replaced one."""
    return {path: path.stat().st_ino if path.is_dir() else None for path in _directories(files)}


def _directories(files: Iterable[Path]) -> set[Path]:
    """Where the name lives, and where the file lives that a symbolic link leads to."""
    return {directory for path in files for directory in (path.parent, path.resolve().parent)}


def _aliases(files: Iterable[Path]) -> dict[str, Path]:
    """Every spelling under which a change of a file may be reported."""
    found: dict[str, Path] = {}
    for path in files:
        for spelling in (path, path.absolute(), path.parent.resolve() / path.name, path.resolve()):
            found[str(spelling)] = path
    return found
