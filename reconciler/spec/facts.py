"""What a rule between fields gets: the declaration, where its values stand, which of them to trust. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.core.values import Diagnostic, Source
from reconciler.spec.declaration import Declaration
from reconciler.spec.mend import Mended


@dataclass(frozen=True, slots=True)
class Facts:
    """`declaration` may hold examples in place of faults: `intact` says of which paths it does not."""

    declaration: Declaration
    mended: Mended

    def intact(self, *paths: str) -> bool:
        return self.mended.intact(*paths)

    def at(self, path: str) -> Source | None:
        return self.declaration.source(path)


Rule = Callable[[Facts], Iterator[Diagnostic]]
