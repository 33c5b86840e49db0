"""The source lines of findings, as they may be shown: every value that could be secret is masked.

A value is shown only where the vocabulary knows its place and says that no secret stands there; under unknown
keys everything is masked, and of a file that is no YAML or JSON nothing is shown. Pure. Called by
`load` and the support bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.core.values import Diagnostic, Source
from reconciler.spec.documents import Library
from reconciler.spec.secrets import MASK
from reconciler.spec.tree import Scalar, walk
from reconciler.spec.vocabulary import MODELS, ORCHESTRATOR, holds_secret

_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line, and the column in it (from 1) that the finding is about."""

    text: str
    column: int


Excerpts = Mapping[Source, Excerpt]


def excerpts_of(found: Iterable[Diagnostic], library: Library) -> Excerpts:
    """The line of each finding's place, where it can be shown."""
    places = {diagnostic.source for diagnostic in found if diagnostic.source is not None}
    private = {file: _private(file, library) for file in {place.file for place in places}}
    excerpts = {place: _excerpt(place, private[place.file], library) for place in places}
    return {place: excerpt for place, excerpt in excerpts.items() if excerpt is not None}


def masked_text(file: str, library: Library) -> str:
    """A whole file as it may leave the machine. Of one that could not be read nothing is shown."""
    private = _private(file, library)
    count = library.texts.get(file, "").count("\n") + 1
    shown = (_excerpt(Source(file, number), private, library) for number in range(1, count + 1))
    return "\n".join("(not shown)" if line is None else line.text for line in shown) + "\n"


def _private(file: str, library: Library) -> dict[int, list[Scalar]]:
    """Values that are not to be shown, by every line they touch, the rightmost first."""
    document = library.documents.get(file)
    if document is None or document.root is None:
        return {}
    vocabulary = MODELS if file in library.models else ORCHESTRATOR
    lines: dict[int, list[Scalar]] = {}
    for path, node in walk(document.root):
        if isinstance(node, Scalar) and node.value is not None and holds_secret(vocabulary, path):
            for line in range(node.source.line, node.end.line + 1):
                lines.setdefault(line, []).append(node)
    for scalars in lines.values():
        scalars.sort(key=lambda node: (node.source.line, node.source.column), reverse=True)
    return lines


def _excerpt(place: Source, private: Mapping[int, list[Scalar]], library: Library) -> Excerpt | None:
    document = library.documents.get(place.file)
    if document is None or document.root is None:
        return None
    lines = library.texts[place.file].split("\n")
    if place.line > len(lines):
        return None
    text, column = lines[place.line - 1].rstrip("\r"), place.column
    for scalar in private.get(place.line, ()):
        start = scalar.source.column - 1 if place.line == scalar.source.line else 0
        stop = scalar.end.column - 1 if place.line == scalar.end.line else len(text)
        if stop <= start:
            continue
        if column > stop:
            column += len(MASK) - (stop - start)
        text = text[:start] + MASK + text[stop:]
    return Excerpt(text, column) if len(text) <= _LONGEST else None
