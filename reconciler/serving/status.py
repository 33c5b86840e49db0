"""The runtime's own account of itself, as values. Parsed leniently: another version may say more or less.

Made by the control client, read by the kinds `runtime` and `settings` and by their conditions. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """`state` is starting, ready, busy or failed; a failed one has a reason."""

    name: str
    state: str
    device: str = ""
    reason: str = ""
    restarts: int = 0

    @property
    def is_failing(self) -> bool:
        """It failed, or tries again after its self-test failed (a crash counts as a restart)."""
        return self.state == "failed" or (
            self.state == "starting" and bool(self.reason) and not self.restarts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A capability that is not advertised, and why."""

    capability: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStatus:
    """`generation` is the accepted document's; session and job counts are of this moment."""

    version: str = ""
    generation: int = 0
    serving: bool = False
    draining: bool = False
    sessions_live: int = 0
    sessions_limit: int = 0
    jobs_running: int = 0
    jobs_queued: int = 0
    workers: tuple[WorkerStatus, ...] = ()
    withheld: tuple[Withheld, ...] = ()

    @property
    def failing_devices(self) -> frozenset[str]:
        """Devices of which no worker comes up."""
        failing = {worker.device for worker in self.workers if worker.is_failing}
        return frozenset(failing - {worker.device for worker in self.workers if not worker.is_failing})


def parse_status(value: object) -> RuntimeStatus:
    status = _mapping(value)
    sessions, jobs = _mapping(status.get("sessions")), _mapping(status.get("jobs"))
    workers = _mapping(status.get("workers"))
    withheld = _mapping(_mapping(status.get("capabilities")).get("withheld"))
    return RuntimeStatus(
        version=_text(status, "version"),
        generation=_count(status, "generation"),
        serving=status.get("serving") is True,
        draining=status.get("draining") is True,
        sessions_live=_count(sessions, "live"),
        sessions_limit=_count(sessions, "limit"),
        jobs_running=_count(jobs, "running"),
        jobs_queued=_count(jobs, "queued"),
        workers=tuple(_worker(name, _mapping(workers[name])) for name in sorted(workers)),
        withheld=tuple(Withheld(capability=name, reason=str(withheld[name])) for name in sorted(withheld)),
    )


def _worker(name: str, value: Mapping[str, object]) -> WorkerStatus:
    return WorkerStatus(
        name=name,
        state=_text(value, "state"),
        device=_text(value, "device"),
        reason=_text(value, "reason"),
        restarts=_count(value, "restarts"),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _text(value: Mapping[str, object], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _count(value: Mapping[str, object], key: str) -> int:
    found = value.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
