"""Looks at certificates: the one the edge is told to show, the declared files, those made here earlier.

Changes nothing, keeps no key. A declared file that cannot be read is an observation (`Unusable`), not a
failure to look: the plan says what is wrong with it, and the served one stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.clock import Clock
from reconciler.core.values import Known, Observation, Unknown
from reconciler.resources.certificate.material import inspect
from reconciler.resources.certificate.state import (
    CertificateDesired,
    CertificateObserved,
    DeclaredPair,
    Pair,
    Unusable,
    key_file,
)
from reconciler.routes import parse_certificate
from reconciler.spec.secrets import UnresolvedReference

_LONGEST_PEM_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class CertificateObserver:
    """`Observer` of one node's certificate. `environment` is what `${env:…}` refers to."""

    desired: CertificateDesired
    environment: Mapping[str, str]
    clock: Clock

    async def observe(self) -> Observation:
        at = self.clock.now()
        try:
            return Known(look(self.desired, self.environment), at)
        except OSError as error:
            return Unknown(f"the certificate could not be observed: {error}", at)


def look(desired: CertificateDesired, environment: Mapping[str, str]) -> CertificateObserved:
    """Raises OSError where the node's own directory cannot be read."""
    served = _served(desired.reference)
    return CertificateObserved(
        served=served,
        declared=read_declared(desired.declared, environment)[0] if desired.declared else None,
        kept=_kept(desired.directory),
    )


def read_declared(pair: DeclaredPair, environment: Mapping[str, str]) -> tuple[Pair | Unusable, bytes, bytes]:
    """What it is, and its chain and key as PEM; empty where unusable."""
    try:
        chain = read_bounded(pair.chain)
    except OSError as error:
        return Unusable(f"{pair.chain} cannot be read: {error.strerror}"), b"", b""
    try:
        key = pair.key.resolve(environment).reveal().encode()
    except UnresolvedReference as error:
        return Unusable(f"its key: {error}"), b"", b""
    return inspect(chain, key, made_here=False), chain, key


def read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST_PEM_BYTES)


def _served(reference: Path) -> Pair | Unusable | None:
    try:
        chain, key = parse_certificate(read_bounded(reference))
        return inspect(read_bounded(chain), read_bounded(key), made_here=_is_made_here(chain))
    except FileNotFoundError as error:
        return None if error.filename == str(reference) else Unusable(f"{error.filename} is missing")
    except ValueError as error:
        return Unusable(f"{reference}: {error}")


def _kept(directory: Path) -> Pair | None:
    """The one made here that lasts longest."""
    found = []
    for chain in directory.glob("self-made-*.pem"):
        try:
            pair = inspect(read_bounded(chain), read_bounded(key_file(chain)), made_here=True)
        except FileNotFoundError:
            continue  # half of a pair, from a crash while it was made
        if isinstance(pair, Pair):
            found.append(pair)
    return max(found, key=lambda pair: (pair.not_after, pair.fingerprint), default=None)


def _is_made_here(chain: Path) -> bool:
    return chain.name.startswith("self-made-")
