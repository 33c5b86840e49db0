"""JSON text to the same trees as YAML, with every place kept: for aiModels.json.

RFC 8259, strictly (no comments, no trailing commas, no duplicate keys): go-livepeer reads the same file.
Numbers with a point or an exponent are exact decimals; `1.0` is not a whole number here, as it is not there.
Depth and exponents are bounded. Called by `documents`; it opens no file.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from decimal import Decimal
from typing import Final

from reconciler.core.values import Diagnostic, Severity, Source
from reconciler.spec.tree import Document, Entry, Mapped, Node, Scalar, Sequence

MOST_DEPTH: Final = 64
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_WORD: Final = re.compile(
    r"-?(?:0|[1-9][0-9]{0,59})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?(?![0-9.eE+-])|[A-Za-z]+"
)
_NAMES: Final = {"true": True, "false": False, "null": None}


class _Fatal(Exception):
    """Raised at the first thing that is not JSON."""

    def __init__(self, at: int, problem: str, instead: str) -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem
        self.instead = instead


def read_json(text: str, file: str) -> tuple[Document, tuple[Diagnostic, ...]]:
    """The document, and what is wrong with it. After a syntax error the document is empty."""
    reader = _Reader(text, file)
    try:
        root = reader.whole()
    except _Fatal as error:
        detail = f"rule: JSON (RFC 8259)\nwrite instead: {error.instead}"
        found = Diagnostic(Severity.ERROR, f"not JSON: {error.problem}", detail, reader.place(error.at))
        return Document(file, None), (*reader.found, found)
    return Document(file, root), tuple(reader.found)


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.found: list[Diagnostic] = []
        self._text = text
        self._file = file
        self._at = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, at: int) -> Source:
        line = bisect_right(self._lines, at)
        return Source(self._file, line, at - self._lines[line - 1] + 1)

    def whole(self) -> Node:
        root = self._value(0)
        self._skip()
        if self._at < len(self._text):
            raise _Fatal(self._at, "text after the end of the value", "one value in a file")
        return root

    def _skip(self) -> str:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def _value(self, depth: int) -> Node:
        if depth > MOST_DEPTH:
            raise _Fatal(self._at, "nested too deeply", f"{MOST_DEPTH} levels at most")
        match self._skip():
            case "{":
                return self._map(depth)
            case "[":
                return self._sequence(depth)
            case '"':
                return self._string()
            case "":
                raise _Fatal(self._at, "the text ends too early", "close every bracket, brace and quote")
            case _:
                return self._word()

    def _string(self) -> Scalar:
        match = _STRING.match(self._text, self._at)
        if match is None:
            raise _Fatal(
                self._at, "a text that does not end or has a bad escape", "close the quote on its line"
            )
        value: str = json.loads(match[0])
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise _Fatal(self._at, "half of a surrogate pair", "both halves of the pair")
        return self._scalar(match, value, value)

    def _word(self) -> Scalar:
        match = _WORD.match(self._text, self._at)
        if match is None:
            instead = "remove the comment" if self._text[self._at] in "/#" else 'a value; quote texts with "'
            raise _Fatal(self._at, f"unexpected {self._text[self._at]!r}", instead)
        word = match[0]
        if word[0].isalpha():
            if word not in _NAMES:
                raise _Fatal(self._at, "a word without quotes", "true, false, null, or a text in quotes")
            return self._scalar(match, _NAMES[word], word)
        return self._scalar(match, Decimal(word) if match[1] or match[2] else int(word), word)

    def _scalar(self, match: re.Match[str], value: str | int | Decimal | bool | None, raw: str) -> Scalar:
        self._at = match.end()
        return Scalar(value, raw, self.place(match.start()), self.place(match.end()))

    def _sequence(self, depth: int) -> Sequence:
        start, items = self._at, list[Node]()
        self._at += 1
        if self._skip() != "]":
            items.append(self._value(depth + 1))
            while self._more("]"):
                items.append(self._value(depth + 1))
        self._at += 1
        return Sequence(tuple(items), self.place(start))

    def _map(self, depth: int) -> Mapped:
        start, entries = self._at, dict[str, Entry]()
        self._at += 1
        if self._skip() != "}":
            self._pair(entries, depth)
            while self._more("}"):
                self._pair(entries, depth)
        self._at += 1
        return Mapped(entries, self.place(start))

    def _more(self, close: str) -> bool:
        follows = self._skip()
        if follows == close:
            return False
        if follows != ",":
            raise _Fatal(self._at, f"no comma and no {close!r}", "part the items with a comma")
        comma = self._at
        self._at += 1
        if self._skip() == close:
            raise _Fatal(comma, "a comma after the last item", "remove the comma")
        return True

    def _pair(self, entries: dict[str, Entry], depth: int) -> None:
        if self._skip() != '"':
            raise _Fatal(self._at, "a key without quotes", 'the key in double quotes: "pipeline"')
        key = self._string()
        if self._skip() != ":":
            raise _Fatal(self._at, f"no colon after the key {key.raw[:40]!r}", "a colon and a value")
        self._at += 1
        value = self._value(depth + 1)
        if key.raw in entries:
            where = f"the first is on line {entries[key.raw].key.source.line}"
            detail = f"rule: a key stands once in an object\nwrite instead: one of them; {where}"
            found = Diagnostic(Severity.ERROR, f"duplicate key {key.raw!r}", detail, key.source)
            self.found.append(found)
        else:
            entries[key.raw] = Entry(key, value)
