"""How many connections one address may have, and what the packet filter does now. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.values import Source
from reconciler.layout import Layout
from reconciler.spec.declaration import Declaration

KIND = "edge.address"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressLimitDesired:
    """`connections` 0: no limit. `explicit`: the files ask for it, so not enforcing it is worth a word."""

    table: str
    port: int
    connections: int
    explicit: bool
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """What a table enforces. None of both: a table of ours whose rules are not as we write them."""

    port: int | None
    connections: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressLimitObserved:
    """`unavailable` says why the packet filter is not ours to use; empty where it is."""

    limit: Limit | None = None
    unavailable: str = ""


def table_of(layout: Layout) -> str:
    return f"orchestrator_{layout.identity}"


def desire(declaration: Declaration, layout: Layout) -> AddressLimitDesired | None:
    """None for a node without a public port."""
    service = declaration.service
    if service is None:
        return None
    return AddressLimitDesired(
        table=table_of(layout),
        port=service.listen.public.port,
        connections=service.limits.connections_per_address,
        explicit=declaration.declares("service.limits.connectionsPerAddress"),
        source=declaration.source("service.limits.connectionsPerAddress"),
    )
