"""Settings as targets: the table of fields, and what was seen of them.

One target per field, and per entry where a field is a map (workers, gateways, limits). The table is
explicit and a test holds it against the published schema's impact classes. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from reconciler.core.values import Json, TargetId
from reconciler.serving.spec import Document
from reconciler.serving.status import RuntimeStatus
from reconciler.serving.wish import Surroundings

Path = tuple[str, ...]

FIELDS: Mapping[str, Path] = {
    "runtime.log": ("log",),
    "runtime.serviceURI": ("service", "uri"),
    "runtime.admission": ("service", "admission"),
    "runtime.sessions": ("video", "sessions"),
    "runtime.preset": ("video", "preset"),
    "runtime.pricing.video": ("pricing", "video"),
}
"""Fields that are one target each."""

MAPS: Mapping[str, Path] = {
    "runtime.workers": ("video", "workers"),
    "runtime.gateways": ("gateways",),
    "runtime.limits": ("limits",),
}
"""Fields whose every entry is a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The value at one place of a document."""

    target: TargetId
    path: Path
    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsObserved:
    """What the runtime that serves has accepted. `process` is its generation; None: there is no runtime."""

    process: int | None
    document: Document
    status: RuntimeStatus
    surroundings: Surroundings


def settings_of(document: Document) -> dict[TargetId, Setting]:
    """Every setting of a document, in the table's order."""
    found = [_setting(target, path, value_at(document, path)) for target, path in FIELDS.items()]
    for target, path in MAPS.items():
        entries = cast("dict[str, Json]", value_at(document, path) or {})
        found += [_setting(f"{target}.{name}", (*path, name), entries[name]) for name in sorted(entries)]
    return {setting.target: setting for setting in found}


def value_at(document: Document, path: Path) -> Json:
    value: Json = document
    for part in path:
        value = cast("Document", value).get(part) if isinstance(value, dict) else None
    return value


def with_value(document: Document, path: Path, value: Json) -> Document:
    """A document with one place changed; the given one stays as it is."""
    name, rest = path[0], path[1:]
    if rest:
        inner = cast("Document", document.get(name) or {})
        return {**document, name: with_value(inner, rest, value)}
    return {**document, name: value}


def without_value(document: Document, path: Path) -> Document:
    """A document with one place gone; the given one stays as it is."""
    name, rest = path[0], path[1:]
    if rest:
        inner = cast("Document", document.get(name) or {})
        return {**document, name: without_value(inner, rest)}
    return {key: value for key, value in document.items() if key != name}


def _setting(target: str, path: Path, value: Json) -> Setting:
    return Setting(target=TargetId(target), path=path, value=value)
