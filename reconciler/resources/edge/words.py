"""How the edge's operations read: why, what it interrupts, what differs. Pure; called by `plan.py`."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.values import Cause, Json
from reconciler.resources.edge import config
from reconciler.resources.edge.state import STOPPED, DocumentSeen, EdgeDesired, EdgeObserved, PortHolder

AFTER_DRAIN_S = 10
"""An old process is gone so long after its time to drain."""


def program(desired: EdgeDesired) -> str:
    return f"{desired.address}, Envoy {desired.program.version}"


def why_start(desired: EdgeDesired, seen: EdgeObserved) -> Cause:
    if seen.last_generation == 0:
        return Cause("declared, and not running", desired.listen_source)
    return Cause(ended(seen))


def ended(seen: EdgeObserved) -> str:
    if seen.last_generation == 0:
        return "the edge is not running"
    return f"the edge {_past(seen.last_ending)}" if seen.last_ending else "the edge has ended"


def _past(ending: str) -> str:
    return f"was {ending}" if ending.startswith(("killed", STOPPED)) else ending


def handed_over(desired: EdgeDesired) -> str:
    return (
        "no request is cut: the port is handed over; the old process finishes what it began, "
        f"for at most {desired.drain_s} s"
    )


def why_document(desired: EdgeDesired, found: DocumentSeen | None, name: str, version: str) -> Cause:
    if found is None:
        return Cause(f"{name} is missing")
    if not found.version:
        return Cause(f"{name} is damaged")
    if found.version == version:
        return Cause(f"Envoy runs with other settings than {name} holds")
    source = desired.limits_source if name == config.LIMITS else desired.listen_source
    return Cause("changed", source)


def document_impact(desired: EdgeDesired, found: DocumentSeen | None, name: str) -> str:
    if name != config.LISTENER:
        return ""
    before = found.facts if found else None
    after = config.facts_of(name, config.documents(desired)[name])
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before["listen"] != after["listen"]:
        return f"{before['listen']} takes no new connections; requests there end within {desired.drain_s} s"
    return f"kept connections are asked to finish, within {desired.drain_s} s; no request is cut"


def difference(before: Json, after: Json) -> str:
    """`connections 500 -> 1000`: the facts that differ."""
    if not isinstance(after, Mapping):
        return ""
    known = before if isinstance(before, Mapping) else {}
    parts = [
        f"{name} {known[name]} -> {value}" if name in known else f"{name} {value}"
        for name, value in after.items()
        if known.get(name) != value
    ]
    return ", ".join(parts) or "settings of this version"


def port_in_use(desired: EdgeDesired, holder: PortHolder, *, shared: bool) -> tuple[str, str]:
    effect = "it gets a part of this node's connections" if shared else "the edge cannot start"
    return (
        f"port {desired.port} is in use by {holder}",
        f"{effect}; stop that process, or declare another port in service.listen.public",
    )


def host_unusable(desired: EdgeDesired) -> tuple[str, str]:
    return (
        f"{desired.host} is no address to listen on",
        "service.listen.public needs an IP address of this machine, or 0.0.0.0 or [::] for all of them",
    )


def port_forbidden(desired: EdgeDesired) -> tuple[str, str]:
    return (
        f"this user may not listen on port {desired.port}",
        "ports below 1024 need root or net.ipv4.ip_unprivileged_port_start; or declare a higher one",
    )
