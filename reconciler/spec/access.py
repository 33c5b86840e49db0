"""A valid tree by name: declared values, or the published default where there is none.

What `build` reads through; it makes paths absolute and keeps references references. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reconciler.spec import units
from reconciler.spec.declaration import AUTO, Auto, Endpoint, Frozen
from reconciler.spec.secrets import Template, parse_template
from reconciler.spec.tree import Mapped, Node, Scalar, Sequence, find, plain
from reconciler.spec.tree import Path as Place
from reconciler.spec.vocabulary import ORCHESTRATOR, default_at, holds_secret


@dataclass(frozen=True, slots=True)
class Values:
    """The tree by dotted names; what is not declared is the published default."""

    root: Node
    directories: Mapping[str, Path]

    def node(self, *path: str) -> Node | None:
        return find(self.root, path)

    def has(self, *path: str) -> bool:
        return self.node(*path) is not None

    def names(self, *path: str) -> tuple[str, ...]:
        node = self.node(*path)
        return tuple(node.entries) if isinstance(node, Mapped) else ()

    def value(self, *path: str) -> Any:
        node = self.node(*path)
        return plain(node) if node is not None else default_at(path)

    def text(self, *path: str) -> str:
        return str(self.value(*path))

    def whole(self, *path: str) -> int:
        return int(self.value(*path))

    def whole_or_auto(self, *path: str) -> int | Auto:
        value = self.value(*path)
        return AUTO if value == "auto" else int(value)

    def seconds(self, *path: str) -> float:
        return float(units.read_duration(self.text(*path)))

    def size(self, *path: str) -> int:
        return units.read_size(self.text(*path))

    def endpoint(self, *path: str) -> Endpoint:
        return read_endpoint(self.text(*path))

    def path(self, *path: str) -> Path:
        """A declared path, absolute: relative ones count from the declaring file."""
        node = self.node(*path)
        base = self.directories.get(node.source.file, Path()) if node is not None else Path()
        return base / self.text(*path)

    def template(self, *path: str) -> Template:
        node = self.node(*path)
        base = self.directories.get(node.source.file, Path()) if node is not None else Path()
        return parse_template(self.text(*path), base)

    def frozen(self, *path: str) -> Frozen:
        node = self.node(*path)
        return freeze(node, path, self.directories) if node is not None else None


def read_endpoint(text: str) -> Endpoint:
    """`host:port`; IPv6 hosts stand in brackets."""
    host, _, port = text.rpartition(":")
    return Endpoint(host.strip("[]"), int(port))


def freeze(node: Node, path: Place, directories: Mapping[str, Path]) -> Frozen:
    match node:
        case Mapped():
            below = {
                name: freeze(entry.value, (*path, name), directories) for name, entry in node.entries.items()
            }
            return MappingProxyType(below)
        case Sequence():
            return tuple(freeze(item, (*path, i), directories) for i, item in enumerate(node.items))
        case Scalar(value=str(text)) if holds_secret(ORCHESTRATOR, path):
            return parse_template(text, directories.get(node.source.file, Path()))
        case Scalar(value=Decimal()):
            return node.raw
        case Scalar(value=str() | int() | None as value):
            return value
    raise TypeError(f"not a tree: {node!r}")
