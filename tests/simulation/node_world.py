"""The world of a node as simple state machines: directories, certificate, edge, runtime generations, clients.

The kinds' real planners run over it, and the real eyes and hands of the runtime, its settings and presets;
processes, sockets and files are played. Whoever acts on it is one operator, by a `Grip`: a dead operator's
grip changes nothing any more, as SIGKILL has it. Time is virtual.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from reconciler.resources.address_limit.state import Limit
from reconciler.resources.certificate.state import Pair
from reconciler.resources.edge.state import PortHolder
from reconciler.resources.runtime.state import Mark
from reconciler.serving.spec import Document

YEAR_S = 365 * 86_400.0


class Crash(BaseException):
    """The operator is killed."""


class Grip:
    """One operator's hold on the world. Each change is a place to die, before and after."""

    def __init__(self, die_at: int | None = None) -> None:
        self.die_at = die_at
        self.dead = False
        self.seen = 0
        self._passed = count(1)

    def place(self) -> None:
        if not self.dead:
            self.seen = next(self._passed)
            self.dead = self.seen == self.die_at
        if self.dead:
            raise Crash


@dataclass
class Process:
    """A runtime generation. Serves from `ready_at` on, until it is told to stop."""

    generation: int
    mark: Mark
    started_at: float
    ready_at: float
    document: Document
    alive: bool = True
    stopping: bool = False
    silent: bool = False
    ending: str = ""

    def serves(self, now: float) -> bool:
        return self.alive and not self.stopping and not self.silent and now >= self.ready_at


@dataclass
class Edge:
    generation: int
    program: str
    epoch: int
    started_at: float
    live_at: float
    accepted: dict[str, str]
    ends_at: float | None = None

    def is_alive(self, now: float) -> bool:
        return self.ends_at is None or now < self.ends_at


@dataclass
class NodeWorld:
    """Everything outside the operator. `faults` maps an act to what goes wrong with it, one per try."""

    now: Callable[[], float]
    cache_file: Path
    directories: dict[str, int] = field(default_factory=dict)
    certificate: Pair | None = None
    limit: Limit | None = None
    processes: dict[int, Process] = field(default_factory=dict)
    handed: dict[int, Document] = field(default_factory=dict)
    routed: tuple[int, ...] = ()
    edges: list[Edge] = field(default_factory=list)
    edge_files: dict[str, dict] = field(default_factory=dict)
    port_holder: PortHolder | None = None
    blind: set[str] = field(default_factory=set)
    faults: dict[str, list[str]] = field(default_factory=dict)
    start_s: float = 0.8
    log: list[str] = field(default_factory=list)
    served: int = 0
    dropped: list[str] = field(default_factory=list)

    def fault(self, act: str) -> str:
        planned = self.faults.get(act, [])
        return planned.pop(0) if planned else ""

    def has_directory(self, name: str) -> bool:
        return any(path.endswith(f"/{name}") for path in self.directories)

    def edge(self) -> Edge | None:
        """The one that has the port."""
        living = [edge for edge in self.edges if edge.is_alive(self.now())]
        return next((edge for edge in reversed(living) if edge.live_at <= self.now()), None)

    def alive(self) -> list[Process]:
        return [process for process in self.processes.values() if process.alive]

    def serve_one(self) -> str:
        """What a gateway's request of this moment comes to; empty is success."""
        if self.edge() is None:
            return "nobody listens"
        if not self.routed:
            return "no runtime behind the edge"
        behind = [self.processes.get(generation) for generation in self.routed]
        sound = [process for process in behind if process is not None and process.serves(self.now())]
        return "" if len(sound) == len(behind) else f"runtime {self.routed} does not answer"

    async def stream(self, every_s: float = 0.05) -> None:
        """A client that never pauses; what it loses is in `dropped`."""
        while True:
            problem = self.serve_one()
            if problem:
                self.dropped.append(f"{self.now():.2f} {problem}")
            else:
                self.served += 1
            await asyncio.sleep(every_s)

    def kill_runtime(self, ending: str = "killed by SIGKILL") -> None:
        for process in self.alive():
            process.alive, process.ending = False, ending

    def kill_edge(self) -> None:
        for edge in self.edges:
            edge.ends_at = min(self.now(), edge.ends_at or self.now())
