"""What the real observers and actors of runtime, settings and presets work through, on a `NodeWorld`."""

from __future__ import annotations

import asyncio
import copy

from reconciler.children import Child
from reconciler.core.errors import Transient
from reconciler.resources.runtime.state import Mark
from reconciler.serving.control import ControlUnreachable, Health, OlderGeneration
from reconciler.serving.instances import Instances
from reconciler.serving.presets import Measurement, Reached, read_cache
from reconciler.serving.spec import Document
from reconciler.serving.status import RuntimeStatus, WorkerStatus
from reconciler.serving.wish import Surroundings
from tests.simulation.node_world import Grip, NodeWorld, Process

YEAR_S = 365 * 86_400.0


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
