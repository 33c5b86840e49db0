"""`reconcile run`: one process that holds the node, watches world and files, and answers at its doors.

Order matters: lock, log, journal, doors, loop. SIGTERM and SIGINT end the operator only, its children serve
on; `stop` ends everything; SIGHUP reads the files again. A bad edit while running changes nothing but a
condition. Everything decided is decided elsewhere; this is the wiring.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from reconciler.children import Child, rotate_logs
from reconciler.core.clock import Clock, SystemClock
from reconciler.core.engine import Engine, Report
from reconciler.core.loop import Loop
from reconciler.core.node import Node
from reconciler.core.values import Event, Json
from reconciler.layout import Layout
from reconciler.operator.assembly import holding, make_engine, open_journal
from reconciler.operator.broadcast import Broadcast, News
from reconciler.operator.declared import DeclaredNode
from reconciler.operator.listening import Doors
from reconciler.operator.logs import set_level, start_log
from reconciler.operator.service import Operator
from reconciler.operator.watch_children import ChildWatch
from reconciler.operator.watch_files import watch_files
from reconciler.report.status import OperatorProcess

_LOG = logging.getLogger("reconciler.operator")

_LOG_BYTES = 50 * 1024 * 1024
_LOGS_KEPT = 3
_ROTATE_EVERY_S = 60.0
_LOOK_AT_LOCK_EVERY_S = 2.0
_ENDING_PATIENCE_S = 5.0

_BAD_NEWS = ("failed", "vetoed", "rejected", "unknown", "timed_out", "stale")


@dataclass(slots=True, kw_only=True)
class Daemon:
    """One run. `declared` reads the files; `version` is this product's."""

    declared: DeclaredNode
    version: str
    clock: Clock = field(default_factory=SystemClock)
    _received: signal.Signals | None = None
    _lost: bool = False
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)

    def run(self) -> int:
        """Until a signal or a stop; returns the exit code. Raises `ConfigError` or `LockHeld` at once."""
        node = self.declared.load()
        layout = self.declared.layout
        with holding(layout, verb="run", pid=os.getpid(), clock=self.clock):
            start_log(layout, level=self.declared.log_level, redact=self.declared.redact)
            with open_journal(layout) as journal:
                news = News()
                engine = make_engine(node, journal, announce=_announcing(news), clock=self.clock)
                asyncio.run(self._serve(engine, layout, news))
        if self._lost:
            return 1
        return 0 if self._received is None else 128 + self._received

    async def _serve(self, engine: Engine, layout: Layout, news: News) -> None:
        broadcast = Broadcast()
        watching: list[ChildWatch] = []
        loop = Loop(
            engine,
            self._load,
            clock=self.clock,
            random=Random(),  # noqa: S311 - jitter
            progress=broadcast,
            on_report=lambda report: _look_again(report, watching),
        )
        operator = Operator(
            engine=engine,
            loop=loop,
            layout=layout,
            clock=self.clock,
            version=self.version,
            process=OperatorProcess(pid=os.getpid(), started_at=self.clock.now()),
            broadcast=broadcast,
            news=news,
        )
        watching.append(ChildWatch(layout, lambda child, how: _child_ended(operator, child, how)))
        doors = Doors(operator, self.declared)
        try:
            await doors.open()
            self._take_signals(operator, doors)
            _LOG.info("operator.started", extra={"fields": self._introduction(engine)})
            await self._work(operator, watching[0], doors)
            news.close()
        finally:
            await doors.close()
        _LOG.info("operator.ended", extra={"fields": {"stopped": operator.ended.is_set()}})

    def _introduction(self, engine: Engine) -> dict[str, Json]:
        return {
            "node": engine.node.name,
            "pid": os.getpid(),
            "revision": engine.node.revision,
            "data": str(self.declared.layout.data),
            "version": self.version,
        }

    async def _work(self, operator: Operator, children: ChildWatch, doors: Doors) -> None:
        looping = asyncio.create_task(operator.loop.run())
        beside = [
            asyncio.create_task(children.run()),
            asyncio.create_task(
                watch_files(self._watched, lambda files: self._reload(operator, doors, files))
            ),
            asyncio.create_task(_rotate(operator)),
            asyncio.create_task(self._hold_on(operator)),
        ]
        ending = asyncio.create_task(operator.ended.wait())
        leaving = asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({looping, ending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if operator.is_stopping and not leaving.done():
                await asyncio.wait({ending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            elif looping.done():
                looping.result()  # raises what broke the loop
        finally:
            for task in (*beside, ending, leaving):
                task.cancel()
            await self._end(looping)
            await asyncio.gather(*beside, return_exceptions=True)

    async def _end(self, looping: asyncio.Task[None]) -> None:
        """Runs in progress get a moment; then they are left where they are, as a crash would leave them."""
        await asyncio.wait({looping}, timeout=_ENDING_PATIENCE_S)
        looping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looping

    async def _hold_on(self, operator: Operator) -> None:
        """Without its data directory an operator sees no children and would start them again and again."""
        lock = operator.layout.operator_lock
        held = _inode(lock)
        while _inode(lock) == held:
            await operator.clock.sleep(_LOOK_AT_LOCK_EVERY_S)
        _LOG.error("operator.lost", extra={"fields": {"reason": f"{lock} was removed or replaced"}})
        self._lost = True
        operator.loop.stop()
        self._leaving.set()

    def _load(self) -> Node:
        node = self.declared.load()
        set_level(self.declared.log_level)
        return node

    def _watched(self) -> frozenset[Path]:
        return self.declared.files

    def _reload(self, operator: Operator, doors: Doors, files: frozenset[Path] = frozenset()) -> None:
        names = ", ".join(sorted(path.name for path in files))
        operator.loop.reload(f"{names} changed" if names else "SIGHUP")
        operator.spawn(doors.follow())

    def _take_signals(self, operator: Operator, doors: Doors) -> None:
        running = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(number, self._leave, operator, number)
        running.add_signal_handler(signal.SIGHUP, self._reload, operator, doors)

    def _leave(self, operator: Operator, number: signal.Signals) -> None:
        self._received = number
        _LOG.info("operator.leaving", extra={"fields": {"signal": number.name, "children": "serve on"}})
        operator.loop.stop()
        self._leaving.set()


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _announcing(news: News) -> Callable[[Event], None]:
    def announce(event: Event) -> None:
        bad = event.name.rpartition(".")[2] in _BAD_NEWS
        fields = {"sequence": event.sequence, **event.fields}
        _LOG.log(logging.WARNING if bad else logging.INFO, event.name, extra={"fields": fields})
        news.wake()

    return announce


def _look_again(report: Report, watching: list[ChildWatch]) -> None:
    if report.changed:
        for watch in watching:
            watch.look()


def _child_ended(operator: Operator, child: Child, how: str) -> None:
    fields = {"child": child.name, "pid": child.pid, "how": how or "unknown"}
    operator.engine.emit("child.ended", fields)
    operator.loop.mark(child.role, f"{child.name} {how or 'ended'}")


async def _rotate(operator: Operator) -> None:
    while True:
        await operator.clock.sleep(_ROTATE_EVERY_S)
        try:
            rotate_logs(operator.layout, over_bytes=_LOG_BYTES, keep=_LOGS_KEPT)
        except OSError as error:
            _LOG.warning("logs.unrotated", extra={"fields": {"reason": str(error)}})
