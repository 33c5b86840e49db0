"""Notices that a declared file changed: every file that the declaration was read from, and its certificate's.

Watches directories, since editors and configuration tools replace files by renaming others over them. Settles
for 250 ms, so that a burst of saves is one change. Where the kernel offers no notifications it polls. It does
not read the files and knows nothing of their content.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from watchfiles import Change, awatch

_SETTLE_MS = 250
_LONGEST_BURST_MS = 1_000
_LOOK_AGAIN_S = 2.0

_LOG = logging.getLogger("reconciler.operator.files")


async def watch_files(
    wanted: Callable[[], frozenset[Path]], changed: Callable[[frozenset[Path]], None]
) -> None:
    """Calls `changed` with the files that did; `wanted` is asked again after each change. Until cancelled."""
    polling = False
    while True:
        files = wanted()
        try:
            async for batch in _changes(files, polling=polling):
                changed(batch)
                if wanted() != files:
                    break
        except (OSError, RuntimeError) as error:
            _LOG.warning("files.polled", extra={"fields": {"reason": str(error), "polling": polling}})
            polling = True
        await asyncio.sleep(_LOOK_AGAIN_S if polling else 0)


async def _changes(files: frozenset[Path], *, polling: bool) -> AsyncIterator[frozenset[Path]]:
    directories = {path for path in _directories(files) if path.is_dir()}
    if not directories:
        raise OSError("none of the declared files' directories exist")
    watched = _aliases(files)

    def concerns(_change: Change, path: str) -> bool:
        return path in watched

    async for batch in awatch(
        *directories,
        watch_filter=concerns,
        debounce=_LONGEST_BURST_MS,
        step=_SETTLE_MS,
        recursive=False,
        force_polling=polling or None,
    ):
        yield frozenset(watched[path] for _change, path in batch)


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
