"""Measures: runs the calibration program beside us, and keeps what it found.

The program is the runtime's own (`python -m runtime.video.calibrate`), in a process of its own with a time
limit; it dies with the operator. A failed measurement leaves the cache as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Protocol, cast

from reconciler.core.errors import Terminal, Transient
from reconciler.core.values import Operation
from reconciler.resources.presets.observe import PresetsWorld, may_measure
from reconciler.serving.presets import Measurement, parse_reached, read_cache, write_cache

_LONGEST_OUTPUT_BYTES = 1_000_000
_PROGRESS_S = 10.0


class Calibration(Protocol):
    """Finds the slowest preset that holds real time for so many sessions."""

    async def measure(self, sessions: int, limit_s: float) -> Measurement:
        """Raises `Transient` where the program fails or takes too long."""
        ...


class PresetsActor:
    def __init__(self, world: PresetsWorld, calibration: Calibration, cache: Path) -> None:
        self._world = world
        self._calibration = calibration
        self._cache = cache

    async def holds(self, operation: Operation) -> bool:  # noqa: ARG002 - part of the Protocol
        return may_measure(self._world.instances())

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        arguments = operation.arguments
        match arguments:
            case {"key": str(key), "sessions": int(sessions), "limit_s": float() | int() as limit_s}:
                pass
            case _:
                raise Terminal(f"{operation.id}: its arguments are incomplete")
        async with _progress(tell, float(limit_s)):
            found = await self._calibration.measure(sessions, float(limit_s))
        write_cache(self._cache, {**read_cache(self._cache), key: found})
        return f"{found.choose(sessions).preset}: {found.summary}"


class CalibrationProgram:
    """The runtime's own measurement, as a process."""

    def __init__(self, now: Callable[[], float], environment: Mapping[str, str]) -> None:
        self._now = now
        self._environment = environment

    async def measure(self, sessions: int, limit_s: float) -> Measurement:
        argv = [sys.executable, "-P", "-m", "runtime.video.calibrate", "--sessions", str(sessions), "--json"]
        program = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_OUTPUT_BYTES,
            env=dict(self._environment),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(limit_s):
                output, errors = await program.communicate()
        except TimeoutError as error:
            raise Transient(f"measuring presets took more than {limit_s:g} s") from error
        finally:
            await _end(program)
        if program.returncode != 0:
            words = errors.decode(errors="replace").strip().splitlines()[-1:]
            raise Transient(f"measuring presets failed (exit {program.returncode}): {''.join(words)[:300]}")
        return _parse(output, sessions, self._now())


async def _end(program: asyncio.subprocess.Process) -> None:
    """Whatever happened, neither it nor what it started stays behind."""
    if program.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        await program.wait()


def _parse(output: bytes, sessions: int, at: float) -> Measurement:
    try:
        value: object = json.loads(output)
    except ValueError as error:
        raise Transient("measuring presets answered with no JSON") from error
    found = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    reached = parse_reached(found.get("presets"))
    if not reached:
        raise Transient("measuring presets named no preset")
    return Measurement(sessions=sessions, reached=reached, summary=str(found.get("summary", "")), at=at)


@contextlib.asynccontextmanager
async def _progress(tell: Callable[[str], None], limit_s: float) -> AsyncIterator[None]:
    """Says what is waited for while it lasts."""

    async def keep_telling() -> None:
        waited = 0.0
        while True:
            await asyncio.sleep(_PROGRESS_S)
            waited += _PROGRESS_S
            tell(f"measuring presets for {waited:.0f} s, {limit_s - waited:.0f} s at most")

    tell("measuring presets on this machine, once")
    task = asyncio.create_task(keep_telling())
    try:
        yield
    finally:
        task.cancel()
