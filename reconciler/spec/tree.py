"""Documents as trees that remember where everything stands.

Every scalar, key, list and map keeps its file, line and column through merging, so that any later finding can
point at the text that caused it. Made by the readers, merged by `overlay`, read by the checks and by `build`.
Values are plain: text, whole numbers, exact decimals, true, false, null. Knows no syntax and no vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from reconciler.core.values import Json, Source

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    """`end` is the place just after the text. `raw` is the text as written, without quotes."""

    value: str | int | Decimal | bool | None
    raw: str
    source: Source
    end: Source


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    source: Source
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Mapped:
    """A map. `fresh` says that it replaces what lies below it in a merge, instead of joining it."""

    entries: Mapping[str, Entry]
    source: Source
    fresh: bool = False


Node = Scalar | Sequence | Mapped


@dataclass(frozen=True, slots=True)
class Document:
    """One file's content. `root` is None where the file is empty."""

    file: str
    root: Node | None


def plain(node: Node) -> Json:
    """The tree as JSON values, without places."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapped():
            return {name: plain(entry.value) for name, entry in node.entries.items()}


def find(node: Node | None, path: Path) -> Node | None:
    """The node at a path, or None where there is none."""
    for step in path:
        match node:
            case Mapped() if step in node.entries and isinstance(step, str):
                node = node.entries[step].value
            case Sequence() if isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            case _:
                return None
    return node


def key_at(node: Node, path: Path) -> Scalar | None:
    """The key that leads to a path; None for list items and the root."""
    parent = find(node, path[:-1]) if path else None
    step = path[-1] if path else None
    if isinstance(parent, Mapped) and isinstance(step, str) and step in parent.entries:
        return parent.entries[step].key
    return None


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node with its path, outermost first, in file order."""
    yield path, node
    match node:
        case Mapped():
            for name, entry in node.entries.items():
                yield from walk(entry.value, (*path, name))
        case Sequence():
            for index, item in enumerate(node.items):
                yield from walk(item, (*path, index))
        case Scalar():
            pass


def dotted(path: Path) -> str:
    """`gateways.daydream.video`, `workers.list[2].name`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
