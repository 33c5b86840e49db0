"""Replaces what is wrong in a tree by something valid, so that the rules can still judge the rest.

All errors are reported at once, those between fields too; for that the rules need a whole declaration. What
was mended is remembered (`Mended.intact`), so no rule ever speaks about a value that nobody wrote. The result
is for judging only: with an error there is no declaration. Pure. Called by `load`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

import schemas
from reconciler.core.values import Json, Source
from reconciler.spec.tree import Entry, Mapped, Node, Path, Scalar, Sequence, dotted
from reconciler.spec.violations import Fault, Problem
from reconciler.spec.vocabulary import Schema, resolved, schema_at

_STEP: Final = re.compile(r"[.\[]")


@dataclass(frozen=True, slots=True)
class Mended:
    """A tree without faults. `broken` holds the dotted paths where it had some, `above` what they lie in."""

    root: Node
    broken: frozenset[str]
    above: frozenset[str]

    def intact(self, *paths: str) -> bool:
        """Whether nothing at, above or below these dotted paths was mended."""
        if not self.broken:
            return True
        return not any(
            path in self.broken or path in self.above or not self.broken.isdisjoint(_ancestors(path))
            for path in paths
        )


def _ancestors(path: str) -> Iterator[str]:
    """Everything that a dotted path lies in, the whole tree (the empty path) included."""
    yield ""
    for match in _STEP.finditer(path):
        yield path[: match.start()]


class _Remove(Enum):
    REMOVE = auto()


_Edits = dict[Path, Json | _Remove]


def mend(root: Node, problems: Iterable[Problem], name: str) -> Mended:
    """The tree with every problem's place removed or filled with an example."""
    broken: set[str] = set()
    edits: _Edits = {}
    for problem in problems:
        broken.add(dotted(problem.path))
        if problem.meant is not None:
            broken.add(dotted(problem.meant))
            edits.update(_filled(problem.meant, name))
        if problem.fault in {Fault.UNKNOWN_KEY, Fault.BAD_KEY}:
            edits[problem.path] = _Remove.REMOVE
        else:
            edits[problem.path] = _example(schema_at(name, problem.path) or {}, name)
    above = frozenset(ancestor for path in broken for ancestor in _ancestors(path))
    return Mended(_edited(root, edits), frozenset(broken), above)


def _filled(meant: Path, name: str) -> _Edits:
    """A misspelt key was a required one: an example for its place."""
    parent = schema_at(name, meant[:-1]) or {}
    if meant[-1] not in parent.get("required", ()):
        return {}
    return {meant: _example(schema_at(name, meant) or {}, name)}


def _example(schema: Schema, name: str) -> Json:
    """The smallest valid value of a schema."""
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    if "default" in schema:
        return schema["default"]
    if schema.get("type") == "array":
        return []
    root = schemas.load(name)
    properties = schema.get("properties", {})
    return {key: _example(resolved(properties[key], root), name) for key in schema.get("required", ())}


def _edited(node: Node, edits: _Edits) -> Node:
    """All edits in one pass; one of a place wins over those below it."""
    if () in edits:
        return _planted(edits[()], node.source)
    below: dict[str | int, _Edits] = {}
    for path, edit in edits.items():
        below.setdefault(path[0], {})[path[1:]] = edit
    match node:
        case Mapped():
            return replace(node, entries=dict(_edited_entries(node, below)))
        case Sequence():
            items = (_edited(item, below.get(index, {})) for index, item in enumerate(node.items))
            return replace(node, items=tuple(items))
        case Scalar():
            return node


def _edited_entries(node: Mapped, below: dict[str | int, _Edits]) -> Iterator[tuple[str, Entry]]:
    for name, entry in node.entries.items():
        edits = below.pop(name, {})
        if edits.get(()) is not _Remove.REMOVE:
            yield name, replace(entry, value=_edited(entry.value, edits)) if edits else entry
    for step, edits in below.items():
        if edits.get(()) is not _Remove.REMOVE:
            key = Scalar(str(step), str(step), node.source, node.source)
            yield str(step), Entry(key, _edited(_planted({}, node.source), edits))


def _planted(value: Any, source: Source) -> Node:
    """A JSON value as a tree that stands at one place."""
    if isinstance(value, dict):
        entries = {
            key: Entry(Scalar(key, key, source, source), _planted(item, source))
            for key, item in value.items()
        }
        return Mapped(entries, source)
    if isinstance(value, list):
        return Sequence(tuple(_planted(item, source) for item in value), source)
    return Scalar(value, str(value), source, source)
