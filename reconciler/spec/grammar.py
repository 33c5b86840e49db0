"""A tree against the vocabulary: every violation with place, rule and what to write instead.

jsonschema finds the violations, `violations` finds the words. Several of one cause become one: a misspelt key
is not also a missing key, a value is complained about once. Also what no schema can say: amounts that cannot
be read exactly, and references where nothing resolves them. Pure. Called by `load`, before `rules`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

import schemas
from reconciler.core.values import Severity
from reconciler.spec.hints import explain, is_read
from reconciler.spec.secrets import has_reference
from reconciler.spec.sentences import clipped, error, example_of, examples_of, rule_of
from reconciler.spec.tree import Node, Path, Scalar, dotted, plain, walk
from reconciler.spec.violations import Fault, Problem, translate
from reconciler.spec.vocabulary import Schema, schema_at

_WELL_FORMED: Final = re.compile(r"\$\{(?:env|file):[^{}$]+\}")
_ORDER: Final = {"additionalProperties": 0, "type": 1, "required": 3}


def check_tree(root: Node, name: str, unknown: Severity = Severity.ERROR) -> list[Problem]:
    """All problems with the vocabulary `name`, one for each path. Unknown keys weigh `unknown`."""
    found = {problem.path: problem for problem in _check_scalars(root, name)}
    misspelt: set[Path] = set()
    for violation in sorted(_validator(name).iter_errors(plain(root)), key=_order):
        for problem in translate(violation, root, name, unknown):
            if problem.meant is not None:
                misspelt.add(problem.meant)
            if problem.path not in misspelt:
                found.setdefault(problem.path, problem)
    return list(found.values())


def is_valid(root: Node, name: str) -> bool:
    return bool(_validator(name).is_valid(plain(root)))


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schemas.load(name))


def _order(violation: ValidationError) -> int:
    """Unknown keys first: they explain missing ones."""
    return _ORDER.get(str(violation.validator), 2)


def _check_scalars(root: Node, name: str) -> Iterator[Problem]:
    for path, node in walk(root):
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            continue
        schema = schema_at(name, path)
        if schema is None:
            continue
        if "${" in node.value:
            yield from _check_reference(path, node, schema)
        else:
            yield from _check_amount(path, node, schema)


def _check_reference(path: Path, node: Scalar, schema: Schema) -> Iterator[Problem]:
    """References where nothing resolves them, and references with a slip of the pen."""
    text, is_secret = str(node.value), bool(schema.get("x-secret"))
    if has_reference(text) and not is_secret:
        found = error(
            f"{dotted(path)}: a reference is not read here",
            rule="references stand where secrets do",
            instead=f"the value itself, such as {example_of(schema)}",
            source=node.source,
        )
        yield Problem(path, Fault.BAD_VALUE, found)
    _, instead = explain("secret", text)
    if is_secret and text.count("${") != len(_WELL_FORMED.findall(text)):
        found = error(
            f"{dotted(path)}: a reference has the wrong form",
            rule="references name an environment variable or a file",
            instead=instead if re.fullmatch(r"\$\{\w+\}", text) else '"${env:NAME}" or "${file:PATH}"',
            source=node.source,
        )
        yield Problem(path, Fault.BAD_VALUE, found)


def _check_amount(path: Path, node: Scalar, schema: Schema) -> Iterator[Problem]:
    """Amounts that have the right form and still are none: `0.5 wei`, `1 wei / 0 pixels`."""
    unit, text = schema.get("x-unit", ""), str(node.value)
    if is_read(unit, text) or not re.search(schema.get("pattern", ""), text):
        return
    why, instead = explain(unit, text)
    rule, instead = rule_of(schema), instead or examples_of(schema)
    summary = f"{dotted(path)}: {clipped(text)} {why}"
    yield Problem(path, Fault.BAD_VALUE, error(summary, rule=rule, instead=instead, source=node.source))
