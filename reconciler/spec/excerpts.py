"""The source lines of findings, as they may be shown: every value that could be secret is masked.

A text is shown only where the vocabulary knows its place and says that no secret stands there. All else is
masked: under unknown keys, second values of a key, comments; of a file that is no YAML or JSON nothing is
shown. Pure. Called by `load` and the support bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from reconciler.core.errors import Excerpt
from reconciler.core.values import Diagnostic, Source
from reconciler.spec.documents import Library
from reconciler.spec.models import fold_keys
from reconciler.spec.secrets import MASK
from reconciler.spec.tree import Mapped, Scalar, walk
from reconciler.spec.vocabulary import MODELS, ORCHESTRATOR, holds_secret, schema_at

_LONGEST: Final = 200
_Span = tuple[int, int, bool]
"""Columns from 0, the end not included, and whether the text between may be shown."""
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*")
_ITEMS: Final = re.compile(r"\s*(?:- +)*")
_WORDS: Final = re.compile(r"[^\s{}\[\],:]+(?:[^{}\[\],:]*[^\s{}\[\],:])?")


Excerpts = Mapping[Source, Excerpt]


def excerpts_of(found: Iterable[Diagnostic], library: Library) -> Excerpts:
    """The line of each finding's place, where it can be shown."""
    places = {diagnostic.source for diagnostic in found if diagnostic.source is not None}
    files = {place.file for place in places}
    known = {file: _known(file, library) for file in files}
    lines = {file: _readable(file, library) for file in files}
    excerpts = {place: _excerpt(place, known[place.file], lines[place.file]) for place in places}
    return {place: excerpt for place, excerpt in excerpts.items() if excerpt is not None}


def masked_text(file: str, library: Library) -> str:
    """A whole file as it may leave the machine. Of one that could not be read nothing is shown."""
    known, lines = _known(file, library), _readable(file, library)
    shown = (_excerpt(Source(file, number), known, lines) for number in range(1, len(lines) + 1))
    return "\n".join("(not shown)" if line is None else line.text for line in shown) + "\n"


def _readable(file: str, library: Library) -> list[str]:
    """The lines of a file whose content is known; of any other file none."""
    document = library.documents.get(file)
    if document is None or document.root is None:
        return []
    return library.texts[file].replace("\r\n", "\n").split("\n")


def _known(file: str, library: Library) -> dict[int, list[_Span]]:
    """The keys and values of each line, from left to right."""
    document = library.documents.get(file)
    if document is None or document.root is None:
        return {}
    vocabulary = MODELS if file in library.models else ORCHESTRATOR
    root = fold_keys(document.root) if vocabulary == MODELS else document.root
    spans: dict[int, set[_Span]] = {}
    for path, node in walk(root):
        scalars = [node] if isinstance(node, Scalar) else []
        is_public = not holds_secret(vocabulary, path)
        if isinstance(node, Mapped):
            scalars = [entry.key for entry in node.entries.values()]
            is_public = not path or schema_at(vocabulary, path) is not None
        for scalar in scalars:
            if scalar.source.line == scalar.end.line:
                span = scalar.source.column - 1, scalar.end.column - 1, is_public
                spans.setdefault(scalar.source.line, set()).add(span)
    return {line: sorted(each) for line, each in spans.items()}


def _excerpt(place: Source, known: Mapping[int, list[_Span]], lines: list[str]) -> Excerpt | None:
    if place.line > len(lines):
        return None
    line, shown, column, at = lines[place.line - 1], "", place.column, 0
    for start, end, is_public in [*known.get(place.line, ()), (len(line), len(line), True)]:
        if start < at:  # an alias: the same text again
            continue
        if at < place.column <= start:
            column = len(shown) + len(_masked(line[at : place.column - 1])) + 1
        shown += _masked(line[at:start])
        if start < place.column <= end:
            column = len(shown) + (place.column - start if is_public else 1)
        shown += line[start:end] if is_public or start == end else MASK
        at = end
    return Excerpt(shown.rstrip(), column) if len(shown) <= _LONGEST else None


def _masked(gap: str) -> str:
    """What stands between known texts: punctuation stays, comments go, anything else is masked."""
    bare = _COMMENT.sub("", gap)
    items = _ITEMS.match(bare)
    lead = items[0] if items else ""
    return lead + _WORDS.sub(MASK, bare[len(lead) :])
