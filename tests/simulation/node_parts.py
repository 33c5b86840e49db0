"""Observers and actors of directories, certificate, address limit and edge on a `NodeWorld`.

Preconditions are the kinds' own; files and processes are played.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable

from reconciler.core.errors import Terminal, Transient
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
from reconciler.resources.edge import config, words
from reconciler.resources.edge import plan as edge_plan
from reconciler.resources.edge.state import DocumentSeen, EdgeDesired, EdgeObserved, EdgeProcess
from tests.simulation.node_world import Edge, Grip, NodeWorld

YEAR_S = 365 * 86_400.0


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
            port_holder=self._world.port_holder,
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
        if world.port_holder:
            raise Terminal(words.port_in_use(self._desired, world.port_holder, shared=False)[0])
        world.edges.append(new)
        world.log.append(f"edge {new.generation}")
        if world.fault("edge") == "die":
            new.ends_at = now
            raise Transient("Envoy exited 1 while it started")
        self._grip.place()
        await asyncio.sleep(0.5)
        for edge in world.edges[:-1]:  # the new one has the port; the old ones end what they began
            edge.ends_at = min(edge.ends_at or 1e12, world.now() + self._desired.drain_s)
        self._grip.place()
        return f"edge {new.generation} serves"
