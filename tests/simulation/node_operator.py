"""A real operator on the simulated node: the registry's kinds, the engine and the loop, over a `NodeWorld`.

`Declared` is the node's file: text that is read by the real reader each time it changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from reconciler.core.clock import VirtualClock
from reconciler.core.engine import Engine
from reconciler.core.journal import Journal
from reconciler.core.loop import Loop
from reconciler.core.node import Node
from reconciler.facts import Facts
from reconciler.layout import Layout
from reconciler.registry import build_node
from reconciler.resources.address_limit.nft import Nft
from reconciler.resources.presets.act import PresetsActor
from reconciler.resources.presets.observe import PresetsObserver
from reconciler.resources.runtime.act import RuntimeActor
from reconciler.resources.runtime.observe import RuntimeObserver
from reconciler.resources.runtime.state import Program
from reconciler.resources.settings.act import SettingsActor
from reconciler.resources.settings.observe import SettingsObserver
from reconciler.serving.capacity import Machine
from reconciler.serving.gpus import Inventory
from reconciler.spec.load import load
from tests.simulation.node_hands import FakeCalibration, FakeHands
from tests.simulation.node_parts import (
    AddressEyes,
    AddressHands,
    CertificateEyes,
    CertificateHands,
    DirectoryEyes,
    DirectoryHands,
    EdgeEyes,
    EdgeHands,
)
from tests.simulation.node_world import Grip, NodeWorld

BASE = """\
apiVersion: livepeer.orchestrator/v1
name: sim-1
log: info
service: {uri: "https://sim.example.com:8935"}
gpus: none
video: {preset: fast, sessions: 4}
pricing: {video: 1200 wei}
"""


class NoGpus:
    def look(self) -> Inventory:
        return Inventory(driver="")


@dataclass
class Declared:
    """The file and the installation: what an operator finds when it starts."""

    folder: Path
    text: str = BASE
    program: str = "aaaa"
    _nodes: dict[tuple[str, str], Node] = field(default_factory=dict)

    def facts(self) -> Facts:
        return Facts(
            machine=Machine(cpu="simulated", cores=4, memory_bytes=16 * 1024**3),
            program=Program(digest=self.program, version="0.1.0", python="3.11"),
            libraries="av 18",
            clock=VirtualClock(),
            environment={},
            gpus=NoGpus(),
            packets=Nft(),  # never asked: the simulation has eyes and hands of its own
        )

    def read(self) -> Node:
        """The registry's node, with its own observers and actors; made once for each text and program."""
        key = (self.text, self.program)
        if key not in self._nodes:
            path = self.folder / "orchestrator.yaml"
            path.write_text(self.text)
            declaration = load([path])
            layout = Layout(data=declaration.paths.data, weights=declaration.paths.weights)
            self._nodes[key] = build_node(declaration, layout, acting=True, facts=self.facts())
        return self._nodes[key]

    def write(self, old: str, new: str) -> None:
        assert old in self.text
        self.text = self.text.replace(old, new)


def node_over(world: NodeWorld, declared: Declared, grip: Grip) -> Node:
    """The registry's kinds, with eyes and hands of the simulated world."""
    node = declared.read()
    wants = {kind.name: kind.desired for kind in node.kinds}
    hands = FakeHands(world, grip)
    observers = {
        "data_directory": DirectoryEyes(world, wants["data_directory"]),
        "edge.certificate": CertificateEyes(world),
        "presets": PresetsObserver(hands),
        "settings": SettingsObserver(hands),
        "runtime": RuntimeObserver(hands),
        "edge.address": AddressEyes(world),
        "edge": EdgeEyes(world, wants["edge"]),
    }
    actors = {
        "data_directory": DirectoryHands(world, grip),
        "edge.certificate": CertificateHands(world, wants["edge.certificate"], grip),
        "presets": PresetsActor(hands, FakeCalibration(world, grip), world.cache_file),
        "settings": SettingsActor(hands),
        "runtime": RuntimeActor(hands, wants["runtime"]),
        "edge.address": AddressHands(world, wants["edge.address"], grip),
        "edge": EdgeHands(world, wants["edge"], grip),
    }
    assert set(observers) == {kind.name for kind in node.kinds}, "a kind without a part in the simulation"
    return replace(node, observers=observers, actors=actors)


@dataclass
class Operator:
    """One life of the operator."""

    world: NodeWorld
    declared: Declared
    journal: Journal
    grip: Grip = field(default_factory=Grip)
    seed: int = 1

    def __post_init__(self) -> None:
        clock = VirtualClock()
        self.engine = Engine(
            self._load(), MortalJournal(self.journal, self.grip), clock=clock, random=Random(self.seed)
        )
        self.loop = Loop(self.engine, self._load, clock=clock, random=Random(self.seed + 1))

    def _load(self) -> Node:
        return node_over(self.world, self.declared, self.grip)

    async def converge_to_the_end(self, most: int = 8, **how) -> list:
        reports = [await self.engine.converge(**how)]
        while reports[-1].changed and not reports[-1].remaining.is_empty and len(reports) < most:
            reports.append(await self.engine.converge())
        return reports


class MortalJournal:
    """The journal of an operator that may die before and after each write, and writes nothing when dead."""

    _READS = frozenset({"memory", "events", "runs", "declaration", "close"})

    def __init__(self, inner: Journal, grip: Grip) -> None:
        self._inner, self._grip = inner, grip

    def __getattr__(self, name: str):
        method = getattr(self._inner, name)
        if name in self._READS:
            return method

        def write(*args, **kwargs):
            self._grip.place()
            answer = method(*args, **kwargs)
            self._grip.place()
            return answer

        return write
