"""A whole node under test: `reconcile run` on loopback ports, and streams that never stop meanwhile.

What is asserted here is what a user sees: the command's exit codes, the status document, and whether any
segment failed or came late. The gateway is the product's own client.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from livepeer.gateway.client import Gateway
from livepeer.gateway.clip import Clip, make_clip
from livepeer.gateway.failures import GatewayError
from livepeer.gateway.limits import Limits
from livepeer.wire.profiles import VideoProfile

RECONCILE = Path(sys.executable).with_name("reconcile")
LADDER = (VideoProfile(name="P144p", width=256, height=144, bitrate=200_000, fps=15),)


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Node:
    """A node in its own folder. `write` replaces the declared state the way an editor does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.cli_port = free_ports(2)
        self.uri = f"https://127.0.0.1:{self.port}"
        self.file = folder / "orchestrator.yaml"
        self.data = folder / "data"
        self.operator: subprocess.Popen[bytes] | None = None

    def declare(self, **changes: str) -> None:
        """The whole file; `changes` replace or add top-level blocks by their YAML text."""
        blocks = {
            "name": "under-test",
            "service": "\n".join(
                [
                    "",
                    f'  uri: "{self.uri}"',
                    f'  listen: {{public: "127.0.0.1:{self.port}", cli: "127.0.0.1:{self.cli_port}"}}',
                ]
            ),
            "paths": "{data: data}",
            "gpus": "none",
            "video": "{preset: ultrafast, sessions: 8, workers: 2}",
            "pricing": "{video: 1200 wei}",
            "chain": "{network: offchain}",
        } | changes
        text = "".join(f"{key}: {value}\n" for key, value in blocks.items())
        temporary = self.file.with_suffix(".new")
        temporary.write_text(f"apiVersion: livepeer.orchestrator/v1\n{text}")
        temporary.replace(self.file)

    def call(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [RECONCILE, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def run(self) -> None:
        """Starts the operator and waits until the node is ready."""
        log = (self.folder / "operator.out").open("ab")
        with log:
            self.operator = subprocess.Popen([RECONCILE, "run"], cwd=self.folder, stdout=log, stderr=log)
        self.await_status(lambda status: truth(status, "Ready") == "True", "the node is ready")

    def kill_operator(self) -> None:
        assert self.operator is not None
        self.operator.send_signal(signal.SIGKILL)
        self.operator.wait(10)

    def status(self) -> dict[str, Any]:
        answer = self.call("status", "--json")
        assert answer.stdout, f"no status: {answer.stderr}"
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    def runtime_status(self) -> dict[str, Any]:
        """What the serving runtime says of itself at its control socket."""
        import httpx  # noqa: PLC0415

        newest = max(self.children("runtime"), key=lambda child: child["generation"])
        socket_path = next(
            (path for path in self.run_folder().glob(f"runtime-{newest['generation']}-control.sock")), None
        )
        assert socket_path is not None
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket_path))) as client:
            found: dict[str, Any] = client.get("http://runtime/status", timeout=10).json()
            return found

    def run_folder(self) -> Path:
        from reconciler.layout import Layout  # noqa: PLC0415

        return Layout(data=self.data, weights=self.data).run

    def children(self, role: str) -> list[dict[str, Any]]:
        """Identity files of living children of this role."""
        found = [json.loads(path.read_text()) for path in (self.data / "children").glob(f"{role}-*.json")]
        return [child for child in found if _lives(child["pid"])]

    def await_status(
        self, holds: Callable[[dict[str, Any]], bool], what: str, timeout_s: float = 60
    ) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        status: dict[str, Any] = {}
        while time.monotonic() < deadline:
            assert self.operator is None or self.operator.poll() is None, self.log()
            answer = self.call("status", "--json")
            status = json.loads(answer.stdout) if answer.stdout else {}
            if status and holds(status):
                return status
            time.sleep(0.2)
        raise AssertionError(
            f"waited {timeout_s} s until {what}; last: {json.dumps(status, indent=1)}\n{self.log()}"
        )

    def await_empty_plan(self, timeout_s: float = 60) -> None:
        """The loop has taken the file as it is now, and nothing is left to do."""
        deadline = time.monotonic() + timeout_s
        answer = self.call("plan", "--detailed-exitcode")
        while answer.returncode != 0 and time.monotonic() < deadline:
            time.sleep(0.2)
            answer = self.call("plan", "--detailed-exitcode")
        assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}\n{self.log()}"

    def await_workers(self, count: int, timeout_s: float = 20) -> None:
        """So many workers can take a segment, and there are no others."""
        deadline = time.monotonic() + timeout_s
        states: list[str] = []
        while time.monotonic() < deadline:
            states = [worker["state"] for worker in self.runtime_status()["workers"].values()]
            if len(states) == count and set(states) <= {"ready", "busy"}:
                return
            time.sleep(0.1)
        raise AssertionError(f"waited for {count} workers, have {states}")

    def log(self) -> str:
        path = self.folder / "operator.out"
        return path.read_text()[-6000:] if path.exists() else ""

    def stop(self) -> None:
        answer = self.call("stop")
        if self.operator is not None:
            try:
                self.operator.wait(20)
            except subprocess.TimeoutExpired:
                self.operator.kill()
                raise
        left = [child for role in ("edge", "runtime") for child in self.children(role)]
        for child in left:
            os.kill(child["pid"], signal.SIGKILL)
        assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}\n{self.log()}"
        assert not left, f"stop left processes behind: {left}"


@contextmanager
def converged(folder: Path, *, workers: int = 2, **changes: str) -> Iterator[Node]:
    """A node that serves without an operator, its workers ready; ended with the block."""
    node = Node(folder)
    node.declare(**changes)
    try:
        answer = node.call()
        assert answer.returncode == 0, answer.stderr
        node.await_workers(workers)
        yield node
    finally:
        node.stop()


def _lives(pid: int) -> bool:
    """A zombie is dead: where nobody reaps orphans, the dead stay listed."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def truth(status: dict[str, Any], condition: str) -> str | None:
    return next((c["status"] for c in status["conditions"] if c["type"] == condition), None)


@dataclass
class Tally:
    """What happened to the segments of all streams."""

    served: int = 0
    trouble: list[str] = field(default_factory=list)
    uris: set[str] = field(default_factory=set)
    slowest_s: float = 0.0


class Streams:
    """Live streams in a thread: each pushes a segment every `segment_s`, as a live source would."""

    def __init__(self, node: Node, *, count: int = 3, segment_s: float = 2.0) -> None:
        self._node = node
        self._count = count
        self._segment_s = segment_s
        self._clip = make_clip(
            Clip(width=320, height=180, fps=Fraction(15), segment_s=segment_s, count=4, bitrate=300_000)
        )
        self._ending = threading.Event()
        self._started = threading.Barrier(2)
        self.tally = Tally()

    @contextmanager
    def running(self) -> Iterator[Tally]:
        thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        thread.start()
        self.wait_served(self._count)
        try:
            yield self.tally
            self.wait_served(self._count * 2)  # and it goes on afterwards
        finally:
            self._ending.set()
            thread.join(60)

    def wait_served(self, more: int, timeout_s: float = 60) -> None:
        goal, deadline = self.tally.served + more, time.monotonic() + timeout_s
        while self.tally.served < goal and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.tally.served >= goal, f"only {self.tally.served} of {goal} served: {self.tally.trouble}"

    async def _all(self) -> None:
        await asyncio.gather(*(self._stream(index) for index in range(self._count)))

    async def _stream(self, index: int) -> None:
        await asyncio.sleep(index * self._segment_s / self._count)
        limits = Limits()
        async with Gateway(self._node.uri, limits=limits).session(f"stream-{index}", LADDER) as session:
            sequence = 0
            while not self._ending.is_set():
                began = time.monotonic()
                await self._push(session, index, sequence)
                sequence += 1
                rest = began + self._segment_s - time.monotonic()
                await asyncio.sleep(max(0.0, rest))

    async def _push(self, session: Any, index: int, sequence: int) -> None:
        segment = self._clip[sequence % len(self._clip)]
        try:
            result = await session.push(segment, sequence, duration_s=self._segment_s)
        except GatewayError as error:
            self.tally.trouble.append(f"stream {index} segment {sequence}: {type(error).__name__} {error}")
            return
        self.tally.uris.add(session.offer.uri)
        self.tally.slowest_s = max(self.tally.slowest_s, result.total_s)
        if result.total_s > self._segment_s:
            self.tally.trouble.append(f"stream {index} segment {sequence} late: {result.total_s:.2f} s")
        self.tally.served += 1
