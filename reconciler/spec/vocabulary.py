"""The JSON Schema as the one dictionary of the declared state: what may stand where, and its default.

The published schema is what editors read, so checks, defaults and hints read it too: they cannot differ. Pure
look-ups on package data. Called by the checks, by `build` and for masking.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import schemas
from reconciler.spec.tree import Path

Schema = dict[str, Any]
ORCHESTRATOR: Final = "orchestrator"
MODELS: Final = "aiModels"


def schema_at(name: str, path: Path) -> Schema | None:
    """What the vocabulary says of a path; None where it knows nothing of it."""
    root = schemas.load(name)
    schema: Schema | None = root
    for step in path:
        if schema is None:
            return None
        schema = _child(resolved(schema, root), step)
    return resolved(schema, root) if schema is not None else None


def resolved(schema: Schema, root: Schema) -> Schema:
    """With `$ref` followed; words beside the reference (title, description, default) win over its own."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target: Schema = root["$defs"][reference.rpartition("/")[2]]
    return {**target, **{word: value for word, value in schema.items() if word != "$ref"}}


def _child(schema: Schema, step: str | int) -> Schema | None:
    found: Schema | bool | None
    if isinstance(step, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(step) or schema.get("additionalProperties")
    return found if isinstance(found, dict) else None


def default_at(path: Path) -> Any:
    """The published default of an orchestrator key."""
    schema = schema_at(ORCHESTRATOR, path)
    if schema is None or "default" not in schema:
        raise LookupError(f"no default is published for {path}")
    return schema["default"]


def holds_secret(name: str, path: Path) -> bool:
    """Whether a secret may stand at this path or right below it; true where the vocabulary knows nothing."""
    schema = schema_at(name, path)
    if schema is None:
        return True
    root = schemas.load(name)
    below = (schema.get(word) for word in ("items", "additionalProperties"))
    nested = [resolved(part, root) for part in below if isinstance(part, dict)]
    return any(part.get("x-secret", False) for part in (schema, *nested))


@cache
def places_of(name: str) -> dict[str, tuple[str, ...]]:
    """Where each key may stand, by its name: for a key that is right but in the wrong place."""
    places: dict[str, list[str]] = {}
    root = schemas.load(name)
    for path, key in _keys(root, root, ""):
        places.setdefault(key, []).append(path)
    return {key: tuple(paths) for key, paths in places.items()}


def _keys(schema: Schema, root: Schema, prefix: str) -> Iterator[tuple[str, str]]:
    schema = resolved(schema, root)
    for key, below in schema.get("properties", {}).items():
        path = f"{prefix}.{key}" if prefix else key
        yield path, key
        yield from _keys(below, root, path)
    for word, label in (("additionalProperties", "NAME"), ("items", "ITEM")):
        if isinstance(schema.get(word), dict):
            yield from _keys(schema[word], root, f"{prefix}.{label}" if prefix else label)
