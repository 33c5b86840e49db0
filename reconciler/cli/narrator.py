"""Shows a streamed convergence to a person: the plan on stdout, what takes time on stderr, the end on stdout.

Hears the lines of the streaming output, wherever they come from. Says a thing once it takes longer than a
second, and again every ten seconds with what is waited for. A thread keeps time, since the reader may be
blocked.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from reconciler.cli.terminal import palette_for, say
from reconciler.core.values import Json
from reconciler.report.quantities import render_duration

FIRST_WORD_S = 1.0
AGAIN_S = 10.0
_TICK_S = 0.25

_ENDS = frozenset({"apply_complete", "apply_errored", "apply_skipped", "apply_waiting"})


@dataclass(slots=True)
class _Wait:
    text: str
    since: float
    said_at: float | None = None


class Narrator:
    """A context: waits are told while it is open."""

    def __init__(self, *, show_plan: bool = True) -> None:
        self._show_plan = show_plan
        self._waits: dict[str, _Wait] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep_time, name="narrator", daemon=True)
        self._palette = palette_for(sys.stderr)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def begin(self, key: str, text: str) -> None:
        with self._lock:
            self._waits[key] = _Wait(text, time.monotonic())

    def update(self, key: str, text: str) -> None:
        with self._lock:
            if key in self._waits:
                self._waits[key].text = text

    def end(self, key: str) -> bool:
        """Whether its wait had been told."""
        with self._lock:
            wait = self._waits.pop(key, None)
        return wait is not None and wait.said_at is not None

    def hear(self, line: dict[str, Json]) -> None:
        kind, message = line.get("type"), str(line.get("@message", ""))
        if kind == "plan_text":
            if self._show_plan:
                print(message, flush=True)
        elif kind == "apply_start":
            self.begin(_key(line), message)
        elif kind == "apply_progress":
            self.update(_key(line), message)
        elif kind == "progress":
            self._progress(message)
        elif kind in _ENDS:
            self._ended(line, message)
        elif kind == "result":
            self._result(line, message)

    def _progress(self, message: str) -> None:
        """What is waited for changes its numbers all the time: told once, and then every ten seconds."""
        key = message.partition(":")[0]
        if message.endswith(": ended"):
            self.end("progress " + key)
            say(message)
            return
        with self._lock:
            wait = self._waits.setdefault("progress " + key, _Wait(message, time.monotonic()))
            wait.text = message

    def _ended(self, line: dict[str, Json], message: str) -> None:
        told = self.end(_key(line))
        if line.get("@level") == "error":
            say(self._palette.paint("bad", message))
        elif told or line.get("type") == "apply_complete":
            say(message)

    def _result(self, line: dict[str, Json], message: str) -> None:
        if line.get("@level") == "error":
            say(self._palette.paint("bad", message))
            if line.get("next_step"):
                say(f"  next: {line['next_step']}")
        else:
            print(message, flush=True)

    def _keep_time(self) -> None:
        while not self._closing.wait(_TICK_S):
            now = time.monotonic()
            with self._lock:
                due = [wait for wait in self._waits.values() if _is_due(wait, now)]
                for wait in due:
                    wait.said_at = now
                texts = [f"… {wait.text} ({render_duration(round(now - wait.since))})" for wait in due]
            for text in texts:
                say(self._palette.paint("quiet", text))


def _is_due(wait: _Wait, now: float) -> bool:
    if wait.said_at is None:
        return now - wait.since >= FIRST_WORD_S
    return now - wait.said_at >= AGAIN_S


def _key(line: dict[str, Json]) -> str:
    hook = line.get("hook")
    return str(hook.get("id", "")) if isinstance(hook, dict) else ""
