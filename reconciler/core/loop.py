"""The daemon's loop: things happen, keys are marked, runs converge them.

A key is a kind's name. A run looks at everything but acts on its keys only; what it finds to do elsewhere, or
later, it marks. A full resync marks every key on a jittered interval, so a lost event costs time, never
correctness. A run that breaks is contained here, recorded, and tried again with backoff. Suspended, it goes
on observing and reporting. The CLI's `run` builds it and feeds it events; the planner decides what to do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from random import Random

from reconciler.core.backoff import RUNS, spread
from reconciler.core.clock import Clock
from reconciler.core.engine import Engine, Report, merged
from reconciler.core.errors import ConfigError, OperatorError, Unreachable
from reconciler.core.executor import Progress
from reconciler.core.node import Node
from reconciler.core.queue import Batch, KeyedQueue
from reconciler.core.tally import Figures, Tally
from reconciler.core.values import Plan, Result, Standing

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and how long."""

    resync_s: float = 30.0
    jitter: float = 0.1
    run_timeout_s: float = 1800.0
    parallel_runs: int = 4


class Loop:
    """Single-threaded: call its methods from the event loop's thread only."""

    def __init__(
        self,
        engine: Engine,
        load: Callable[[], Node],
        *,
        clock: Clock,
        random: Random,
        pace: Pace | None = None,
        progress: Progress | None = None,
        on_report: Callable[[Report], None] = lambda _report: None,
    ) -> None:
        self._engine = engine
        self._load = load
        self._clock = clock
        self._random = random
        self._pace = pace or Pace()
        self._progress = progress
        self._on_report = on_report
        self._queue = KeyedQueue()
        self._tally = Tally(declared_at=clock.now())
        self._tally.know(self.keys)
        self._misses: Counter[str] = Counter()
        self._forced: set[str] = set()
        self._numbers = count()
        self._handled: Counter[str] = Counter()
        self._handled_one = asyncio.Condition()
        self._closing = asyncio.Event()
        self._hearing: list[list[Report]] = []
        self._ended = False
        self._latest: Report | None = None

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(kind.name for kind in self._engine.node.kinds)

    @property
    def latest(self) -> Report | None:
        """Of the newest run that came to its end."""
        return self._latest

    @property
    def figures(self) -> Figures:
        return self._tally.figures(queue_depth=self._queue.depth)

    def mark(self, key: str, reason: str, *, urgent: bool = True) -> None:
        """Something happened to this kind. Returns at once. A key that is not declared is ignored."""
        if key in self.keys:
            self._queue.mark(key, reason, urgent=urgent)

    def mark_all(self, reason: str, *, urgent: bool = False) -> None:
        for key in sorted(self.keys):
            self._queue.mark(key, reason, urgent=urgent)

    def reload(self, reason: str) -> None:
        """The declared state may have changed. A bad one is refused and the last good one kept."""
        try:
            node = self._load()
        except Exception as refused:  # noqa: BLE001 - whatever is wrong with the files, the last good state stays
            why = _why(refused)
            self._engine.reject(why)
            self._engine.emit("declaration.rejected", {"reason": reason, "detail": why})
            self.mark_all("declared state refused")
            return
        former = self._engine.node.revision
        self._engine.declare(node)
        self._tally.declared_at = self._clock.now()
        self._tally.know(self.keys)
        self._misses.clear()
        if node.revision != former:
            fields = {"reason": reason, "revision": node.revision, "previous_revision": former}
            self._engine.emit("declaration.loaded", fields)
        self.mark_all(reason, urgent=True)

    async def handle(self, reason: str, *, force: bool = False) -> Report:
        """Run everything once more, and wait until that is done. `force` forgives earlier failures.

        The report is of all runs that ended meanwhile. Raises `Unreachable` where the loop ends first.
        """
        if force:
            self._forced |= self.keys
            self._misses.clear()
        # a key that runs right now may have looked before this request: it has to run once more
        owed = {key: self._handled[key] + 1 + (key in self._queue.running) for key in self.keys}
        self.mark_all(reason, urgent=True)
        heard: list[Report] = []
        self._hearing.append(heard)
        try:
            async with self._handled_one:
                await self._handled_one.wait_for(lambda: self._ended or self._is_paid(owed))
        finally:
            self._hearing.remove(heard)
        if not self._is_paid(owed):
            raise Unreachable("the operator is ending", next_step="ask again when it runs")
        if not heard:
            raise OperatorError(
                "the run broke", next_step="`reconcile events` and the operator's log say how"
            )
        return merged(heard)

    def _is_paid(self, owed: Mapping[str, int]) -> bool:
        return all(self._handled[key] >= count for key, count in owed.items() if key in self.keys)

    def stop(self) -> None:
        """Begin no more runs; `run` returns when those that are under way have ended."""
        self._closing.set()

    async def run(self) -> None:
        """Until `stop`. Cancelling it leaves acts where they are, as a crash would."""
        try:
            await self._run()
        finally:
            self._ended = True
            async with self._handled_one:
                self._handled_one.notify_all()

    async def _run(self) -> None:
        self.mark_all("start", urgent=True)
        slots = asyncio.Semaphore(self._pace.parallel_runs)
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self._resync())
            closing = group.create_task(self._closing.wait())
            while not self._closing.is_set():
                await slots.acquire()
                batch = await self._next(closing)
                if batch is None:
                    break
                group.create_task(self._contained(batch)).add_done_callback(lambda _: slots.release())
            ticking.cancel()

    async def _next(self, closing: asyncio.Task[bool]) -> Batch | None:
        taking = asyncio.ensure_future(self._queue.take())
        try:
            await asyncio.wait({taking, closing}, return_when=asyncio.FIRST_COMPLETED)
            return taking.result() if taking.done() else None
        finally:
            taking.cancel()

    async def _resync(self) -> None:
        while True:
            await self._clock.sleep(spread(self._pace.resync_s, self._pace.jitter, self._random))
            self.mark_all("resync")

    async def _contained(self, batch: Batch) -> None:
        """One run; whatever breaks in it ends here."""
        number, began_at = next(self._numbers), self._clock.now()
        self._tally.running[number] = began_at
        self._tally.queue_wait_seconds = self._tally.queue_wait_seconds.with_one(batch.waited_s)
        keys = batch.keys & self.keys
        result = "panic"
        force = not self._forced.isdisjoint(keys)
        self._forced -= keys
        try:
            async with asyncio.timeout(self._pace.run_timeout_s):
                report = await self._engine.converge(only=keys, force=force, progress=self._progress)
            result = report.exit_code.name.lower()
            self._take_note(report, keys)
        except TimeoutError:
            result = "timeout"
            self._give_up(keys, "run.timed_out", f"not done within {self._pace.run_timeout_s:g} s")
        except Exception as broken:  # noqa: BLE001 - the one boundary: a broken run must not end the daemon
            _LOG.error("run.failed", exc_info=broken, extra={"fields": {"keys": sorted(keys)}})
            self._give_up(keys, "run.failed", f"{type(broken).__name__}: {broken}")
        finally:
            del self._tally.running[number]
            self._tally.run_seconds = self._tally.run_seconds.with_one(self._clock.now() - began_at)
            self._tally.runs.update((key, result) for key in keys)
            self._queue.done(batch.keys)
        async with self._handled_one:
            self._handled.update(batch.keys)
            self._handled_one.notify_all()

    def _take_note(self, report: Report, keys: frozenset[str]) -> None:
        self._latest = report
        for heard in self._hearing:
            heard.append(report)
        self._tally.count_outcomes(report.outcomes)
        self._tally.look_at(report.remaining, report.after.observations)
        self._on_report(report)
        if report.changed:
            self._misses.clear()
        done = {o.operation.kind for o in report.outcomes if o.result is Result.DONE}
        ready = {s.operation.kind for s in report.remaining.steps if s.standing is Standing.READY}
        blind = {item.kind for item in report.remaining.unobserved}
        for key in sorted((keys & (ready | blind)) - done):
            self._misses[key] += 1
        for key in sorted(keys - ready - blind):
            del self._misses[key]
        for key in sorted(ready):
            self._again(key, "there is something to do")
        for key in sorted(blind & keys):
            self._again(key, "could not be observed")
        self._mark_later(report.remaining, keys)

    def _again(self, key: str, reason: str) -> None:
        misses = self._misses[key]
        delay_s = RUNS.delay_s(misses, self._random) if misses else 0.0
        self._queue.mark(key, reason, urgent=False, delay_s=delay_s)

    def _mark_later(self, remaining: Plan, keys: Iterable[str]) -> None:
        """Come back the moment that a pause or a window ends."""
        now = self._clock.now()
        for step in remaining.steps:
            if step.until is not None and step.operation.kind in keys:
                delay_s = max(0.0, step.until - now)
                self._queue.mark(step.operation.kind, "its time has come", urgent=False, delay_s=delay_s)

    def _give_up(self, keys: Iterable[str], name: str, detail: str) -> None:
        for key in sorted(keys):
            self._misses[key] += 1
            self._again(key, "the last run broke")
        self._engine.emit(name, {"keys": sorted(keys), "detail": detail})


def _why(refused: Exception) -> str:
    if isinstance(refused, ConfigError) and refused.diagnostics:
        first = refused.diagnostics[0]
        place = f"{first.source}: " if first.source else ""
        rest = len(refused.diagnostics) - 1
        return f"{place}{first.summary}" + (f" (and {rest} more)" if rest else "")
    return str(refused) if isinstance(refused, OperatorError) else f"{type(refused).__name__}: {refused}"
