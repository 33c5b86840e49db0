"""What the runtime's state means: does it serve, are its workers ready. PURE."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.kind import View
from reconciler.core.values import Condition, Json, Known, Observation, TargetId, Truth, Unknown
from reconciler.resources.runtime.state import (
    PROCESS,
    ROUTE,
    ROUTED,
    RuntimeDesired,
    RuntimeProcess,
    RuntimesObserved,
    wanted_process,
)
from reconciler.resources.runtime.words import ended_words
from reconciler.serving.status import RuntimeStatus

_HEALTHY = "RuntimeHealthy"
_WORKERS = "WorkersReady"
_READY_STATES = {"ready", "busy"}


def applied_runtime(desired: RuntimeDesired, _observed: Observation) -> Mapping[TargetId, Json]:
    return {PROCESS: wanted_process(desired), ROUTE: ROUTED}


def conditions_runtime(desired: RuntimeDesired, observed: Observation, view: View) -> tuple[Condition, ...]:
    if isinstance(observed, Unknown):
        return tuple(
            view.condition(name, Truth.UNKNOWN, "NotObserved", observed.reason)
            for name in (_HEALTHY, _WORKERS)
        )
    if not isinstance(observed, Known) or not isinstance(observed.value, RuntimesObserved):
        return ()
    present = observed.value.present
    return (_healthy(observed.value, present, view), _workers(desired, present, view))


def _healthy(seen: RuntimesObserved, present: RuntimeProcess | None, view: View) -> Condition:
    if present is None:
        dead = next(reversed(seen.processes), None)
        words = ended_words(dead, crashed=seen.crashed) if dead else "no runtime was started yet"
        return view.condition(_HEALTHY, Truth.FALSE, "NotRunning", words)
    name = f"generation {present.generation}"
    if present.health is None or not present.health.ok:
        reason = present.health.reason if present.health else "it was not asked"
        return view.condition(_HEALTHY, Truth.FALSE, "NotServing", f"{name}: {reason}")
    if present.generation not in seen.routed:
        return view.condition(_HEALTHY, Truth.FALSE, "NotRouted", f"{name} serves and gets no requests")
    return view.condition(_HEALTHY, Truth.TRUE, "Serving", f"{name} serves")


def _workers(desired: RuntimeDesired, present: RuntimeProcess | None, view: View) -> Condition:
    if present is None or present.status is None:
        return view.condition(_WORKERS, Truth.FALSE, "NotRunning", "no runtime tells of workers")
    status = present.status
    bad = [
        f"{worker.name} is {worker.state}{f': {worker.reason}' if worker.reason else ''}"
        for worker in status.workers
        if worker.state not in _READY_STATES
    ]
    if bad:
        failed = any(worker.state == "failed" for worker in status.workers)
        return view.condition(_WORKERS, Truth.FALSE, "Failed" if failed else "Starting", "; ".join(bad))
    if not status.workers:
        return _no_workers(desired, status, view)
    return view.condition(_WORKERS, Truth.TRUE, "Ready", f"{len(status.workers)} ready")


def _no_workers(desired: RuntimeDesired, status: RuntimeStatus, view: View) -> Condition:
    """None at all is right only where no video was declared."""
    if desired.wish.video.sessions == 0:
        return view.condition(_WORKERS, Truth.TRUE, "NoneDeclared", "no video is declared")
    message = "no device for video work: see the condition GpusPresent"
    return view.condition(_WORKERS, Truth.FALSE, "NoDevice", f"{message} ({status.sessions_limit} sessions)")
