"""The document that this runtime has accepted, and how a newer one takes its place.

A document is taken whole or not at all: older generations, invalid ones and those that change what only a new
process can be are refused with reasons, and nothing has happened. Once taken, `spec` is the new one for
everything that starts from then on. Everyone else reads; only the control API and start-up write.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.spec import RuntimeSpec, SpecRefused, changes_that_need_a_new_process, parse_spec

Listener = Callable[[RuntimeSpec, RuntimeSpec], None]


class OlderGeneration(Exception):
    """Raised when a document is older than the accepted one, or another one of the same generation."""

    def __init__(self, accepted: int) -> None:
        super().__init__(f"generation {accepted} is accepted already")
        self.accepted = accepted


class Accepted:
    def __init__(self, spec: RuntimeSpec) -> None:
        self._spec = spec
        self._listeners: list[Listener] = []

    @property
    def spec(self) -> RuntimeSpec:
        return self._spec

    def on_change(self, listener: Listener) -> None:
        """Call `listener(old, new)` after each change, in order of registration. It must not fail."""
        self._listeners.append(listener)

    def take(self, document: object) -> RuntimeSpec:
        """Make `document` the accepted one. Taking the same one again changes nothing."""
        new, old = parse_spec(document), self._spec
        if new.digest == old.digest:
            return old
        if new.generation <= old.generation:
            raise OlderGeneration(old.generation)
        reasons = changes_that_need_a_new_process(old.document, new.document)
        if reasons:
            raise SpecRefused(reasons)
        self._spec = new
        for listener in self._listeners:
            listener(old, new)
        return new
