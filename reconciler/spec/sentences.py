"""Diagnostics in one form: what is wrong, the rule behind it, what to write instead. Pure.

Every finding about a declaration is made here, so all of them read alike. Callers pass only texts that may be
shown: no secret gets here. Called by the checks and the rules.
"""

from __future__ import annotations

import json
from typing import Any, Final

from reconciler.core.values import Diagnostic, Severity, Source
from reconciler.spec.vocabulary import Schema

_LONGEST_SHOWN: Final = 60


def error(summary: str, *, rule: str, instead: str, source: Source | None) -> Diagnostic:
    return Diagnostic(Severity.ERROR, summary, _detail(rule, instead), source)


def warning(summary: str, *, rule: str, instead: str, source: Source | None) -> Diagnostic:
    return Diagnostic(Severity.WARNING, summary, _detail(rule, instead), source)


def _detail(rule: str, instead: str) -> str:
    return f"rule: {rule}" + (f"\nwrite instead: {instead}" if instead else "")


def rule_of(schema: Schema) -> str:
    """The vocabulary's own words on what stands at a place."""
    return str(schema.get("description", "as the schema says")).rstrip(".")


def example_of(schema: Schema) -> str:
    """One value that may stand at a place, as one would write it."""
    if schema.get("x-unit") == "address":
        return "0x and 40 hexadecimal digits"
    for word in ("examples", "enum"):
        if schema.get(word):
            return written(schema[word][0])
    return written(schema.get("default", "…"))


def examples_of(schema: Schema) -> str:
    """Up to two values that may stand at a place."""
    values = schema.get("examples", [])[:2]
    return " or ".join(dict.fromkeys(example_of({**schema, "examples": [value]}) for value in values))


def written(value: Any) -> str:
    """A value as YAML takes it on one line."""
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False)
    return f'"{value}"' if isinstance(value, str) and value[:1] in "$<-" else str(value)


def clipped(text: str) -> str:
    """A text in quotes, cut where it is long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")
