"""Makes a directory, or closes it to others. Never follows a link, never touches what is not ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from reconciler.core.errors import Terminal, Transient
from reconciler.core.values import Operation
from reconciler.resources.data_directory.observe import UnsafeDirectory, look_at, private_mode
from reconciler.resources.data_directory.state import PRIVATE


class DataActor:
    async def holds(self, operation: Operation) -> bool:
        wrong = {path: mode for path, mode in look_at(_paths(operation)) if mode != PRIVATE}
        return {"wrong": wrong} == operation.precondition

    async def act(self, operation: Operation, _tell: Callable[[str], None]) -> str:
        paths = _paths(operation)
        try:
            paths[0].parent.mkdir(parents=True, exist_ok=True)
            for path in paths:
                _make_private(path)
        except UnsafeDirectory as error:
            raise Terminal(str(error)) from error
        except OSError as error:
            raise Transient(
                f"{error.filename}: {error.strerror}", next_step="look at the disk and at who owns it"
            ) from error
        return f"{paths[0]} is ours alone"


def _make_private(path: Path) -> None:
    if private_mode(path) is None:
        os.mkdir(path, PRIVATE)
    _close_to_others(path)


def _close_to_others(path: Path) -> None:
    """Through a descriptor of the very directory that was checked."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise UnsafeDirectory(f"{path} is somebody else's")
        os.fchmod(descriptor, PRIVATE)
    finally:
        os.close(descriptor)


def _paths(operation: Operation) -> list[Path]:
    arguments = operation.arguments
    if isinstance(arguments, dict) and isinstance(paths := arguments.get("paths"), list) and paths:
        return [Path(path) for path in paths]
    raise Terminal(f"{operation.id}: its paths are missing")
