"""YAML text to a tree: the sane part of YAML, strictly, with every place kept.

Built on libyaml's events, so depth and size are bounded before anything is built. Plain words follow YAML
1.2: only `true`/`false` are truth values (`no`, `on` and `off` stay words), `0x…`, `1:30` and dates stay
text. Refused: duplicate keys, tags, several documents, keys that are not words, aliases without bounds.
Called by `documents`; it opens no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

import yaml

from reconciler.core.values import Diagnostic, Severity, Source
from reconciler.spec.tree import Document, Entry, Mapped, Node, Scalar, Sequence

MOST_DEPTH: Final = 64
MOST_NODES: Final = 200_000
_INTEGER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,59})")
_DECIMAL: Final = re.compile(r"[+-]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][+-]?[0-9]{1,2})?")
_LEADING_ZERO: Final = re.compile(r"[+-]?0[0-9]")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_ADVICE: Final = (
    ("tab character", "indent with spaces"),
    ("that cannot start any token", "indent with spaces; quote texts that begin with @, ` or a tab"),
    ("mapping values are not allowed", "check the indentation, or quote a text that contains ': '"),
    ("undefined alias", "define the anchor (&name) above, or quote a text that begins with *"),
    ("did not find expected key", "check the indentation and the quotes of the lines just above"),
    ("did not find expected ',' or", "close the bracket or brace, and part the items with commas"),
    ("unexpected end of stream", "close the quote"),
    ("unknown escape", "use single quotes where a text contains a backslash"),
)


class _Mark(Protocol):
    line: int
    column: int


class _Fatal(Exception):
    """Raised when reading cannot go on."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.summary)
        self.diagnostic = diagnostic


def read_yaml(text: str, file: str) -> tuple[Document, tuple[Diagnostic, ...]]:
    """The document, and what is wrong with it. After a syntax error the document is empty."""
    composer = _Composer(file)
    try:
        root = composer.compose(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        return Document(file, None), (*composer.found, _syntax(error, file))
    except yaml.YAMLError as error:
        return Document(file, None), (*composer.found, _unreadable(error, text, file))
    except _Fatal as error:
        return Document(file, None), (*composer.found, error.diagnostic)
    return Document(file, root), tuple(composer.found)


def _syntax(error: yaml.MarkedYAMLError, file: str) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "cannot be read"
    advice = next((text for part, text in _ADVICE if part in problem), "check quotes, colons and indentation")
    context = f"rule: YAML syntax, {error.context}\n" if error.context else "rule: YAML syntax\n"
    source = Source(file, mark.line + 1, mark.column + 1) if mark else Source(file, 1)
    return Diagnostic(Severity.ERROR, f"not YAML: {problem}", f"{context}write instead: {advice}", source)


def _unreadable(error: yaml.YAMLError, text: str, file: str) -> Diagnostic:
    at = getattr(error, "position", 0)
    before = text[: at if isinstance(at, int) else 0]
    source = Source(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    detail = "rule: a file is UTF-8 text without control characters\nwrite instead: remove the character"
    return Diagnostic(Severity.ERROR, "not YAML: a character that text cannot hold", detail, source)


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    nodes: int
    height: int


class _Composer:
    """Builds the tree from events; `found` collects what is wrong but leaves a tree."""

    def __init__(self, file: str) -> None:
        self.found: list[Diagnostic] = []
        self._file = file
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._deepest = 0

    def compose(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Fatal(
                        self._error(event, "a second document", "one document in a file", "remove '---'")
                    )
                root = self._node(next(events), events, 0)
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)  # noqa: S101 - libyaml's grammar
        self._check_depth(event, depth)
        if event.tag is not None and event.tag != "!":
            rule = "types follow from the text; tags are not used"
            self.found.append(self._error(event, f"tag {event.tag!r}", rule, "remove it, quote a text"))
        nodes_before, deepest_before, self._deepest = self._nodes, self._deepest, depth
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            node: Node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            node = self._map(event, events, depth)
        if event.anchor is not None:
            anchored = _Anchored(node, self._nodes - nodes_before, self._deepest - depth)
            self._anchors[event.anchor] = anchored
        self._deepest = max(self._deepest, deepest_before)
        return node

    def _check_depth(self, event: yaml.Event, depth: int) -> None:
        self._deepest = max(self._deepest, depth)
        if depth > MOST_DEPTH:
            raise _Fatal(
                self._error(event, "nested too deeply", f"{MOST_DEPTH} levels at most", "flatten it")
            )

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            rule = f"{MOST_NODES:,} values at most, aliases written out"
            raise _Fatal(self._error(event, "too many values", rule, "fewer aliases of aliases"))

    def _alias(self, event: yaml.AliasEvent, depth: int) -> Node:
        anchored = self._anchors.get(event.anchor or "")
        if anchored is None:
            rule = "an alias stands below the anchor it names, and not inside it"
            raise _Fatal(
                self._error(event, f"alias of {event.anchor!r}", rule, f"define &{event.anchor} above")
            )
        self._check_depth(event, depth + anchored.height)
        self._count(event, anchored.nodes)
        return anchored.node

    def _sequence(self, start: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return Sequence(tuple(items), self._place(start.start_mark))

    def _map(self, start: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Mapped:
        entries: dict[str, Entry] = {}
        shared: list[Node] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if not isinstance(key, Scalar):
                rule = "a key is a word"
                raise _Fatal(
                    self._error(event, "a list or map as a key", rule, "quote a text that begins with { or [")
                )
            if key.raw == "<<" and not isinstance(value, Scalar):
                shared.append(value)
            elif key.raw in entries:
                self.found.append(self._duplicate(key, entries[key.raw].key))
            else:
                entries[key.raw] = Entry(key, value)
        for node in shared:
            self._merge(node, entries)
        return Mapped(entries, self._place(start.start_mark))

    def _merge(self, node: Node, entries: dict[str, Entry]) -> None:
        for part in node.items if isinstance(node, Sequence) else (node,):
            if isinstance(part, Mapped):
                for name, entry in part.entries.items():
                    entries.setdefault(name, entry)

    def _duplicate(self, key: Scalar, first: Scalar) -> Diagnostic:
        where = f"the first is on line {first.source.line}"
        detail = f"rule: a key stands once in a map\nwrite instead: one of them; {where}"
        return Diagnostic(Severity.ERROR, f"duplicate key {key.raw!r}", detail, key.source)

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text: str = event.value
        value = read_plain(text) if event.implicit[0] and event.style in (None, "") else text
        return Scalar(value, text, self._place(event.start_mark), self._place(event.end_mark))

    def _place(self, mark: _Mark | None) -> Source:
        return Source(self._file, mark.line + 1, mark.column + 1) if mark else Source(self._file, 1)

    def _error(self, event: yaml.Event, summary: str, rule: str, instead: str) -> Diagnostic:
        detail = f"rule: {rule}\nwrite instead: {instead}"
        return Diagnostic(Severity.ERROR, summary, detail, self._place(event.start_mark))


def read_plain(text: str) -> str | int | Decimal | bool | None:
    """What an unquoted word means."""
    if text in _NULLS:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if text[0] in "+-.0123456789" and not _LEADING_ZERO.match(text):
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return Decimal(text)
    return text
