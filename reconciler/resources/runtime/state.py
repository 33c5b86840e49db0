"""What is wanted of the runtime's process, and what was seen of all that run.

Pure values, and judging one process. `RuntimeDesired` comes from the registry, `RuntimesObserved` from the
observer; the planner compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core.values import Json, TargetId
from reconciler.serving.control import Health
from reconciler.serving.spec import Document
from reconciler.serving.status import RuntimeStatus
from reconciler.serving.wish import RuntimeWish, Surroundings

KIND = "runtime"
PROCESS = TargetId("runtime.process")
ROUTE = TargetId("runtime.route")
ROUTED = "the newest healthy generation"
"""The value of `runtime.route`: which one that is changes, that there is one does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeDesired:
    """`program` tells one program from another. A new process has `start_limit_s` until it must serve."""

    wish: RuntimeWish
    program: Program
    start_limit_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is started. `digest` is of the code and the interpreter, `version` and `python` are for people."""

    digest: str
    version: str
    python: str

    def __str__(self) -> str:
        return f"{self.version}, Python {self.python}, code {self.digest[:7]}"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a process's identity says of its making: the program's digest, and the wish that asked for it."""

    digest: str
    request: str = ""

    def __str__(self) -> str:
        return f"{self.digest}+{self.request}" if self.request else self.digest

    @classmethod
    def parse(cls, text: str) -> Mark:
        digest, _, request = text.partition("+")
        return cls(digest, request)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeProcess:
    """One generation. A dead one has no health; `ending` says how it ended, where anybody saw it.

    `document` is the accepted one, else the one it was started with; empty where neither can be read.
    """

    generation: int
    mark: Mark
    alive: bool
    started_at: float
    ending: str = ""
    health: Health | None = None
    document: Document | None = None
    status: RuntimeStatus | None = None

    @property
    def sessions(self) -> int:
        return self.status.sessions_live if self.status else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimesObserved:
    """All generations with an identity, ascending. `last_generation` counts forgotten ones, too.

    `crashed`: none lives, and the last one did not end on purpose.
    """

    processes: tuple[RuntimeProcess, ...]
    routed: tuple[int, ...]
    surroundings: Surroundings
    last_generation: int = 0
    crashed: bool = False

    @property
    def alive(self) -> tuple[RuntimeProcess, ...]:
        return tuple(process for process in self.processes if process.alive)

    @property
    def present(self) -> RuntimeProcess | None:
        """The one whose document and sessions count: routed if possible, else the newest alive."""
        routed = [process for process in self.alive if process.generation in self.routed]
        return next(reversed(routed or self.alive), None)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a living process is not the one that is wanted. `moved`: the world did it, not the files."""

    reason: str
    moved: bool = False
    requested: bool = False


def judge(
    process: RuntimeProcess, desired: RuntimeDesired, *, request: str, routed: bool, now: float
) -> Unfit | None:
    """Whether a living process may stay. One that still starts may; one that has a route served already."""
    if request and process.mark.request != request:
        return Unfit("a restart was asked for by hand", requested=True)
    if process.mark.digest != desired.program.digest:
        return Unfit(_program_words(process, desired))
    changed = _changed_fixed_fields(process, desired)
    if changed:
        return Unfit(f"{', '.join(changed)} changed, which a running process cannot take")
    if process.status is not None and process.status.draining:
        return Unfit("it is stopping", moved=True)
    if process.health is None or process.health.ok:
        return None
    if not routed and now - process.started_at < desired.start_limit_s:
        return None
    return Unfit(f"it is not healthy: {process.health.reason}", moved=True)


def is_ready(process: RuntimeProcess) -> bool:
    return process.health is not None and process.health.ok


def wanted_process(desired: RuntimeDesired) -> Json:
    """The value of `runtime.process` whose digest is remembered as applied."""
    return {"program": desired.program.digest, "fixed": dict(_fixed_fields(desired))}


def _program_words(process: RuntimeProcess, desired: RuntimeDesired) -> str:
    node = (process.document or {}).get("node")
    former = str(node.get("version", "")) if isinstance(node, dict) else ""
    if former and former != desired.wish.version:
        return f"the program changed: {former} -> {desired.wish.version}"
    return f"the program changed: code or interpreter of {desired.wish.version}"


def _changed_fixed_fields(process: RuntimeProcess, desired: RuntimeDesired) -> list[str]:
    """Dotted names of the differing fields; none where the process's document cannot be read."""
    if not process.document:
        return []
    wanted = _fixed_fields(desired)
    return [name for name, value in wanted.items() if _at(process.document, name) != value]


def _fixed_fields(desired: RuntimeDesired) -> Mapping[str, Json]:
    """What only a new process can take (`x-impact: replace` in the published schema)."""
    wish = desired.wish
    return {
        "node.name": wish.node,
        "node.version": wish.version,
        "identity.address": wish.address,
        "paths.database": wish.database,
        "paths.renditions": wish.renditions,
        "paths.log": wish.log_file,
    }


def _at(value: Json, dotted: str) -> Json:
    for name in dotted.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
