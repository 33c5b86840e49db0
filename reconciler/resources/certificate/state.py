"""What certificate the public port should show, and what is there. Values only, and no key material.

A pair (chain and key) is named by a digest of the chain and of the public part of the key, so values, plans
and the journal never hold a secret, and equal content is equal whatever file it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.core.values import Source
from reconciler.layout import Layout
from reconciler.spec.declaration import Declaration, Tls
from reconciler.spec.secrets import Template

KIND = "edge.certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredPair:
    """A chain in a file and a key behind a reference."""

    chain: Path
    key: Template
    source: Source | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateDesired:
    """`names` must be covered by a self-made certificate: host names and IP addresses. `declared` wins."""

    names: tuple[str, ...]
    declared: DeclaredPair | None
    directory: Path
    reference: Path
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A usable pair. Times are unix seconds."""

    fingerprint: str
    names: tuple[str, ...]
    not_before: float
    not_after: float
    made_here: bool

    def covers(self, names: tuple[str, ...]) -> bool:
        return set(names) <= set(self.names)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A pair that is there and cannot be served. `problem` says why, for people."""

    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateObserved:
    """`served`: what the edge is told to show. `declared`: in the declared files. `kept`: made here."""

    served: Pair | Unusable | None
    declared: Pair | Unusable | None
    kept: Pair | None


def desire(declaration: Declaration, layout: Layout) -> CertificateDesired | None:
    """None for a node whose public port, if it has one, speaks no TLS."""
    service = declaration.service
    if service is None or not service.uri.startswith("https://"):
        return None
    return CertificateDesired(
        names=(service.host,),
        declared=_declared(declaration, service.tls) if service.tls else None,
        directory=layout.tls,
        reference=layout.edge / "certificate.json",
        source=declaration.source("service.uri"),
    )


def _declared(declaration: Declaration, tls: Tls) -> DeclaredPair:
    source = declaration.source("service.tls.certificate")
    return DeclaredPair(chain=tls.certificate, key=tls.key, source=source)


def chain_file(directory: Path, pair: Pair) -> Path:
    origin = "self-made" if pair.made_here else "declared"
    return directory / f"{origin}-{pair.fingerprint[:16]}.pem"


def key_file(chain: Path) -> Path:
    return chain.with_suffix(".key")
