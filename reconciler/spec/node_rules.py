"""Rules between fields of the node itself: service, addresses, GPUs, workers, capacity, paths. Pure.

Each rule asks first whether what it stands on is intact. Called through `rules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from reconciler.core.values import Diagnostic
from reconciler.spec.declaration import AUTO, Endpoint
from reconciler.spec.facts import Facts, Rule
from reconciler.spec.sentences import error, warning


def check_purpose(facts: Facts) -> Iterator[Diagnostic]:
    """A node serves, works for another one, or does duties on chain."""
    declared = facts.declaration
    if not facts.intact("service", "joins", "chain"):
        return
    if declared.service is None and declared.joins is None and declared.chain.network == "offchain":
        yield warning(
            "this node has nothing to do",
            rule="a node has a service, joins an orchestrator, or has a chain",
            instead="service: {uri: https://HOST:8935}",
            source=None,
        )
    if declared.joins is not None and declared.declares("chain"):
        yield error(
            "a pool worker has a chain block",
            rule="with joins, the orchestrator that is joined does everything on chain",
            instead="joins or chain, not both",
            source=facts.at("chain"),
        )


def check_service_scheme(facts: Facts) -> Iterator[Diagnostic]:
    service = facts.declaration.service
    if service and facts.intact("service.uri") and service.uri.startswith("http://"):
        yield warning(
            "service.uri begins with http://",
            rule="gateways speak TLS to an orchestrator, whatever the scheme says",
            instead=service.uri.replace("http://", "https://", 1),
            source=facts.at("service.uri"),
        )


def check_service_port(facts: Facts) -> Iterator[Diagnostic]:
    service = facts.declaration.service
    if service is None:
        return
    listen = service.listen
    named = (("uri", service.port), ("listen.public", listen.public.port), ("listen.cli", listen.cli.port))
    metrics = (("listen.metrics", listen.metrics.port),) if listen.metrics else ()
    for key, port in (*named, *metrics):
        path = f"service.{key}"
        if facts.intact(path) and facts.declaration.declares(path) and port > 65535:
            yield error(
                f"{path}: port {port} does not exist",
                rule="ports are 1 to 65535",
                instead="8935 is the habit",
                source=facts.at(path),
            )


def check_listen_addresses(facts: Facts) -> Iterator[Diagnostic]:
    service = facts.declaration.service
    if service is None:
        return
    cli = "service.listen.cli"
    if facts.intact(cli) and not _is_loopback(service.listen.cli):
        yield error(
            f"{cli}: {service.listen.cli} is reachable from outside",
            rule="the local API changes the node, so it listens on loopback only",
            instead=f"127.0.0.1:{service.listen.cli.port}; service.listen.metrics is for other machines",
            source=facts.at(cli),
        )
    named = {"public": service.listen.public, "cli": service.listen.cli, "metrics": service.listen.metrics}
    taken: dict[Endpoint, str] = {}
    for key, endpoint in named.items():
        if endpoint is None or not facts.intact(f"service.listen.{key}", "service.uri"):
            continue
        other = next((name for known, name in taken.items() if _collide(known, endpoint)), None)
        taken.setdefault(endpoint, key)
        if other is not None:
            place = key if facts.declaration.declares(f"service.listen.{key}") else other
            yield error(
                f"service.listen.{key} and service.listen.{other} share {endpoint}",
                rule="an address is listened on once",
                instead="another port",
                source=facts.at(f"service.listen.{place}"),
            )


def _is_loopback(endpoint: Endpoint) -> bool:
    try:
        return ip_address(endpoint.host).is_loopback
    except ValueError:
        return endpoint.host == "localhost"


def _collide(one: Endpoint, other: Endpoint) -> bool:
    anywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return one.port == other.port and (one.host == other.host or bool({one.host, other.host} & anywhere))


def check_limits(facts: Facts) -> Iterator[Diagnostic]:
    service = facts.declaration.service
    if service is None:
        return
    limits = service.limits
    named = {
        "bodySize": limits.body_bytes,
        "headers": limits.headers_s,
        "bodyIdle": limits.body_idle_s,
        "sessionIdle": limits.session_idle_s,
        "drain": limits.drain_s,
    }
    for key, value in named.items():
        path = f"service.limits.{key}"
        if facts.intact(path) and value <= 0:
            yield error(
                f"{path} leaves nothing",
                rule="this limit is more than 0; with 0 no request would get through",
                instead="no key, for the default",
                source=facts.at(path),
            )


def check_gpu_identities(facts: Facts) -> Iterator[Diagnostic]:
    first: dict[str, str] = {}
    for gpu in facts.declaration.gpus.devices:
        path = f"gpus.{gpu.name}.uuid"
        if not facts.intact(path):
            continue
        other = first.setdefault(gpu.uuid.lower(), gpu.name)
        if other != gpu.name:
            yield error(
                f"gpus.{gpu.name} and gpus.{other} are the same GPU",
                rule="a GPU is declared once; it may do video and AI",
                instead="one of them",
                source=facts.at(path),
            )


def check_gpu_uses(facts: Facts) -> Iterator[Diagnostic]:
    for gpu in facts.declaration.gpus.devices:
        path = f"gpus.{gpu.name}"
        if facts.intact(path) and gpu.video is None and not gpu.ai:
            yield warning(
                f"{path} is used for nothing",
                rule="a GPU does video, AI, or both",
                instead="video: true or ai: true",
                source=facts.at(path),
            )


def check_cpu_workers(facts: Facts) -> Iterator[Diagnostic]:
    path = "video.workers"
    declared = facts.declaration
    if not facts.intact(path, "gpus") or declared.video.workers is AUTO:
        return
    if declared.gpus.mode == "listed" and any(gpu.video for gpu in declared.gpus.devices):
        yield warning(
            f"{path} has no effect",
            rule="it counts processes where the CPU does the work; here GPUs do video",
            instead="gpus.NAME.video.sessions",
            source=facts.at(path),
        )


def check_reservations(facts: Facts) -> Iterator[Diagnostic]:
    sessions = facts.declaration.video.sessions
    if sessions is AUTO or not facts.intact("video.sessions"):
        return
    paths = [f"gateways.{gateway.name}.reserve.video" for gateway in facts.declaration.gateways]
    reserved = sum(gateway.reserve_video for gateway in facts.declaration.gateways)
    if not reserved or not facts.intact(*paths):
        return
    last = next(path for path in reversed(paths) if facts.declaration.declares(path))
    if reserved > sessions:
        yield error(
            f"{reserved} sessions are reserved, the node has {sessions}",
            rule="reservations fit into video.sessions",
            instead=f"video.sessions of at least {reserved}, or smaller reservations",
            source=facts.at(last),
        )
    elif reserved == sessions:
        yield warning(
            f"all {sessions} sessions are reserved",
            rule="what is reserved is kept from everybody else",
            instead=f"video.sessions above {reserved}, unless nobody else is to be served",
            source=facts.at(last),
        )


def check_home_shorthand(facts: Facts) -> Iterator[Diagnostic]:
    declared = facts.declaration
    for path, value in (("paths.data", declared.paths.data), ("paths.weights", declared.paths.weights)):
        if (
            declared.declares(path)
            and facts.intact(path)
            and any(part.startswith("~") for part in value.parts)
        ):
            yield error(
                f"{path}: ~ is not replaced",
                rule="paths are absolute, or count from the declaring file",
                instead="the path in full",
                source=facts.at(path),
            )


NODE_RULES: Final[tuple[Rule, ...]] = (
    check_purpose,
    check_service_scheme,
    check_service_port,
    check_listen_addresses,
    check_limits,
    check_gpu_identities,
    check_gpu_uses,
    check_cpu_workers,
    check_reservations,
    check_home_shorthand,
)
