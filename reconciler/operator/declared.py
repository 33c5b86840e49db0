"""The declared state as a long-running operator holds it: read again at will, the last good one kept.

`load` is what the loop calls when files change. What cannot change under a running operator (where its data
lies) is refused with the way to do it. Secrets are known here only to take them out of the log.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from reconciler.core.errors import OperatorError, UsageError
from reconciler.core.node import Node
from reconciler.layout import Layout
from reconciler.operator.assembly import build_acting, layout_of, load_declaration
from reconciler.report.redaction import redact
from reconciler.spec.declaration import Declaration, Endpoint
from reconciler.spec.secrets import Reference, ReferenceKind, Template

_SHORTEST_LINE = 16


@dataclass(slots=True)
class DeclaredNode:
    """`load` first; the rest speaks about what it loaded last."""

    paths: tuple[Path, ...]
    _declaration: Declaration | None = None
    _secrets: frozenset[str] = frozenset()

    def load(self) -> Node:
        """Reads the files. Raises `ConfigError`; then what was loaded before stays."""
        declaration = load_declaration(self.paths)
        former = self._declaration
        if former is not None and layout_of(former) != layout_of(declaration):
            raise UsageError(
                f"{declaration.source('paths') or 'paths'}: paths cannot change under a running operator",
                next_step="`reconcile stop`, move the data, `reconcile run`",
            )
        node = build_acting(declaration, layout_of(declaration))
        self._declaration = declaration
        self._secrets = frozenset(known_secrets(declaration, os.environ))
        return node

    @property
    def declaration(self) -> Declaration:
        if self._declaration is None:
            raise OperatorError("nothing has been loaded yet")
        return self._declaration

    @property
    def layout(self) -> Layout:
        return layout_of(self.declaration)

    @property
    def log_level(self) -> str:
        return self.declaration.log.value

    @property
    def cli(self) -> Endpoint | None:
        service = self.declaration.service
        return service.listen.cli if service else None

    @property
    def metrics(self) -> Endpoint | None:
        service = self.declaration.service
        return service.listen.metrics if service else None

    @property
    def files(self) -> frozenset[Path]:
        """All that the declaration was read from, its certificate, and the files that secrets are in."""
        found = set(self.declaration.files)
        service = self.declaration.service
        if service and service.tls:
            found.add(service.tls.certificate)
        found |= {
            reference.path()
            for reference in references_in(self.declaration)
            if reference.kind is ReferenceKind.FILE
        }
        return frozenset(found)

    def redact(self, text: str) -> str:
        return redact(text, self._secrets)


def references_in(value: object) -> Iterator[Reference]:
    """Every reference to a secret in a declaration, wherever it stands."""
    if isinstance(value, Template):
        yield from value.references
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references_in(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from references_in(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from references_in(getattr(value, each.name))


def known_secrets(declaration: Declaration, environment: Mapping[str, str]) -> Iterator[str]:
    """The values of all references that lead somewhere now. For taking them out of text, nothing else."""
    for reference in references_in(declaration):
        yield from _values_of(reference, environment)


def secrets_in_files(files: Sequence[Path], environment: Mapping[str, str]) -> Iterator[str]:
    """The same from the files' text alone, for those that make no valid declaration."""
    from reconciler.spec.documents import Library, read_layers  # noqa: PLC0415
    from reconciler.spec.secrets import parse_template  # noqa: PLC0415

    library = Library()
    read_layers(files, library)
    for name, text in library.texts.items():
        for reference in parse_template(text, library.directories[name]).references:
            yield from _values_of(reference, environment)


def _values_of(reference: Reference, environment: Mapping[str, str]) -> Iterator[str]:
    """The value, and each of its lines that is long enough to be a secret by itself."""
    try:
        secret = reference.resolve(environment).reveal()
    except OperatorError:
        return
    yield secret
    yield from (line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE)
