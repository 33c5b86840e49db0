"""References to secrets, and secrets themselves, in types whose every text form is masked.

A declaration holds references only: `${env:NAME}` and `${file:PATH}`, alone or inside a text. Whoever needs
the value calls `resolve` and gets a `Secret`; only `reveal` takes the mask off. Nothing here logs or caches.
Called by the reader (parsing) and by the few kinds that hand a secret on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from reconciler.core.errors import OperatorError

MASK: Final = "(sensitive)"
_REFERENCE: Final = re.compile(r"\$\{(env|file):([^{}$]+)\}")
_MOST_BYTES: Final = 64 * 1024


class UnresolvedReference(OperatorError):
    """Raised when a reference leads nowhere; the message names the reference, never a value."""

    exit_code = 78


class ReferenceKind(StrEnum):
    ENV = "env"
    FILE = "file"


class Secret:
    """A resolved secret. `str`, `repr` and formatting show a mask; JSON refuses it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not stored")


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """Where a secret is. A relative file name counts from `base`, the directory of the declaring file."""

    kind: ReferenceKind
    name: str
    base: Path

    @property
    def written(self) -> str:
        """As it stands in the file; names a place, not a value."""
        return f"${{{self.kind}:{self.name}}}"

    def path(self, root: Path | None = None) -> Path:
        """The file meant by a file reference."""
        return (root or self.base) / self.name

    def resolve(self, environment: Mapping[str, str], root: Path | None = None) -> Secret:
        """The value now. Raises `UnresolvedReference` where it is missing, empty or above 64 KiB."""
        match self.kind:
            case ReferenceKind.ENV:
                value = environment.get(self.name, "")
            case ReferenceKind.FILE:
                value = self._read(self.path(root))
        if not value:
            raise UnresolvedReference(f"{self.written} is empty or not set")
        return Secret(value)

    def _read(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
            text = content.decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UnresolvedReference(f"{self.written} cannot be read: {reason}") from error
        if len(content) > _MOST_BYTES:
            raise UnresolvedReference(f"{self.written} is larger than {_MOST_BYTES // 1024} KiB")
        return text.removesuffix("\n").removesuffix("\r")

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK


@dataclass(frozen=True, slots=True, repr=False)
class Template:
    """A text that holds references: `wss://node.example/${env:KEY}`. Masked as a whole."""

    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(part for part in self.parts if isinstance(part, Reference))

    @property
    def written(self) -> str:
        """The text as declared, with the references unresolved. It may hold clear text: not for output."""
        return "".join(part.written if isinstance(part, Reference) else part for part in self.parts)

    def resolve(self, environment: Mapping[str, str], root: Path | None = None) -> Secret:
        """The whole text with every reference replaced by its value now."""
        return Secret(
            "".join(
                part.resolve(environment, root).reveal() if isinstance(part, Reference) else part
                for part in self.parts
            )
        )

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK


def has_reference(text: str) -> bool:
    return _REFERENCE.search(text) is not None


def parse_template(text: str, base: Path) -> Template:
    """Split a declared text at its references. A text without one is a template of one clear part."""
    parts: list[str | Reference] = []
    position = 0
    for match in _REFERENCE.finditer(text):
        if match.start() > position:
            parts.append(text[position : match.start()])
        parts.append(Reference(ReferenceKind(match[1]), match[2].strip(), base))
        position = match.end()
    if position < len(text) or not parts:
        parts.append(text[position:])
    return Template(tuple(parts))
