"""The world of a node as simple state machines: directories, certificate, edge, runtime generations, clients.

The kinds' real planners run over it, and the real eyes and hands of the runtime, its settings and presets;
processes, sockets and files are played. Whoever acts on it is one operator, by a `Grip`: a dead operator's
grip changes nothing any more, as SIGKILL has it. Time is virtual.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from reconciler.children import Child
from reconciler.core.errors import Transient
from reconciler.core.values import Known, Observation, Operation, Unknown
from reconciler.resources.address_limit import plan as address_limit_plan
from reconciler.resources.address_limit.state import AddressLimitDesired, AddressLimitObserved, Limit
from reconciler.resources.certificate import plan as certificate_plan
from reconciler.resources.certificate.state import CertificateDesired, CertificateObserved, Pair
from reconciler.resources.data_directory.state import (
    DataDesired,
    DataObserved,
    SeenClock,
    SeenDirectory,
    SeenRoom,
)
from reconciler.resources.edge import config
from reconciler.resources.edge import plan as edge_plan
from reconciler.resources.edge.state import DocumentSeen, EdgeDesired, EdgeObserved, EdgeProcess
from reconciler.resources.runtime.state import Mark
from reconciler.serving.control import ControlUnreachable, Health, OlderGeneration
from reconciler.serving.instances import Instances
from reconciler.serving.presets import Measurement, Reached, read_cache
from reconciler.serving.spec import Document
from reconciler.serving.status import RuntimeStatus, WorkerStatus
from reconciler.serving.wish import Surroundings

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


class FakeControl:
    """A runtime's control socket."""

    def __init__(self, world: NodeWorld, grip: Grip, generation: int) -> None:
        self._world, self._grip, self._generation = world, grip, generation

    def _process(self) -> Process:
        process = self._world.processes.get(self._generation)
        if process is None or not process.alive or process.silent:
            raise ControlUnreachable("nobody listens")
        return process

    async def health(self) -> Health:
        await asyncio.sleep(0.001)
        process = self._process()
        if process.serves(self._world.now()):
            return Health(ok=True)
        return Health(ok=False, reason="stopping" if process.stopping else "workers start")

    async def spec(self) -> Document:
        await asyncio.sleep(0.001)
        return copy.deepcopy(self._process().document)

    async def status(self) -> RuntimeStatus:
        process = self._process()
        return RuntimeStatus(
            generation=int(process.document["generation"]),
            serving=process.serves(self._world.now()),
            draining=process.stopping,
            sessions_live=1,
            sessions_limit=process.document["video"]["sessions"],
            workers=tuple(
                WorkerStatus(name=name, state="ready", device=slot["device"])
                for name, slot in sorted(process.document["video"]["workers"].items())
            ),
        )

    async def put(self, document: Document) -> None:
        self._grip.place()
        process = self._process()
        fault = self._world.fault("put")
        if fault == "fail":
            raise ControlUnreachable("the socket is broken")
        if document["generation"] <= process.document["generation"] and document != process.document:
            raise OlderGeneration
        process.document = copy.deepcopy(document)
        self._world.log.append(f"put {self._generation} {document['generation']}")
        if fault == "lie":
            raise ControlUnreachable("the answer was lost")
        self._grip.place()


class FakeHands:
    """The runtime kind's `RuntimeHands`, and the eyes of settings and presets."""

    def __init__(self, world: NodeWorld, grip: Grip) -> None:
        self._world, self._grip = world, grip

    def now(self) -> float:
        return self._world.now()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def instances(self) -> Instances:
        if "runtime" in self._world.blind:
            raise OSError("the directory of children cannot be read")
        children = tuple(
            Child(
                role="runtime",
                generation=process.generation,
                pid=1000 + process.generation,
                start_time=1,
                program=str(process.mark),
                started_at=process.started_at,
                alive=process.alive,
                ending=process.ending,
            )
            for process in sorted(self._world.processes.values(), key=lambda process: process.generation)
        )
        return Instances(children=children, routed=self._world.routed)

    def control(self, generation: int) -> FakeControl:
        return FakeControl(self._world, self._grip, generation)

    def handed_over(self, generation: int) -> Document | None:
        return copy.deepcopy(self._world.handed.get(generation))

    def last_generation(self) -> int:
        return max([*self._world.processes, *self._world.handed], default=0)

    async def surroundings(self) -> Surroundings:
        return Surroundings(gpus=(), cache=read_cache(self._world.cache_file))

    async def start(self, generation: int, document: Document, mark: Mark) -> None:
        world = self._world
        self._grip.place()
        fault = world.fault("start")
        if fault == "fail":
            raise Transient("the runtime cannot be started")
        if generation in world.processes and world.processes[generation].alive:
            return
        assert world.has_directory("specs"), "started before its directory is there"
        world.handed[generation] = copy.deepcopy(document)
        delay_s = 1e9 if fault == "slow" else world.start_s
        now = world.now()
        process = Process(generation, mark, now, now + delay_s, copy.deepcopy(document))
        world.processes[generation] = process
        world.log.append(f"start {generation}")
        if fault == "die":
            process.alive, process.ending = False, "exited 1"
        self._grip.place()

    async def end(self, generation: int, grace_s: float) -> bool:
        self._grip.place()
        process = self._world.processes.get(generation)
        if process is None or not process.alive:
            return True
        process.stopping = True
        self._world.log.append(f"stop {generation}")
        self._grip.place()
        await asyncio.sleep(min(0.3, grace_s))
        process.alive, process.ending = False, "exited 0"
        return True

    def route(self, generation: int) -> None:
        self._grip.place()
        self._world.routed = (generation,)
        self._world.log.append(f"route {generation}")
        self._grip.place()

    def forget(self, generation: int) -> None:
        self._grip.place()
        self._world.handed.pop(generation, None)
        newest = max(self._world.processes)
        for number in [n for n, p in self._world.processes.items() if not p.alive and n != newest]:
            del self._world.processes[number]

    def last_words(self) -> str:
        return "Traceback: it did not work"


class FakeCalibration:
    def __init__(self, world: NodeWorld, grip: Grip) -> None:
        self._world, self._grip = world, grip

    async def measure(self, sessions: int, limit_s: float) -> Measurement:
        self._grip.place()
        await asyncio.sleep(5.0)
        if self._world.fault("measure") == "fail":
            raise Transient("the measurement broke")
        self._grip.place()
        return Measurement(
            sessions=sessions,
            reached=(Reached("ultrafast", 99), Reached("fast", sessions), Reached("medium", 0)),
            summary="31 fps",
            at=self._world.now(),
        )


class DirectoryEyes:
    def __init__(self, world: NodeWorld, desired: DataDesired) -> None:
        self._world, self._desired = world, desired

    async def observe(self) -> Observation:
        if "data_directory" in self._world.blind:
            return Unknown("somebody else owns it", self._world.now())
        modes = self._world.directories
        seen = DataObserved(
            directories=tuple(
                SeenDirectory(
                    name=each.name, modes=tuple((str(path), modes.get(str(path))) for path in each.paths)
                )
                for each in self._desired.directories
            ),
            rooms=tuple(
                SeenRoom(name=room.name, free_bytes=10**12, total_bytes=10**13, free_files=10**6)
                for room in self._desired.rooms
            ),
            clock=SeenClock(disciplined=True, error_s=0.001),
        )
        return Known(seen, self._world.now())


class DirectoryHands:
    def __init__(self, world: NodeWorld, grip: Grip) -> None:
        self._world, self._grip = world, grip

    async def holds(self, operation: Operation) -> bool:
        modes = self._world.directories
        wrong = {path: modes.get(path) for path in operation.arguments["paths"]}
        return {"wrong": {p: mode for p, mode in wrong.items() if mode != 0o700}} == operation.precondition

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        for path in operation.arguments["paths"]:
            self._grip.place()
            self._world.directories[path] = 0o700
        self._grip.place()
        return "private"


class CertificateEyes:
    def __init__(self, world: NodeWorld) -> None:
        self._world = world

    def look(self) -> CertificateObserved:
        pair = self._world.certificate
        return CertificateObserved(served=pair, declared=None, kept=pair)

    async def observe(self) -> Observation:
        if "edge.certificate" in self._world.blind:
            return Unknown("the reference cannot be read", self._world.now())
        return Known(self.look(), self._world.now())


class CertificateHands:
    def __init__(self, world: NodeWorld, desired: CertificateDesired, grip: Grip) -> None:
        self._world, self._desired, self._grip = world, desired, grip

    async def holds(self, operation: Operation) -> bool:
        return certificate_plan.precondition(CertificateEyes(self._world).look()) == operation.precondition

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        self._grip.place()
        assert self._world.has_directory("tls"), "made before its directory is there"
        seen = CertificateEyes(self._world).look()
        now = self._world.now()
        self._world.certificate = Pair(
            fingerprint=f"made at {now}",
            names=certificate_plan.wanted_names(self._desired, seen),
            not_before=now,
            not_after=now + 10 * YEAR_S,
            made_here=True,
        )
        self._world.log.append("certificate")
        self._grip.place()
        return "made"


class AddressEyes:
    def __init__(self, world: NodeWorld) -> None:
        self._world = world

    async def observe(self) -> Observation:
        return Known(AddressLimitObserved(limit=self._world.limit), self._world.now())


class AddressHands:
    def __init__(self, world: NodeWorld, desired: AddressLimitDesired, grip: Grip) -> None:
        self._world, self._desired, self._grip = world, desired, grip

    async def holds(self, operation: Operation) -> bool:
        seen = AddressLimitObserved(limit=self._world.limit)
        return address_limit_plan.precondition(seen) == operation.precondition

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        self._grip.place()
        self._world.limit = Limit(self._desired.port, self._desired.connections)
        self._grip.place()
        return "limited"


class EdgeEyes:
    def __init__(self, world: NodeWorld, desired: EdgeDesired) -> None:
        self._world, self._desired = world, desired

    def look(self) -> EdgeObserved:
        now = self._world.now()
        living = [edge for edge in self._world.edges if edge.is_alive(now)]
        newest = self._world.edges[-1] if self._world.edges else None
        return EdgeObserved(
            processes=tuple(self._seen(edge) for edge in living),
            documents=tuple(
                DocumentSeen(
                    name=name,
                    version=config.version_of(document),
                    facts=config.facts_of(name, document),
                )
                for name, document in sorted(self._world.edge_files.items())
            ),
            last_generation=newest.generation if newest else 0,
            last_ending="killed by SIGKILL" if newest and not newest.is_alive(now) else "",
        )

    def _seen(self, edge: Edge) -> EdgeProcess:
        now = self._world.now()
        return EdgeProcess(
            generation=edge.generation,
            pid=500 + edge.generation,
            start_time=1,
            started_at=edge.started_at,
            program=edge.program,
            epoch=edge.epoch,
            base_id=1,
            state="DRAINING" if edge.ends_at else "LIVE" if edge.live_at <= now else "INITIALIZING",
            accepted=tuple(sorted(edge.accepted.items())),
        )

    async def observe(self) -> Observation:
        if "edge" in self._world.blind:
            return Unknown("the children cannot be read", self._world.now())
        return Known(self.look(), self._world.now())


class EdgeHands:
    def __init__(self, world: NodeWorld, desired: EdgeDesired, grip: Grip) -> None:
        self._world, self._desired, self._grip = world, desired, grip
        self._eyes = EdgeEyes(world, desired)

    async def holds(self, operation: Operation) -> bool:
        return edge_plan.precondition(operation.target, self._eyes.look()) == operation.precondition

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        self._grip.place()
        assert self._world.certificate is not None, "the edge needs a certificate"
        if operation.target == edge_plan.PROCESS:
            return await self._launch(operation)
        name = edge_plan.FILES[operation.target]
        self._world.edge_files[name] = copy.deepcopy(config.documents(self._desired)[name])
        self._grip.place()
        await asyncio.sleep(0.1)
        edge = self._world.edge()
        if edge:
            edge.accepted[name] = config.version_of(self._world.edge_files[name])
        return f"{name} is in force"

    async def _launch(self, operation: Operation) -> str:
        world, now = self._world, self._world.now()
        current = world.edge()
        if operation.verb == "start":
            for name, document in config.documents(self._desired).items():
                world.edge_files[name] = copy.deepcopy(document)
        new = Edge(
            generation=1 + max((edge.generation for edge in world.edges), default=0),
            program=config.program_digest(self._desired, operation.arguments["token"]),
            epoch=current.epoch + 1 if current else 0,
            started_at=now,
            live_at=now + 0.4,
            accepted={name: config.version_of(document) for name, document in world.edge_files.items()},
        )
        world.edges.append(new)
        world.log.append(f"edge {new.generation}")
        self._grip.place()
        await asyncio.sleep(0.5)
        for edge in world.edges[:-1]:  # the new one has the port; the old ones end what they began
            edge.ends_at = min(edge.ends_at or 1e12, world.now() + self._desired.drain_s)
        self._grip.place()
        return f"edge {new.generation} serves"
