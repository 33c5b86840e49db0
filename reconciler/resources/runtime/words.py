"""The words of the runtime's process: generations, endings, size, and what a swap does to work. Pure."""

from __future__ import annotations

from reconciler.resources.runtime.state import RuntimeProcess, RuntimesObserved
from reconciler.serving.wish import RuntimeWish, Surroundings


def generation_words(new: int, replaced: RuntimeProcess | None, dead: RuntimeProcess | None) -> str:
    if replaced:
        return f"generation {new} beside {replaced.generation}"
    return f"generation {dead.generation} -> {new}" if dead else f"generation {new}"


def ended_words(process: RuntimeProcess, *, crashed: bool) -> str:
    """`generation 3 exited 137`, `generation 3 was killed by SIGKILL`, `generation 3 was stopped`."""
    ending = process.ending
    if not crashed:
        return f"generation {process.generation} was stopped"
    if ending.startswith("killed"):
        ending = f"was {ending}"
    return f"generation {process.generation} {ending or 'ended, and nobody saw how'}"


def start_impact_words(replaced: RuntimeProcess | None, *, crashed: bool) -> str:
    if replaced:
        sessions = _count(replaced.sessions, "session")
        return f"{sessions} go on in the new process; the old one ends what it has begun"
    return "nothing serves; what was in flight is lost already" if crashed else "nothing serves yet"


def drain_words(process: RuntimeProcess, limit_s: float) -> str:
    jobs = process.status.jobs_running + process.status.jobs_queued if process.status else 0
    what = f"{_count(jobs, 'request')} in flight" if jobs else "what is in flight"
    return f"{what} may end within {limit_s:g} s"


def size_words(wish: RuntimeWish, surroundings: Surroundings) -> str:
    """`4 sessions on 2 workers, preset veryfast`."""
    size = wish.size(surroundings)
    if size.workers is None or size.sessions is None:
        return "no workers until GPUs can be observed"
    if not size.sessions:
        return "none: no device to work on"
    text = f"{_count(size.sessions, 'session')} on {_count(len(size.workers), 'worker')}"
    if not size.encodes_on_cpu:
        return text
    spec = wish.spec(surroundings)
    return f"{text}, preset {spec.preset or 'auto'}"


def running_words(seen: RuntimesObserved) -> str:
    """What serves now, for the head of a plan; empty where nothing does."""
    present = seen.present
    if present is None or present.status is None:
        return ""
    return _count(present.sessions, "video session")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
