"""Replaces what is wrong in a tree by something valid, so that the rules can still judge the rest.

All errors are reported at once, those between fields too; for that the rules need a whole declaration. What
was mended is remembered (`Mended.intact`), so no rule ever speaks about a value that nobody wrote. The result
is for judging only: with an error there is no declaration. Pure. Called by `load`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import schemas
from reconciler.core.values import Json, Source
from reconciler.spec.tree import Entry, Mapped, Node, Path, Scalar, Sequence, dotted
from reconciler.spec.violations import Fault, Problem
from reconciler.spec.vocabulary import Schema, resolved, schema_at


@dataclass(frozen=True, slots=True)
class Mended:
    """A tree without faults, and the dotted paths where it had some."""

    root: Node
    broken: frozenset[str]

    def intact(self, *paths: str) -> bool:
        """Whether nothing at, above or below these dotted paths was mended."""
        return not any(_touch(path, broken) for path in paths for broken in self.broken)


def _touch(path: str, broken: str) -> bool:
    """Whether one is, or lies in, the other; the empty path is the whole tree."""
    below = path.startswith((f"{broken}.", f"{broken}["))
    above = broken.startswith((f"{path}.", f"{path}["))
    return path == broken or not broken or below or above


def mend(root: Node, problems: Iterable[Problem], name: str) -> Mended:
    """The tree with every problem's place removed or filled with an example."""
    broken: set[str] = set()
    for problem in problems:
        places = [problem.path] if problem.meant is None else [problem.path, problem.meant]
        broken |= {dotted(place) for place in places}
        if problem.meant is not None and schema_at(name, problem.meant[:-1]) is not None:
            root = _fill_required(_without(root, problem.path), problem.meant, name)
        elif problem.fault in {Fault.UNKNOWN_KEY, Fault.BAD_KEY}:
            root = _without(root, problem.path)
        else:
            root = _with(root, problem.path, _example(schema_at(name, problem.path) or {}, name))
    return Mended(root, frozenset(broken))


def _fill_required(root: Node, path: Path, name: str) -> Node:
    """A misspelt key was a required one: put an example in its place."""
    parent = schema_at(name, path[:-1]) or {}
    if path[-1] in parent.get("required", ()):
        return _with(root, path, _example(schema_at(name, path) or {}, name))
    return root


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


def _without(node: Node, path: Path) -> Node:
    if not path:
        return node
    match node:
        case Mapped() if path[0] in node.entries:
            entries = dict(node.entries)
            name = str(path[0])
            if len(path) == 1:
                del entries[name]
            else:
                entries[name] = replace(entries[name], value=_without(entries[name].value, path[1:]))
            return replace(node, entries=entries)
        case Sequence() if isinstance(path[0], int) and path[0] < len(node.items) and len(path) > 1:
            items = list(node.items)
            items[path[0]] = _without(items[path[0]], path[1:])
            return replace(node, items=tuple(items))
        case _:
            return node


def _with(node: Node, path: Path, value: Json) -> Node:
    if not path:
        return _planted(value, node.source)
    match node:
        case Mapped():
            name = str(path[0])
            below = node.entries.get(name)
            inner = below.value if below else _planted({}, node.source)
            key = below.key if below else Scalar(name, name, node.source, node.source)
            return replace(node, entries={**node.entries, name: Entry(key, _with(inner, path[1:], value))})
        case Sequence() if isinstance(path[0], int) and path[0] < len(node.items):
            items = list(node.items)
            items[path[0]] = _with(items[path[0]], path[1:], value)
            return replace(node, items=tuple(items))
        case _:
            return node


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
