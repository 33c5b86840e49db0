"""Ends a node: no new work, then the runtime, then the edge, leaving no process, socket or rendition behind.

Works on what is there, not on what is declared, so it needs no valid declaration. The caller holds the
operator's lock and has ended its loop, so nothing is started again meanwhile. Told through `tell`, step by
step.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import cast

from reconciler.children import Child, end_child, forget_dead, observe_children
from reconciler.core.clock import Clock
from reconciler.core.errors import ApplyError
from reconciler.core.journal import Journal
from reconciler.layout import Layout
from reconciler.resources.address_limit.act import remove_limit
from reconciler.resources.address_limit.nft import Nft
from reconciler.resources.address_limit.state import table_of
from reconciler.resources.edge.admin import SocketAdmin
from reconciler.resources.edge.stop import stop_edge
from reconciler.serving.control import ControlUnreachable, HttpRuntimeControl, OlderGeneration, SpecRejected
from reconciler.serving.spec import Document, drain_seconds, generation_of

_POLL_S = 0.5
_EDGE_GRACE_S = 3.0
"""Nothing serves behind the edge any more by then; this is for answers on their way out."""

_RUNTIME_GRACE_S = 120.0
_OTHER_GRACE_S = 10.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """`drain_s` is how long running sessions may go on; 0 ends them with the requests in flight."""

    layout: Layout
    clock: Clock
    tell: Tell
    drain_s: float | None = None

    async def run(self) -> None:
        """Raises `ApplyError`, naming it, where a child did not end. Safe to repeat."""
        alive = [child for child in observe_children(self.layout) if child.alive]
        runtimes = [child for child in alive if child.role == "runtime"]
        edges = [child for child in alive if child.role == "edge"]
        others = [child for child in alive if child.role not in {"runtime", "edge"}]
        await self._all(self._drain(child) for child in runtimes)
        await self._all(self._end_runtime(child) for child in runtimes)
        if edges:
            self.tell("edge: ending")
            await stop_edge(self.layout, SocketAdmin(), drain_s=_EDGE_GRACE_S)
            self.tell("edge: ended")
        await remove_limit(table_of(self.layout), Nft())
        await self._all(self._end(child, _OTHER_GRACE_S) for child in others)
        left = [child.name for child in observe_children(self.layout) if child.alive]
        if left:
            raise ApplyError(
                f"still there: {', '.join(left)}",
                next_step="it is stuck in the kernel; `ps` shows in what, and a repeated stop tries again",
            )
        self._clear_away()

    async def _all(self, works: Iterable[Awaitable[None]]) -> None:
        await asyncio.gather(*works)

    async def _drain(self, child: Child) -> None:
        """Refuses new sessions and waits until the running ones are over, or their time is."""
        control = HttpRuntimeControl(self.layout.runtime_control(child.generation))
        try:
            document = await control.spec()
            limit_s = drain_seconds(document, _RUNTIME_GRACE_S) if self.drain_s is None else self.drain_s
            await self._close_admission(control, document)
            await self._until_idle(control, child, limit_s)
        except (ControlUnreachable, OlderGeneration, SpecRejected) as error:
            self.tell(f"{child.name}: cannot be drained ({error}); it ends with its requests in flight")

    async def _close_admission(self, control: HttpRuntimeControl, document: Document) -> None:
        service = cast("Document", document.get("service") or {})
        draining = document | {
            "generation": generation_of(document) + 1,
            "service": service | {"admission": "drain"},
        }
        await control.put(draining)

    async def _until_idle(self, control: HttpRuntimeControl, child: Child, limit_s: float) -> None:
        ends_at = self.clock.now() + limit_s
        while True:
            status = await control.status()
            if not status.sessions_live and not status.jobs_running:
                return
            left_s = ends_at - self.clock.now()
            if left_s <= 0:
                self.tell(
                    f"{child.name}: {status.sessions_live} sessions outlived the drain time; they end now"
                )
                return
            self.tell(
                f"{child.name}: waiting for {status.sessions_live} sessions, {status.jobs_running} jobs"
                f" ({left_s:.0f} s left)"
            )
            await self.clock.sleep(min(_POLL_S, left_s))

    async def _end_runtime(self, child: Child) -> None:
        await self._end(child, await self._grace(child))

    async def _grace(self, child: Child) -> float:
        try:
            document = await HttpRuntimeControl(self.layout.runtime_control(child.generation)).spec()
        except ControlUnreachable:
            return _RUNTIME_GRACE_S
        return drain_seconds(document, _RUNTIME_GRACE_S) + _OTHER_GRACE_S

    async def _end(self, child: Child, grace_s: float) -> None:
        self.tell(f"{child.name}: ending (pid {child.pid})")
        if await end_child(self.layout, child, grace_s=grace_s):
            self.tell(f"{child.name}: ended")

    def _clear_away(self) -> None:
        """What only running processes need. Databases, certificate, logs and newest identities stay."""
        forget_dead(self.layout)
        shutil.rmtree(self.layout.renditions, ignore_errors=True)
        for socket in (*self.layout.run.glob("runtime-*.sock"), *self.layout.run.glob("edge-*.sock")):
            with contextlib.suppress(OSError):
                socket.unlink()


def forget_serving(journal: Journal) -> None:
    """After a stop: what is missing was ended on purpose, so it is no drift, and no condition goes on.

    Nor does a veto: who starts the node again wants everything tried.
    """
    journal.forget_applied()
    journal.forget_failures()
    journal.remember_conditions(())
