"""One worker process as the pool sees it: started, given one job at a time, watched, killed.

`WorkerProcess` has no opinion about restarts or retries; it only tells how a conversation ended. A worker
that stalls, grows too large, breaks the form of its reports or dies raises `WorkerLost`, and is dead then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from livepeer.wire import texts
from runtime.video import messages
from runtime.video.jobs import Transcoded, TranscodeError, TranscodeJob, WorkerSlot

START_LIMIT_S = 60.0
STALL_LIMIT_S = 4.0
_STALLS_PER_LIMIT = 4
_WATCH_EVERY_S = 0.1
_DYING_S = 0.5
_DIED = "died"
_LONGEST_REASON = 500  # it may quote a mebibyte of what a worker that was taken over said
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV")
_ROOT = Path(__file__).resolve().parents[2]


class WorkerLost(Exception):
    """Raised when the worker is dead or had to be killed. `reason` is for people, and kept in events."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason[:_LONGEST_REASON])
        self.reason = reason[:_LONGEST_REASON]


class WorkerUnfit(Exception):
    """Raised when the worker's device failed its test."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WorkerProcess:
    """Made by `start`; `ready` must be awaited before the first `run`."""

    def __init__(
        self,
        name: str,
        slot: WorkerSlot,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.name = name
        self.slot = slot
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, name: str, slot: WorkerSlot) -> WorkerProcess:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *_command(name, slot),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                env=_environment(slot),
                start_new_session=True,
            )
        try:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return cls(name, slot, process, reader, writer)

    @property
    def pid(self) -> int:
        return self._process.pid

    def memory_bytes(self) -> int:
        """Resident memory now; 0 once the process is gone."""
        try:
            with open(f"/proc/{self.pid}/statm", "rb") as file:
                return int(file.read(200).split()[1]) * _PAGE_BYTES
        except (OSError, IndexError, ValueError):
            return 0

    async def ready(self) -> messages.Ready:
        """Raises `WorkerUnfit` or `WorkerLost`."""
        try:
            async with asyncio.timeout(START_LIMIT_S):
                report = await self._report()
        except TimeoutError as error:
            raise await self._lost(f"not ready after {START_LIMIT_S:.0f} s") from error
        match report:
            case messages.Ready():
                return report
            case messages.Unfit(reason):
                await self.kill()
                raise WorkerUnfit(reason)
            case _:
                raise await self._lost("spoke out of turn")

    async def run(self, job: TranscodeJob, *, limit_s: float) -> Transcoded:
        """Raises `TranscodeError`, or `WorkerLost` where no answer came. Cancelling it kills the worker."""
        watching = asyncio.create_task(self._watch())
        talking = asyncio.create_task(self._converse(job, max(STALL_LIMIT_S, limit_s / _STALLS_PER_LIMIT)))
        try:
            done, _ = await asyncio.wait(
                (watching, talking), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            if talking in done:
                return talking.result()
            if watching in done:
                raise await self._lost(watching.result())
            raise await self._lost(f"no end after {limit_s:.1f} s")
        except asyncio.CancelledError:
            await self.kill()
            raise
        finally:
            for task in (watching, talking):
                task.cancel()
            await asyncio.gather(watching, talking, return_exceptions=True)

    async def kill(self) -> None:
        """The worker and all it started are gone afterwards."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._writer.close()
        await self._process.wait()

    async def _converse(self, job: TranscodeJob, stall_s: float) -> Transcoded:
        try:
            order = messages.encode(messages.job_message(job))
        except messages.Malformed as error:
            raise TranscodeError(texts.INVALID_ARGUMENT, f"the job is {error}") from error
        try:
            self._writer.write(order)
            await self._writer.drain()
        except ConnectionError as error:
            raise await self._lost(_DIED) from error
        while True:
            try:
                async with asyncio.timeout(stall_s):
                    report = await self._report()
            except TimeoutError as error:
                raise await self._lost(f"no progress for {stall_s:.0f} s") from error
            match report:
                case messages.Progress():
                    continue
                case messages.Refused(text, detail):
                    raise TranscodeError(text, detail)
                case messages.Done():
                    return await self._checked(report, job)
                case _:
                    raise await self._lost("spoke out of turn")

    async def _checked(self, done: messages.Done, job: TranscodeJob) -> Transcoded:
        try:
            return done.result(job, self.name)
        except messages.Malformed as error:
            raise await self._lost(f"answered {error}") from error

    async def _watch(self) -> str:
        """Ends with the reason once the worker holds more memory than it may."""
        while True:
            held = self.memory_bytes()
            if self.slot.memory_bytes and held > self.slot.memory_bytes:
                return f"held {held >> 20} MiB of {self.slot.memory_bytes >> 20} MiB"
            await asyncio.sleep(_WATCH_EVERY_S)

    async def _report(self) -> messages.Report:
        try:
            prefix = await self._reader.readexactly(messages.LENGTH_BYTES)
            return messages.read_report(await self._reader.readexactly(messages.body_length(prefix)))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._lost(_DIED) from error
        except messages.Malformed as error:
            raise await self._lost(f"said {error}") from error

    async def _lost(self, reason: str) -> WorkerLost:
        if reason == _DIED:  # its own ending is told, not ours
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _DYING_S)
        await self.kill()
        code = self._process.returncode
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"
        return WorkerLost(f"{reason} ({how})" if reason == _DIED else reason)


def _command(name: str, slot: WorkerSlot) -> list[str]:
    arguments = ["--slot", name, "--device", slot.device, "--threads", str(slot.threads)]
    arguments += ["--memory-bytes", str(slot.memory_bytes), "--parent", str(os.getpid())]
    return [sys.executable, "-m", "runtime.video.worker", *arguments]


def _environment(slot: WorkerSlot) -> Mapping[str, str]:
    """Only what a program needs to run; the runtime's own environment may hold secrets."""
    chosen = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    chosen["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_ROOT), chosen.get("PYTHONPATH"))))
    chosen["CUDA_VISIBLE_DEVICES"] = slot.device if slot.device != "cpu" else ""
    return chosen
