"""Real runtime processes: started as managed children, ended, routed to. The hands of `RuntimeActor`.

Its eyes are the shared `ServingWorld`. Each act is idempotent: a generation that lives already is not started
twice, and files are replaced by rename.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.children import Launch, end_child, forget_dead, last_words, reap, start_child
from reconciler.children.identity import observe_child
from reconciler.layout import Layout
from reconciler.resources.runtime.state import Mark
from reconciler.routes import render_endpoints, replace_file, serialize
from reconciler.serving.control import RuntimeControl
from reconciler.serving.instances import ROLE, Instances
from reconciler.serving.spec import Document
from reconciler.serving.wish import Surroundings
from reconciler.serving.world import ServingWorld


@dataclass(frozen=True, slots=True)
class RuntimeProcesses:
    """`environment` is a runtime's whole environment."""

    world: ServingWorld
    node: str
    environment: Mapping[str, str]

    @property
    def _layout(self) -> Layout:
        return self.world.layout

    def now(self) -> float:
        return self.world.now()

    def instances(self) -> Instances:
        return self.world.instances()

    def control(self, generation: int) -> RuntimeControl:
        return self.world.control(generation)

    def handed_over(self, generation: int) -> Document | None:
        return self.world.handed_over(generation)

    def last_generation(self) -> int:
        return self.world.last_generation()

    async def surroundings(self) -> Surroundings:
        return await self.world.surroundings()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def start(self, generation: int, document: Document, mark: Mark) -> None:
        child = observe_child(self._layout, ROLE, generation)
        if child is not None and child.alive:
            return
        path = self._layout.specs / f"{generation}.json"
        replace_file(path, json.dumps(document, indent=1).encode() + b"\n", mode=0o600)
        self._tidy()
        await start_child(
            self._layout,
            Launch(
                node=self.node,
                role=ROLE,
                generation=generation,
                program=str(mark),
                argv=(
                    *(sys.executable, "-P", "-m", "runtime", "--spec", str(path)),
                    *("--public", str(self._layout.runtime_socket(generation))),
                    *("--control", str(self._layout.runtime_control(generation))),
                ),
                environment=self.environment,
            ),
        )

    async def end(self, generation: int, grace_s: float) -> bool:
        child = observe_child(self._layout, ROLE, generation)
        if child is None:
            return True
        if not child.alive:
            reap(self._layout, child)  # how it ended is known to us alone, and only now
            return True
        return await end_child(self._layout, child, grace_s=grace_s)

    def route(self, generation: int) -> None:
        endpoints = render_endpoints([self._layout.runtime_socket(generation)])
        replace_file(self._layout.edge_routes, serialize(endpoints))

    def forget(self, generation: int) -> None:
        self._remove_files(generation)
        self._tidy()

    def last_words(self) -> str:
        return last_words(self._layout, ROLE)

    def _tidy(self) -> None:
        """Forgets dead generations but the newest, and removes what forgotten ones left."""
        forget_dead(self._layout)
        known = {child.generation for child in self.instances().children}
        newest = self.last_generation()
        left = {int(path.stem) for path in self._layout.specs.glob("*.json") if path.stem.isdecimal()}
        for generation in left - known - {newest}:
            self._remove_files(generation)

    def _remove_files(self, generation: int) -> None:
        for path in (
            self._layout.specs / f"{generation}.json",
            self._layout.runtime_socket(generation),
            self._layout.runtime_control(generation),
        ):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
