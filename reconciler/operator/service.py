"""The running operator, as its doors see it: questions it answers, and wishes it takes.

Holds no policy: plans, conditions and outcomes come from the engine and the loop, texts from the reports. A
convergence asked for here is run by the loop itself, so it never overlaps the loop's own runs. Single-
threaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from reconciler.core.clock import Clock
from reconciler.core.engine import Engine, Report
from reconciler.core.errors import Blocked, OperatorError, UsageError
from reconciler.core.executor import Progress
from reconciler.core.loop import Loop
from reconciler.core.status import Status
from reconciler.core.values import Event, Plan
from reconciler.layout import Layout
from reconciler.operator.account import ask_runtime, node_status
from reconciler.operator.broadcast import Broadcast, News
from reconciler.operator.convergence import Expected, converge_to_the_end
from reconciler.operator.stopping import Stopping, Tell, forget_serving
from reconciler.operator.telling import Teller
from reconciler.report.metrics import Measured, render_metrics
from reconciler.report.status import NodeStatus, OperatorProcess

RESTARTABLE = {"runtime": "runtime.process", "edge": "edge.process"}
"""What can be restarted by hand, and the target that the wish is about."""

_STATUS_AGE_S = 1.0
_EVENT_SILENCE_S = 15.0
_STOP_PATIENCE_S = 30.0


@dataclass(slots=True, kw_only=True)
class Operator:
    engine: Engine
    loop: Loop
    layout: Layout
    clock: Clock
    version: str
    process: OperatorProcess
    broadcast: Broadcast
    news: News
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _status: Status | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stopping: asyncio.Task[None] | None = None
    _stop_listeners: list[Tell] = field(default_factory=list)
    _background: set[asyncio.Task[None]] = field(default_factory=set)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs on whether or not somebody waits for it."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def status(self) -> NodeStatus:
        """Looked at now, or within the last second."""
        async with self._looking:
            known = self._status
            if known is None or self.clock.now() - known.at > _STATUS_AGE_S:
                self._status = known = await self.engine.status()
        return await node_status(known, self.layout, version=self.version, operator=self.process)

    async def metrics(self) -> bytes:
        """The operator's own, then the runtime's where it answers."""
        latest = self.loop.latest
        own = render_metrics(
            Measured(
                kinds=sorted(self.loop.keys),
                figures=self.loop.figures,
                status=latest.status if latest else None,
                now=self.clock.now(),
            )
        )
        return own + (await ask_runtime(self.layout, "/metrics") or b"")

    async def plan(self) -> Plan:
        return await self.engine.plan()

    async def events(self, *, after: int, follow: bool) -> AsyncIterator[Event | None]:
        """After a sequence number. Following, `None` now and then, so that a dead reader is noticed."""
        while True:
            found = self.engine.journal.events(after=after)
            for event in found:
                after = event.sequence
                yield event
            if found:
                continue
            if not follow or self.news.closed:
                return
            await self.news.wait(_EVENT_SILENCE_S)
            yield None

    def suspend(self, *, reason: str, by: str, until: float | None) -> None:
        self.engine.suspend(reason=reason, by=by, until=until)
        self.loop.mark_all("suspended")

    def resume(self, *, by: str) -> None:
        self.engine.resume(by=by)
        self.loop.mark_all("resumed", urgent=True)

    def request(self, what: str, *, by: str) -> None:
        """Wishes by hand. Raises `OperatorError` for what cannot be restarted."""
        self.engine.request(restart_target(what), token_hex(8), by=by)

    def agree_on(self, revision: str) -> None:
        """An asker's files declare what ours do, now. Raises `UsageError` where they do not."""
        if revision != self.engine.node.revision:  # saved a moment ago, perhaps
            self.loop.reload("asked for")
        ours = self.engine.node.revision
        if revision != ours:
            raise UsageError(
                f"the operator (pid {self.process.pid}) was started with other files: they declare revision "
                f"{ours[:7]}, the ones named here {revision[:7]}",
                next_step="name its files, or end it (SIGTERM drops no job) and `reconcile run` with these",
            )

    async def reconcile(self, teller: Teller, *, force: bool, expected: Expected | None) -> int:
        """Runs everything in the loop and tells it; returns the exit code."""
        suspension = self.engine.journal.memory().suspension
        held = suspension if suspension and suspension.holds(self.clock.now()) else None
        through = _ThroughLoop(self.engine, self.loop, self.broadcast)
        return await converge_to_the_end(through, teller, force=force, expected=expected, suspension=held)

    async def stop(self, tell: Tell, *, drain_s: float | None) -> None:
        """Ends the node and then this process. One stop at a time; later askers hear the same one."""
        self._stop_listeners.append(tell)
        if self._stopping is None:
            self._stopping = self.spawn(self._stop(drain_s))
        await asyncio.shield(self._stopping)

    @property
    def is_stopping(self) -> bool:
        return self._stopping is not None

    async def _stop(self, drain_s: float | None) -> None:
        self.engine.emit("operator.stopping", {})
        self.loop.stop()
        await self._until_idle()
        stopping = Stopping(layout=self.layout, clock=self.clock, tell=self._tell_all, drain_s=drain_s)
        try:
            await stopping.run()
            forget_serving(self.engine.journal)
        finally:
            self.ended.set()

    async def _until_idle(self) -> None:
        ends_at = self.clock.now() + _STOP_PATIENCE_S
        while self.loop.figures.running_since is not None and self.clock.now() < ends_at:
            self._tell_all("waiting for the run in progress")
            await self.clock.sleep(0.2)

    def _tell_all(self, text: str) -> None:
        for tell in self._stop_listeners:
            tell(text)


@dataclass(frozen=True, slots=True)
class _ThroughLoop:
    """The engine's face for a convergence that the loop runs."""

    engine: Engine
    loop: Loop
    broadcast: Broadcast

    async def plan(self, *, only: frozenset[str] | None = None, force: bool = False) -> Plan:
        return await self.engine.plan(only=only, force=force)

    async def converge(
        self,
        *,
        only: frozenset[str] | None = None,
        force: bool = False,
        expected: Plan | None = None,
        progress: Progress | None = None,
    ) -> Report:
        del only, expected  # the loop runs every kind, and what was expected was compared a moment ago
        if progress is None:
            report = await self.loop.handle("asked for", force=force)
        else:
            with self.broadcast.heard_by(progress):
                report = await self.loop.handle("asked for", force=force)
        if report is None:
            raise OperatorError("the run broke; the operator's log says how", next_step="`reconcile events`")
        return report


def restart_target(what: str) -> str:
    if what not in RESTARTABLE:
        raise Blocked(f"{what} cannot be restarted by hand", next_step=f"one of: {', '.join(RESTARTABLE)}")
    return RESTARTABLE[what]
