"""Tells a convergence as it happens, as the lines of the streaming output.

One producer for both ways a convergence can run, in this process or behind the operator's socket, so that
what people and machines see never depends on the way. Whoever listens gets plain dictionaries; nothing
blocks here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.core.clock import Clock
from reconciler.core.engine import Report
from reconciler.core.errors import OperatorError
from reconciler.core.exitcodes import Exit, of_error, strongest
from reconciler.core.values import Json, Operation, Outcome, Plan, Result
from reconciler.report import stream
from reconciler.report.palette import PLAIN, Palette
from reconciler.report.plan_text import render_plan

Line = dict[str, Json]
Listener = Callable[[Line], None]


class Teller:
    """A `Progress` for the engine, and the lines before and after it. `palette` colours the plan's text."""

    def __init__(self, hear: Listener, *, clock: Clock, version: str, palette: Palette = PLAIN) -> None:
        self._hear = hear
        self._clock = clock
        self._palette = palette
        self._began: dict[str, float] = {}
        hear(stream.version_line(version, clock.now()))

    def planned(self, plan: Plan) -> None:
        for line in stream.planned_lines(plan):
            self._hear(line)
        self._hear(stream.plan_text_line(render_plan(plan, palette=self._palette), plan.created_at))

    def started(self, operation: Operation) -> None:
        now = self._clock.now()
        self._began[operation.id] = now
        self._hear(stream.start_line(operation, now))

    def told(self, operation: Operation, text: str) -> None:
        now = self._clock.now()
        elapsed_s = now - self._began.get(operation.id, now)
        self._hear(stream.progress_line(operation, text, elapsed_s=elapsed_s, at=now))

    def ended(self, outcome: Outcome) -> None:
        self._began.pop(outcome.operation.id, None)
        self._hear(stream.outcome_line(outcome))

    def finished(self, reports: Iterable[Report]) -> int:
        """The last line; returns the exit code it names."""
        listed = tuple(reports)
        outcomes = [outcome for report in listed for outcome in report.outcomes]
        code = strongest({report.exit_code for report in listed[-1:]} | _lasting(outcomes))
        message = describe_end(outcomes, listed[-1].after.plan if listed else None)
        self._hear(stream.result_line(message, int(code), at=self._clock.now()))
        return int(code)

    def failed(self, error: Exception) -> int:
        code = int(of_error(error))
        next_step = error.next_step if isinstance(error, OperatorError) else ""
        message = str(error) or type(error).__name__
        self._hear(stream.result_line(message, code, at=self._clock.now(), next_step=next_step))
        return code


def _lasting(outcomes: Iterable[Outcome]) -> set[Exit]:
    """An act of unknown end stays worth an alarm, whatever a later pass found."""
    return {Exit.UNKNOWN} if any(outcome.result is Result.UNKNOWN for outcome in outcomes) else set()


def describe_end(outcomes: Iterable[Outcome], remaining: Plan | None) -> str:
    """`Done: 7 operations. Nothing is left to do.`"""
    counts: dict[Result, int] = {}
    for outcome in outcomes:
        counts[outcome.result] = counts.get(outcome.result, 0) + 1
    done = counts.get(Result.DONE, 0)
    text = f"Done: {done} operation{'s' if done != 1 else ''}."
    words = {
        Result.FAILED: "failed",
        Result.UNKNOWN: "with unknown outcome",
        Result.STALE: "overtaken by the world",
        Result.SKIPPED: "skipped",
        Result.WAITING: "waiting",
    }
    rest = [f"{counts[result]} {word}" for result, word in words.items() if counts.get(result)]
    if rest:
        text += f" Not done: {', '.join(rest)}."
    if remaining is None:
        return text
    if remaining.is_empty and not remaining.unobserved:
        return f"{text} Nothing is left to do."
    left = len(remaining.steps)
    return f"{text} Left to do: {left}. `reconcile plan` shows it."
