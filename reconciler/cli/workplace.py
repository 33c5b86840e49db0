"""What most verbs start from: which files were named, what they declare, where the node keeps its things.

`open_workplace` needs a valid declaration; `locate` finds the node even where somebody just broke the file,
so that `status`, `events` and `stop` work exactly then. Called by the verbs; imports the reader at first
use.
"""

from __future__ import annotations

import argparse
import getpass
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.arguments import DEFAULT_FILE
from reconciler.cli.terminal import say
from reconciler.core.errors import ConfigError, UsageError
from reconciler.layout import Layout

if TYPE_CHECKING:
    from reconciler.spec.declaration import Declaration


@dataclass(frozen=True, slots=True)
class Workplace:
    """One node as its files declare it."""

    files: tuple[Path, ...]
    declaration: Declaration
    layout: Layout


def files_of(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The named files, or the one in the working directory. Raises `UsageError` where that is missing."""
    named = [Path(name) for name in arguments.files or ()]
    if named:
        return tuple(named)
    default = Path(DEFAULT_FILE)
    if not default.exists():
        raise UsageError(
            f"there is no {DEFAULT_FILE} in {Path.cwd()}",
            next_step="change to the node's directory, name its file with -f, or begin one with the line "
            '`service: {uri: "https://127.0.0.1:8935"}`',
        )
    return (default,)


def open_workplace(arguments: argparse.Namespace) -> Workplace:
    """Raises `ConfigError` with every finding, also for what is declared but not supported yet."""
    from reconciler.operator.assembly import layout_of, load_declaration  # noqa: PLC0415

    files = files_of(arguments)
    declaration = load_declaration(files)
    return Workplace(files, declaration, layout_of(declaration))


def locate(arguments: argparse.Namespace) -> Layout:
    """Where the node lives, even where its declaration has errors (they are pointed out, not listed)."""
    from reconciler.operator.assembly import layout_of  # noqa: PLC0415
    from reconciler.spec.load import load  # noqa: PLC0415

    files = files_of(arguments)
    try:
        return layout_of(load(files))
    except ConfigError as error:
        usual = files[0].absolute().parent / ".orchestrator"
        data = _declared_data(files) or usual
        if data == usual and not usual.exists():
            raise  # nothing ever ran there, or it cannot be read where: no guess
        say(f"note: {error} (`reconcile validate` lists them); looking at the node in {data}")
        return Layout(data=data, weights=data / "weights")


def _declared_data(files: tuple[Path, ...]) -> Path | None:
    """`paths.data` of files that can at least be read."""
    from reconciler.spec.documents import Library, read_layers  # noqa: PLC0415
    from reconciler.spec.tree import Scalar, find  # noqa: PLC0415

    library = Library()
    tree = read_layers(files, library)
    node = None if tree is None else find(tree, ("paths", "data"))
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return None
    directory = library.directories.get(node.source.file, files[0].absolute().parent)
    return directory / node.value


def caller() -> str:
    """Who asks, for the record: `root@fra-1`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
