"""How declarations are laid over each other. Pure, and associative: grouping never matters, order does.

The later one wins: maps join key by key; lists whose items are all maps with a `name` join by that name; any
other list, and every scalar, replaces what was there; null removes. What follows a removal, or a value of
another type, in a later layer is new: nothing below shows through. Called by `documents` after reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from reconciler.spec.tree import Entry, Mapped, Node, Scalar, Sequence


def merge(base: Node | None, over: Node | None) -> Node | None:
    """`base` with `over` on top. Removals stay in the result, for what may lie below; `settle` ends them."""
    if base is None or over is None:
        return over if base is None else base
    match base, over:
        case Mapped(), Mapped(fresh=False):
            return replace(base, entries=_join(base.entries.items(), over.entries.items()))
        case Sequence(), Sequence(fresh=False) if _names(base) and _names(over):
            return replace(base, items=_join_named(base, over))
        case _, Scalar():
            return over
        case _:
            return replace(over, fresh=True)


def merge_all(layers: Iterable[Node | None]) -> Node | None:
    """All layers, the first at the bottom."""
    return reduce(merge, layers, None)


def _join(base: Iterable[tuple[str, Entry]], over: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    entries = dict(base)
    for name, entry in over:
        below = entries.get(name)
        value = merge(below.value, entry.value) if below else entry.value
        entries[name] = Entry(entry.key, value if value is not None else entry.value)
    return entries


def _join_named(base: Sequence, over: Sequence) -> tuple[Node, ...]:
    below = dict(zip(_names(base), base.items, strict=True))
    for name, item in zip(_names(over), over.items, strict=True):
        merged = merge(below.get(name), item)
        below[name] = merged if merged is not None else item
    return tuple(below.values())


def _names(node: Sequence) -> tuple[str, ...]:
    """The names of a list of named items; empty where it is not one (or a name stands twice)."""
    names: list[str] = []
    for item in node.items:
        name = item.entries.get("name") if isinstance(item, Mapped) else None
        if name is None or not isinstance(name.value, Scalar) or not isinstance(name.value.value, str):
            return ()
        names.append(name.value.value)
    return tuple(names) if len(set(names)) == len(names) else ()


def settle(node: Node) -> Node:
    """Without what null removed, and without the marks that merging needs."""
    match node:
        case Mapped():
            kept = {
                name: Entry(entry.key, settle(entry.value))
                for name, entry in node.entries.items()
                if not (isinstance(entry.value, Scalar) and entry.value.value is None)
            }
            return Mapped(kept, node.source)
        case Sequence():
            return Sequence(tuple(settle(item) for item in node.items), node.source)
        case Scalar():
            return node
