"""Puts a certificate in front of the edge: takes the declared one, or makes one.

A pair gets a name of its own content, key first and readable by this user only; then the one file that the
edge watches is replaced. So a crash leaves the old pair served or the new one, never a mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.core.clock import Clock
from reconciler.core.errors import Transient
from reconciler.core.values import Operation
from reconciler.resources.certificate.material import inspect, make
from reconciler.resources.certificate.observe import look, read_declared
from reconciler.resources.certificate.plan import precondition, reusable, wanted_names
from reconciler.resources.certificate.state import CertificateDesired, Pair, Unusable, chain_file, key_file
from reconciler.routes import parse_certificate, render_certificate, replace_file, serialize

_KEY_MODE = 0o600


@dataclass(frozen=True, slots=True)
class CertificateActor:
    """`Actor` of one node's certificate."""

    desired: CertificateDesired
    environment: Mapping[str, str]
    clock: Clock

    async def holds(self, operation: Operation) -> bool:
        return precondition(look(self.desired, self.environment)) == operation.precondition

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:  # noqa: ARG002 - quick
        pair = self._take() if operation.verb == "take" else self._make()
        self._point_to(pair)
        self._tidy(pair)
        return f"the edge shows {', '.join(pair.names) or 'a certificate without names'}"

    def _take(self) -> Pair:
        if self.desired.declared is None:
            raise Transient("no certificate is declared any more", next_step="plan again")
        pair, chain, key = read_declared(self.desired.declared, self.environment)
        if isinstance(pair, Unusable):
            raise Transient(f"the declared certificate cannot be used: {pair.problem}")
        self._write(pair, chain, key)
        return pair

    def _make(self) -> Pair:
        seen = look(self.desired, self.environment)
        now = self.clock.now()
        kept = reusable(self.desired, seen, now)
        if kept:
            return kept
        chain, key = make(wanted_names(self.desired, seen), now)
        pair = inspect(chain, key, made_here=True)
        if isinstance(pair, Unusable):
            raise Transient(f"the certificate made just now cannot be used: {pair.problem}")
        self._write(pair, chain, key)
        return pair

    def _write(self, pair: Pair, chain: bytes, key: bytes) -> None:
        self.desired.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = chain_file(self.desired.directory, pair)
        replace_file(key_file(path), key if key.endswith(b"\n") else key + b"\n", _KEY_MODE)
        replace_file(path, chain)

    def _point_to(self, pair: Pair) -> None:
        chain = chain_file(self.desired.directory, pair)
        replace_file(self.desired.reference, serialize(render_certificate(chain, key_file(chain))))

    def _tidy(self, served: Pair) -> None:
        """Copies of earlier declared pairs go; what was made here stays."""
        keep = parse_certificate(self.desired.reference.read_bytes())
        for path in self.desired.directory.glob("declared-*"):
            if path not in keep:
                path.unlink(missing_ok=True)
        if served.made_here:
            for path in self.desired.directory.glob("self-made-*"):
                if path not in keep:
                    path.unlink(missing_ok=True)
