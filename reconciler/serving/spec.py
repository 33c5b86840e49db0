"""The runtime spec as a value, and the one place that turns it into the published document.

Pure. A spec may leave things open that only the world can say: the preset (not measured yet), and workers and
sessions (GPUs could not be observed); `completed` closes them from what is there. Gateways' percentage prices
are exact fractions by the time they are here. Used by the kinds `runtime` and `settings`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

from reconciler.serving.capacity import WorkerSlot

Document = dict[str, object]
"""A runtime-spec document, as it crosses the control socket. Never changed in place."""

SAFEST_PRESET = "ultrafast"
"""Taken where no preset was ever measured or served: it loses quality, never real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayTerms:
    """What was agreed with one gateway. `address` is lower case; no `video_wei` means the common price."""

    name: str
    address: str
    video_wei: Fraction | None
    reserve: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Bounds on one request, one session, and on how long a stopping runtime lets requests end."""

    body_bytes: int
    body_idle_s: float
    drain_s: float
    session_idle_s: float
    queue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSpec:
    """Everything the runtime needs to know. Prices are wei per pixel, exact.

    `preset` None: `auto`, not measured. `sessions`, `workers` None: GPUs could not be observed.
    """

    node: str
    version: str
    log: str
    service_uri: str
    admission: str
    address: str | None
    database: str
    renditions: str
    log_file: str
    sessions: int | None
    preset: str | None
    workers: tuple[WorkerSlot, ...] | None
    video_wei: Fraction | None
    gateways: tuple[GatewayTerms, ...]
    limits: RequestLimits


def completed(spec: RuntimeSpec, present: Document | None) -> RuntimeSpec:
    """Closes what the spec leaves open with what the present runtime has, else with what is safest."""
    video = _mapping(present, "video")
    preset = spec.preset or cast("str | None", video.get("preset")) or SAFEST_PRESET
    workers = spec.workers
    if workers is None:
        slots = cast("dict[str, dict[str, object]]", video.get("workers") or {})
        workers = tuple(_slot(name, slots[name]) for name in sorted(slots))
    sessions = cast("int", video.get("sessions", 0)) if spec.sessions is None else spec.sessions
    return replace(spec, preset=preset, workers=workers, sessions=sessions if workers else 0)


def document(spec: RuntimeSpec, generation: int) -> Document:
    """The published form. Fields that the spec leaves open are null; such a one is for comparison only."""
    slots = None if spec.workers is None else {slot.name: _slot_document(slot) for slot in spec.workers}
    return {
        "format": 1,
        "generation": generation,
        "node": {"name": spec.node, "version": spec.version},
        "log": spec.log,
        "service": {"uri": spec.service_uri, "admission": spec.admission},
        "identity": {"address": spec.address},
        "paths": {"database": spec.database, "renditions": spec.renditions, "log": spec.log_file},
        "video": {"sessions": spec.sessions, "preset": spec.preset, "workers": slots},
        "pricing": {"video": _price(spec.video_wei)},
        "gateways": {terms.name: _terms_document(terms) for terms in spec.gateways},
        "limits": _limits_document(spec.limits),
    }


def generation_of(value: Document | None) -> int:
    generation = (value or {}).get("generation")
    return generation if isinstance(generation, int) else 0


def drain_seconds(value: Document | None, otherwise: float) -> float:
    """How long this runtime lets requests end when it is told to stop."""
    seconds = _mapping(value, "limits").get("drainSeconds")
    return float(seconds) if isinstance(seconds, int | float) else otherwise


def _mapping(value: Document | None, key: str) -> dict[str, object]:
    found = (value or {}).get(key)
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _price(wei: Fraction | None) -> str | None:
    return None if wei is None else str(wei)


def _slot(name: str, value: dict[str, object]) -> WorkerSlot:
    return WorkerSlot(
        name=name,
        device=str(value.get("device", "cpu")),
        threads=cast("int", value.get("threads", 0)),
        memory_bytes=cast("int", value.get("memoryBytes", 0)),
    )


def _slot_document(slot: WorkerSlot) -> Document:
    return {"device": slot.device, "threads": slot.threads, "memoryBytes": slot.memory_bytes}


def _terms_document(terms: GatewayTerms) -> Document:
    return {"address": terms.address, "video": _price(terms.video_wei), "reserve": terms.reserve}


def _limits_document(limits: RequestLimits) -> Document:
    return {
        "bodyBytes": limits.body_bytes,
        "bodyIdleSeconds": limits.body_idle_s,
        "drainSeconds": limits.drain_s,
        "sessionIdleSeconds": limits.session_idle_s,
        "queue": limits.queue,
    }
