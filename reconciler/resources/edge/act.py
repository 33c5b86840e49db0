"""Changes the edge: starts Envoy, hands its port to a newer one, replaces the files that it reads.

Each act is idempotent and ends only when Envoy itself says that it is done. A failed start or upgrade leaves
what was there before: the old process keeps serving until the new one has the port.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import cast

from reconciler.children import (
    Launch,
    child_environment,
    end_child,
    forget_dead,
    last_words,
    log_file,
    next_generation,
    start_child,
)
from reconciler.children.identity import Child, observe_child
from reconciler.core.clock import Clock
from reconciler.core.errors import Terminal, Transient
from reconciler.core.values import Operation
from reconciler.layout import Layout
from reconciler.resources.edge import config, words
from reconciler.resources.edge.admin import AdminSilent, EdgeAdmin
from reconciler.resources.edge.observe import EdgeObserver
from reconciler.resources.edge.plan import FILES, PROCESS, precondition
from reconciler.resources.edge.ports import find_holder, may_bind
from reconciler.resources.edge.state import BASE_ID_ATTEMPTS, ROLE, EdgeDesired, EdgeObserved, base_id
from reconciler.routes import render_endpoints, replace_file, serialize

_READY_WITHIN_S = 45.0
_TAKEN_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.05
_NO_CERTIFICATE = "the operation edge.certificate makes it"


@dataclass(frozen=True, slots=True)
class EdgeActor:
    """`Actor` of the edge of one node."""

    desired: EdgeDesired
    layout: Layout
    admin: EdgeAdmin
    clock: Clock
    environment: dict[str, str] = field(default_factory=dict)

    async def holds(self, operation: Operation) -> bool:
        return precondition(operation.target, await self._look()) == operation.precondition

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        if operation.target != PROCESS:
            return await self._replace_document(FILES[operation.target])
        arguments = cast("dict[str, str]", operation.arguments or {})
        if operation.verb == "upgrade":
            return await self._upgrade(arguments.get("token", ""), tell)
        return await self._start(arguments.get("token", ""), tell)

    async def _look(self) -> EdgeObserved:
        return await EdgeObserver(self.desired, self.layout, self.admin, self.clock).look()

    async def _start(self, token: str, tell: Callable[[str], None]) -> str:
        self._check_port(process.pid for process in (await self._look()).processes)
        self._check_certificate()
        self._write_documents()
        generation = next_generation(self.layout, ROLE)
        child = await self._launch(generation, base=free_base_id(self.desired.identity), epoch=0, token=token)
        tell(f"Envoy {self.desired.program.version} started, pid {child.pid}")
        await self._until_live(child)
        self._tidy()
        return f"serves on {self.desired.address}, pid {child.pid}"

    async def _upgrade(self, token: str, tell: Callable[[str], None]) -> str:
        seen = await self._look()
        current = seen.current
        if current is None:
            return await self._start(token, tell)
        self._check_port(process.pid for process in seen.processes)
        generation = next_generation(self.layout, ROLE)
        child = await self._launch(generation, base=current.base_id, epoch=current.epoch + 1, token=token)
        tell(f"pid {child.pid} takes the port over from pid {current.pid}")
        await self._until_live(child)
        self._tidy()
        return f"pid {child.pid} serves on {self.desired.address}; pid {current.pid} ends what it began"

    async def _replace_document(self, name: str) -> str:
        document = config.documents(self.desired)[name]
        seen = await self._look()
        if name == config.LISTENER:
            self._check_port(process.pid for process in seen.processes)
        replace_file(self.desired.directory / name, serialize(document))
        if seen.current:
            await self._until_taken(seen.current.generation, name, config.version_of(document))
        return f"{name} is in force"

    async def _launch(self, generation: int, *, base: int, epoch: int, token: str) -> Child:
        desired = self.desired
        desired.sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(desired.bootstrap_file(generation), serialize(config.bootstrap(desired, generation)))
        return await start_child(
            self.layout,
            Launch(
                node=desired.node,
                role=ROLE,
                generation=generation,
                program=config.program_digest(desired, token),
                argv=config.arguments(desired, generation=generation, base_id=base, epoch=epoch),
                environment=self.environment or child_environment(os.environ),
                orphaned=True,
            ),
        )

    async def _until_live(self, child: Child) -> None:
        """Ends a start that got nowhere, so that the next try finds no half of it."""
        socket = self.desired.admin_socket(child.generation)
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                while True:
                    if await self._state(child) == "LIVE":
                        return
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError as error:
            await end_child(self.layout, child, grace_s=1.0)
            raise Transient(
                f"Envoy (pid {child.pid}) was not ready within {_READY_WITHIN_S:.0f} s: {self._last_words()}",
                next_step=f"read {log_file(self.layout, ROLE)}; its admin socket is {socket}",
            ) from error

    async def _state(self, child: Child) -> str:
        found = observe_child(self.layout, child.role, child.generation)
        if found is None or not found.alive:
            how = found.ending if found and found.ending else "ended"
            raise Transient(
                f"Envoy {how} while it started: {self._last_words()}",
                next_step=f"read {log_file(self.layout, ROLE)}",
            )
        try:
            return (await self.admin.look(self.desired.admin_socket(child.generation))).state
        except AdminSilent:
            return ""

    async def _until_taken(self, generation: int, name: str, version: str) -> None:
        socket = self.desired.admin_socket(generation)
        try:
            async with asyncio.timeout(_TAKEN_WITHIN_S):
                while True:
                    try:
                        if dict((await self.admin.look(socket)).accepted).get(name) == version:
                            return
                    except AdminSilent:
                        pass  # busy, or just replaced: the time limit decides
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError as error:
            raise Transient(
                f"Envoy has not taken {name} within {_TAKEN_WITHIN_S:.0f} s: {self._last_words()}",
                next_step=f"read {log_file(self.layout, ROLE)}",
            ) from error

    def _write_documents(self) -> None:
        for name, document in config.documents(self.desired).items():
            replace_file(self.desired.directory / name, serialize(document))
        endpoints = self.desired.directory / config.ENDPOINTS
        if not endpoints.exists():
            replace_file(endpoints, serialize(render_endpoints(())))

    def _check_port(self, own: Iterable[int]) -> None:
        desired = self.desired
        if not desired.is_numeric:
            summary, next_step = words.host_unusable(desired)
            raise Terminal(summary, next_step=next_step)
        if not may_bind(desired.port):
            summary, next_step = words.port_forbidden(desired)
            raise Terminal(summary, next_step=next_step)
        holder = find_holder(desired.host, desired.port, set(own))
        if holder:
            summary, next_step = words.port_in_use(desired, holder, shared=False)
            raise Terminal(summary, next_step=next_step)

    def _check_certificate(self) -> None:
        path = self.desired.directory / config.CERTIFICATE
        if self.desired.tls and not path.exists():
            raise Transient(f"the edge has no certificate yet: {path} is missing", next_step=_NO_CERTIFICATE)

    def _tidy(self) -> None:
        """Bootstraps and identities of processes that are gone."""
        forget_dead(self.layout)
        for path in self.desired.directory.glob("bootstrap-*.json"):
            number = path.stem.partition("-")[2]
            child = observe_child(self.layout, ROLE, int(number)) if number.isdecimal() else None
            if child is None or not child.alive:
                path.unlink(missing_ok=True)

    def _last_words(self) -> str:
        return last_words(self.layout, ROLE) or "it wrote nothing"


def free_base_id(identity: str) -> int:
    """The first of this node's base ids whose sockets nobody holds: a drained parent or another node may."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        taken = file.read()
    for attempt in range(BASE_ID_ATTEMPTS):
        candidate = base_id(identity, attempt)
        # the name ends with ten times the base id plus a digit that counts epochs
        if not re.search(rf"@envoy_domain_socket_\w*_{candidate}[0-9](\D|$)", taken):
            return candidate
    raise Transient(
        "no free base id for Envoy's hot restart", next_step="are there Envoys of this node left?"
    )
