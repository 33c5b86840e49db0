"""One violation of the JSON Schema at a time, turned into sentences: a table from keyword to words.

Pure. Called by `grammar`, which decides what is told. Values that may be secret are masked here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from jsonschema.exceptions import ValidationError

from reconciler.core.values import Diagnostic, Severity, Source
from reconciler.spec.hints import explain, nearest
from reconciler.spec.secrets import MASK
from reconciler.spec.sentences import clipped, error, example_of, examples_of, rule_of, warning
from reconciler.spec.tree import Node, Path, Scalar, dotted, find, key_at
from reconciler.spec.vocabulary import Schema, holds_secret, places_of, schema_at

_TYPES: Final = {
    "object": "a map",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_SPOKEN_TRUTH: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_WORDS_ONLY: Final = re.compile(r"\^\(?([a-z-]+(?:\|[a-z-]+)*)\)?\$")


class Fault(Enum):
    """What has to happen to the tree for the fault to go away."""

    UNKNOWN_KEY = auto()
    MISSING_KEY = auto()
    BAD_KEY = auto()
    BAD_VALUE = auto()


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic with the path it is about. `meant` is the path that an unknown key was meant to be."""

    path: Path
    fault: Fault
    diagnostic: Diagnostic
    meant: Path | None = None


def translate(found: ValidationError, root: Node, name: str, unknown: Severity) -> Iterator[Problem]:
    """The problems that one jsonschema error stands for."""
    violation = _Violation(found, root, name, unknown)
    yield from _TRANSLATORS.get(str(found.validator), _translate_bound)(violation)


class _Violation:
    """One jsonschema error with what is needed to explain it."""

    def __init__(self, found: ValidationError, root: Node, name: str, unknown: Severity) -> None:
        self.path: Path = tuple(found.absolute_path)
        self.value: Any = found.instance
        self.keyword = str(found.validator)
        self.rule: Any = found.validator_value
        self.schema: Schema = found.schema if isinstance(found.schema, dict) else {}
        self.about_key = "propertyNames" in found.absolute_schema_path
        self.unknown = unknown
        self.name = name
        self.described = schema_at(name, self.path) or self.schema
        self._root = root
        self._node = find(root, self.path)

    @property
    def source(self) -> Source:
        return (self._node or self._root).source

    def key_source(self, key: str) -> Source:
        found = key_at(self._root, (*self.path, key))
        return found.source if found is not None else self.source

    @property
    def raw(self) -> str:
        """A scalar as written; `1e3` stays `1e3`."""
        return self._node.raw if isinstance(self._node, Scalar) else str(self.value)

    @property
    def label(self) -> str:
        return dotted(self.path) or "the file"

    @property
    def under(self) -> str:
        return f" under {dotted(self.path)}" if self.path else ""

    @property
    def shown(self) -> str:
        if holds_secret(self.name, self.path):
            return MASK
        if isinstance(self.value, dict | list):
            return "a map" if isinstance(self.value, dict) else "a list"
        if self.value is None:
            return "nothing"
        return clipped(self.value) if isinstance(self.value, str) else self.raw

    def tell(self, why: str, instead: str) -> Problem:
        rule, instead = rule_of(self.described), instead or examples_of(self.described)
        found = error(f"{self.label}: {why}", rule=rule, instead=instead, source=self.source)
        return Problem(self.path, Fault.BAD_VALUE, found)


def _translate_unknown(violation: _Violation) -> Iterator[Problem]:
    known = list(violation.schema.get("properties", {}))
    for key in violation.value:
        if key in known:
            continue
        near = nearest(key, known)
        elsewhere = sorted(places_of(violation.name).get(key, ()), key=len)[:3]
        sentence = error if violation.unknown is Severity.ERROR else warning
        found = sentence(
            f"unknown key {clipped(key)}{violation.under}",
            rule=f"the keys{violation.under or ' here'} are {', '.join(known)}",
            instead=near or " or ".join(elsewhere) or "one of these, or nothing",
            source=violation.key_source(key),
        )
        meant = (*violation.path, near) if near and near not in violation.value else None
        yield Problem((*violation.path, key), Fault.UNKNOWN_KEY, found, meant)


def _translate_required(violation: _Violation) -> Iterator[Problem]:
    for key in violation.rule:
        if key in violation.value:
            continue
        path = (*violation.path, key)
        below = schema_at(violation.name, path) or {}
        found = error(
            f"{violation.label}: {key!r} is missing",
            rule=rule_of(below),
            instead=f"{key}: {example_of(below)}",
            source=violation.key_source("name") if "name" in violation.value else violation.source,
        )
        yield Problem(path, Fault.MISSING_KEY, found)


def _translate_type(violation: _Violation) -> Iterator[Problem]:
    wanted: list[str] = violation.rule if isinstance(violation.rule, list) else [violation.rule]
    is_scalar = not isinstance(violation.value, dict | list | None)
    unit = violation.described.get("x-unit")
    if "string" in wanted and is_scalar and unit is not None:
        why, instead = explain(unit, violation.raw)
        yield violation.tell(f"{violation.shown} {why}", instead)
        return
    names = " or ".join(_TYPES.get(name, name) for name in wanted)
    instead = _right_type(violation, wanted, is_scalar=is_scalar)
    yield violation.tell(f"{violation.shown} is not {names}", instead)


def _right_type(violation: _Violation, wanted: list[str], *, is_scalar: bool) -> str:
    """How the same value would have the wanted type, where that is plain to see."""
    is_secret = holds_secret(violation.name, violation.path)
    if wanted == ["boolean"]:
        return _SPOKEN_TRUTH.get(violation.raw.lower(), "true or false")
    if "string" in wanted and is_scalar and not is_secret:
        return f'"{violation.raw}" (in quotes)'
    if "integer" in wanted and is_scalar and re.fullmatch(r"[0-9]+(\.0)?", violation.raw):
        return f"{violation.raw.partition('.')[0]} (without quotes or point)"
    if wanted == ["array"] and is_scalar and not is_secret:
        return f"[{violation.raw}]"
    if "object" in wanted and "properties" in violation.described:
        return f"a map with the keys {', '.join(violation.described['properties'])}"
    return ""


def _translate_enum(violation: _Violation) -> Iterator[Problem]:
    known = [str(value) for value in violation.rule]
    others = ", ".join(known)
    instead = nearest(violation.raw, known) or f"one of {others}"
    yield violation.tell(f"{violation.shown} is not one of {others}", instead)


def _translate_const(violation: _Violation) -> Iterator[Problem]:
    yield violation.tell(f"{violation.shown} is not known", str(violation.rule))


def _translate_pattern(violation: _Violation) -> Iterator[Problem]:
    if violation.about_key:
        key = str(violation.value)
        rule, instead = rule_of(violation.schema), examples_of(violation.schema)
        summary = f"{violation.label}: {clipped(key)} is not a name"
        found = error(summary, rule=rule, instead=instead, source=violation.key_source(key))
        yield Problem((*violation.path, key), Fault.BAD_KEY, found)
    elif words := _WORDS_ONLY.fullmatch(violation.rule):
        known, kinds = words[1].split("|"), violation.described.get("type", ())
        choice = " or ".join(known + [_TYPES[kind] for kind in kinds if kind in {"object", "integer"}])
        instead = nearest(violation.value, known) or choice
        yield violation.tell(f"{violation.shown} is not {choice}", instead)
    else:
        why, instead = explain(violation.described.get("x-unit", ""), violation.value)
        yield violation.tell(f"{violation.shown} {why}", instead)


def _translate_bound(violation: _Violation) -> Iterator[Problem]:
    count = len(violation.value) if isinstance(violation.value, list | str | dict) else 0
    words = {
        "minimum": f"{violation.shown} is less than {violation.rule}",
        "maximum": f"{violation.shown} is more than {violation.rule}",
        "minItems": "the list is empty",
        "maxItems": f"the list has {count} items, {violation.rule} at most",
        "minLength": "the text is empty",
        "maxLength": f"the text has {count} characters, {violation.rule} at most",
        "uniqueItems": "an item stands twice in the list",
    }
    bounds = {"minimum": f"{violation.rule} or more", "maximum": f"{violation.rule} or less"}
    why = words.get(violation.keyword, f"{violation.shown} is not valid here")
    yield violation.tell(why, bounds.get(violation.keyword, ""))


_TRANSLATORS: Final[Mapping[str, Callable[[_Violation], Iterator[Problem]]]] = {
    "additionalProperties": _translate_unknown,
    "required": _translate_required,
    "type": _translate_type,
    "enum": _translate_enum,
    "const": _translate_const,
    "pattern": _translate_pattern,
}
