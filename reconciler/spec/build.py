"""A valid tree to a `Declaration`: types, defaults, exact amounts, absolute paths, references kept.

The tree has passed the vocabulary, so nothing fails here; defaults come from the published schema. Pure.
Called by `load`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from reconciler.core.values import Json, Revision, Source, canonical, digest
from reconciler.spec import units
from reconciler.spec.access import Values, read_endpoint
from reconciler.spec.declaration import (
    AUTO,
    Admission,
    Automation,
    Chain,
    Consent,
    Declaration,
    Endpoint,
    Fallback,
    Gateway,
    Gpu,
    Gpus,
    GpuVideo,
    Healing,
    Limits,
    Listen,
    LogLevel,
    Paths,
    Preset,
    Pricing,
    Service,
    Tls,
    Video,
)
from reconciler.spec.prices import Model
from reconciler.spec.secrets import MASK
from reconciler.spec.tree import Mapped, Node, Scalar, Sequence, dotted, key_at, plain, walk
from reconciler.spec.tree import Path as Place
from reconciler.spec.vocabulary import MODELS, ORCHESTRATOR, holds_secret


def build(
    root: Node,
    *,
    models: tuple[Model, ...],
    models_tree: Node | None,
    directories: Mapping[str, Path],
    home: Path,
    files: tuple[Path, ...],
) -> Declaration:
    """The declaration of a valid tree. `directories` says where each file lies, `home` where defaults lie."""
    values = Values(root, directories)
    return Declaration(
        name=values.text("name"),
        log=LogLevel(values.text("log")),
        service=_service(values),
        paths=_paths(values, home),
        gpus=_gpus(values),
        video=_video(values),
        pricing=_pricing(values),
        gateways=tuple(_gateway(values, name) for name in values.names("gateways")),
        models=models,
        chain=_chain(values),
        automation=_automation(values),
        runner=values.frozen("runner"),
        workers=values.frozen("workers"),
        joins=values.frozen("joins"),
        notify=values.frozen("notify"),
        source_of_truth=values.frozen("source"),
        rollout=values.frozen("rollout"),
        revision=_revision(root, models_tree),
        text=canonical(_shown(root, models_tree)),
        files=files,
        sources=_sources(root),
    )


def _service(values: Values) -> Service | None:
    if not values.has("service"):
        return None
    uri = values.text("service", "uri")
    reached = read_endpoint(uri.partition("://")[2])
    listen = "service", "listen"
    public = values.endpoint(*listen, "public") if values.has(*listen, "public") else None
    return Service(
        uri=uri,
        host=reached.host,
        port=reached.port,
        keep_previous_s=values.seconds("service", "keepPrevious"),
        tls=_tls(values),
        listen=Listen(
            public=public or Endpoint("0.0.0.0", reached.port),  # noqa: S104 - strangers are to reach it
            cli=values.endpoint(*listen, "cli"),
            metrics=values.endpoint(*listen, "metrics") if values.has(*listen, "metrics") else None,
        ),
        admission=Admission(values.text("service", "admission")),
        limits=_limits(values),
    )


def _tls(values: Values) -> Tls | None:
    if not values.has("service", "tls"):
        return None
    return Tls(values.path("service", "tls", "certificate"), values.template("service", "tls", "key"))


def _limits(values: Values) -> Limits:
    at = "service", "limits"
    return Limits(
        connections=values.whole(*at, "connections"),
        connections_per_address=values.whole(*at, "connectionsPerAddress"),
        body_bytes=values.size(*at, "bodySize"),
        headers_s=values.seconds(*at, "headers"),
        body_idle_s=values.seconds(*at, "bodyIdle"),
        session_idle_s=values.seconds(*at, "sessionIdle"),
        drain_s=values.seconds(*at, "drain"),
        queue=values.whole(*at, "queue"),
    )


def _paths(values: Values, home: Path) -> Paths:
    data = values.path("paths", "data") if values.has("paths", "data") else home / ".orchestrator"
    return Paths(
        data, values.path("paths", "weights") if values.has("paths", "weights") else data / "weights"
    )


def _gpus(values: Values) -> Gpus:
    declared = values.value("gpus")
    if isinstance(declared, str):
        mode: Literal["auto", "none"] = "none" if declared == "none" else "auto"
        return Gpus(mode)
    return Gpus("listed", tuple(_gpu(values, name) for name in values.names("gpus")))


def _gpu(values: Values, name: str) -> Gpu:
    def option(key: str) -> Any:
        node = values.node("gpus", name, "video", key)
        return plain(node) if node is not None else "auto"

    video, ai = values.node("gpus", name, "video"), values.node("gpus", name, "ai")
    does_video = plain(video) is not False if video is not None else False
    sessions, vram = option("sessions"), option("vram")
    limits = GpuVideo(
        AUTO if sessions == "auto" else int(sessions), AUTO if vram == "auto" else units.read_size(str(vram))
    )
    uuid = values.text("gpus", name, "uuid")
    return Gpu(name, uuid, limits if does_video else None, ai=ai is not None and plain(ai) is True)


def _video(values: Values) -> Video:
    preset = values.text("video", "preset")
    return Video(
        preset=AUTO if preset == "auto" else Preset(preset),
        sessions=values.whole_or_auto("video", "sessions"),
        workers=values.whole_or_auto("video", "workers"),
        worker_memory_bytes=values.size("video", "memory"),
        fallback=Fallback(values.text("video", "fallback")),
    )


def _pricing(values: Values) -> Pricing:
    overhead = values.frozen("pricing", "redemptionOverhead")
    kept = overhead if isinstance(overhead, Mapping) else None
    video = values.node("pricing", "video")
    if video is None:
        return Pricing(redemption_overhead=kept)
    if isinstance(video, Scalar):
        return Pricing(units.read_price(str(video.value)), redemption_overhead=kept)
    return Pricing(
        units.read_price(values.text("pricing", "video", "price")),
        _wei_per_pixel(values, "floor"),
        _wei_per_pixel(values, "cap"),
        kept,
    )


def _wei_per_pixel(values: Values, bound: str) -> Fraction | None:
    at = "pricing", "video", bound
    return units.read_price(values.text(*at)).wei if values.has(*at) else None


def _gateway(values: Values, name: str) -> Gateway:
    at = "gateways", name
    video = units.read_price_or_percent(values.text(*at, "video")) if values.has(*at, "video") else None
    reserve = values.whole(*at, "reserve", "video") if values.has(*at, "reserve", "video") else 0
    return Gateway(name, values.text(*at, "address").lower(), video, reserve, values.frozen(*at, "ai"))


def _chain(values: Values) -> Chain:
    declared = values.frozen("chain")
    if not isinstance(declared, Mapping):
        return Chain("offchain")
    network = declared.get("network")
    return Chain(network if isinstance(network, str) else "custom", declared)


def _automation(values: Values) -> Automation:
    at = "automation"
    return Automation(
        routine=Consent(values.text(at, "routine")),
        chain_settings=Consent(values.text(at, "chainSettings")),
        drift_runtime=Healing(values.text(at, "drift", "runtime")),
        drift_chain=Healing(values.text(at, "drift", "chain")),
        protect=tuple(values.value(at, "protect")),
    )


def _sources(root: Node) -> Mapping[str, Source]:
    """The place of every declared value; a map or list stands where its key does."""
    sources: dict[str, Source] = {}
    for path, node in walk(root):
        key = None if isinstance(node, Scalar) else key_at(root, path)
        sources[dotted(path)] = key.source if key is not None else node.source
    return MappingProxyType(sources)


def _revision(root: Node, models: Node | None) -> Revision:
    content = {
        "orchestrator": _digestible(root),
        "models": _digestible(models) if models is not None else None,
    }
    return Revision(digest(content))


def _shown(root: Node, models: Node | None) -> Json:
    return {
        "orchestrator": _masked(root, ORCHESTRATOR, ()),
        "models": _masked(models, MODELS, ()) if models is not None else None,
    }


def _masked(node: Node, schema: str, place: Place) -> Json:
    """As it was declared, but without any text where a secret may stand."""
    match node:
        case Mapped():
            entries = node.entries.items()
            return {name: _masked(entry.value, schema, (*place, name)) for name, entry in entries}
        case Sequence():
            return [_masked(item, schema, (*place, number)) for number, item in enumerate(node.items)]
        case Scalar(value=str()) if holds_secret(schema, place):
            return MASK
        case Scalar():
            return _digestible(node)


def _digestible(node: Node) -> Json:
    match node:
        case Mapped():
            return {name: _digestible(entry.value) for name, entry in node.entries.items()}
        case Sequence():
            return [_digestible(item) for item in node.items]
        case Scalar(value=Decimal() as value):
            return f"decimal {value.normalize()}"
        case Scalar():
            return node.value
