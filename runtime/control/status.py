"""The status document of the control API, drawn from the parts' own accounts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runtime.server.refusals import RefusalCount
from runtime.spec import RuntimeSpec
from runtime.video.jobs import Phase, WorkerState
from runtime.video.offer import Offer


def status_document(
    *,
    spec: RuntimeSpec,
    pid: int,
    started_at: float,
    is_serving: bool,
    is_draining: bool,
    sessions_live: int,
    jobs_queued: int,
    workers: Iterable[WorkerState],
    offer: Offer,
    refusals: Iterable[RefusalCount],
) -> Mapping[str, object]:
    slots = tuple(workers)
    return {
        "pid": pid,
        "version": spec.version,
        "started_at": started_at,
        "generation": spec.generation,
        "digest": spec.digest,
        "spec": spec.document,
        "serving": is_serving,
        "draining": is_draining,
        "sessions": {"live": sessions_live, "limit": spec.sessions},
        "jobs": {"running": sum(slot.state is Phase.BUSY for slot in slots), "queued": jobs_queued},
        "workers": {slot.slot: _worker(slot) for slot in slots},
        "capabilities": {
            "advertised": [capability.shown for capability in sorted(offer.advertised)],
            "withheld": {capability.shown: reason for capability, reason in offer.withheld.items()},
        },
        "refusals": [
            {
                "reason": refusal.reason.value,
                "gateway": refusal.gateway,
                "count": refusal.count,
                "last_at": refusal.last_at,
            }
            for refusal in refusals
        ],
    }


def _worker(slot: WorkerState) -> Mapping[str, object]:
    return {
        "state": slot.state.value,
        "pid": slot.pid,
        "device": slot.device,
        "reason": slot.reason,
        "restarts": slot.restarts,
        "segments": slot.segments,
        "frames": slot.frames,
        "memory_bytes": slot.memory_bytes,
    }
