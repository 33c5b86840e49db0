"""Starting a managed child, and clearing away what dead ones left.

The child is started through `launch.py`, so it owns its identity before it runs. The operator waits only
until exec has happened (milliseconds) and keeps nothing of it: no pipe, no handle. Called by the actors of
the edge and the runtime. It does not know when a child is ready to serve; that is its kind's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.children import launch
from reconciler.children.identity import Child, identity_file, observe_child, observe_children
from reconciler.core.errors import Transient
from reconciler.layout import Layout

_LAUNCH_TIMEOUT_S = 15.0
_PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
_PASSED_ON_PREFIXES = ("CUDA_", "NVIDIA_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start. `argv[0]` is an absolute path. `program` is the digest that tells programs apart.

    `limits` by name: `NOFILE`, `CORE`, `AS`. The environment is the child's whole environment. `orphaned` is
    for a program that asks the kernel to be ended with its parent: it gets another parent than us.
    """

    node: str
    role: str
    generation: int
    program: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    limits: Mapping[str, int] = field(default_factory=lambda: {"NOFILE": 65_536, "CORE": 0})
    orphaned: bool = False


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of the operator's environment that children get: no secret that a declaration refers to."""
    return {
        name: value
        for name, value in environment.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }


def next_generation(layout: Layout, role: str) -> int:
    """One above every identity there is, dead ones included, so that a generation names one process ever."""
    return 1 + max((child.generation for child in observe_children(layout) if child.role == role), default=0)


def log_file(layout: Layout, role: str) -> Path:
    return layout.logs / f"{role}.out"


async def start_child(layout: Layout, wanted: Launch) -> Child:
    """Starts it; returns once it is its program (it may have ended by then). `Transient` says why not."""
    layout.children.mkdir(parents=True, exist_ok=True, mode=0o700)
    layout.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    reading, writing = os.pipe()
    try:
        try:
            pid = _spawn(layout, wanted, writing)
        finally:
            os.close(writing)
        failure = await _read_report(reading)
    except TimeoutError as error:
        os.kill(pid, signal.SIGKILL)  # still our unreaped child, so the pid is its own
        await asyncio.to_thread(_collect, pid)
        raise Transient(
            f"{wanted.role}: its launch took more than {_LAUNCH_TIMEOUT_S:.0f} s",
            next_step=f"look at {log_file(layout, wanted.role)} and at the machine's load",
        ) from error
    finally:
        os.close(reading)
    if failure or wanted.orphaned:  # what we started has ended; an orphan's life goes on elsewhere
        await asyncio.to_thread(_collect, pid)
    if failure:
        raise Transient(
            f"{wanted.role}: could not be started: {failure}", next_step=f"command: {wanted.argv[0]}"
        )
    child = observe_child(layout, wanted.role, wanted.generation)
    if child is None:  # removed by hand
        raise Transient(f"{wanted.role}: its identity file vanished while it started")
    return child


def forget_dead(layout: Layout, keep: int = 1) -> tuple[Child, ...]:
    """Removes dead children's identity files, all but the `keep` newest of each role; returns those removed.

    The newest stays: it says how the last one ended and holds its generation number.
    """
    removed = []
    newest: dict[str, list[int]] = {}
    for child in observe_children(layout):
        newest.setdefault(child.role, []).append(child.generation)
    for child in observe_children(layout):
        kept = sorted(newest.get(child.role, []))[-keep:] if keep else []
        if child.alive or child.generation in kept:
            continue
        if _remove_unheld(identity_file(layout, child.role, child.generation)):
            removed.append(child)
    return tuple(removed)


def _remove_unheld(path: Path) -> bool:
    """Removes it under the exclusive lock: a launcher that opened it meanwhile sees that and starts over."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(descriptor)
    return True


def _spawn(layout: Layout, wanted: Launch, report: int) -> int:
    document = {
        "identity": str(identity_file(layout, wanted.role, wanted.generation)),
        "log": str(log_file(layout, wanted.role)),
        "directory": str(layout.data),
        "node": wanted.node,
        "role": wanted.role,
        "generation": wanted.generation,
        "program": wanted.program,
        "argv": list(wanted.argv),
        "environment": dict(wanted.environment),
        "limits": dict(wanted.limits),
        "orphaned": wanted.orphaned,
    }
    argv = [sys.executable, "-I", "-S", launch.__file__, json.dumps(document)]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, report, launch.REPORT_DESCRIPTOR),
    ]
    return os.posix_spawn(sys.executable, argv, {"PATH": os.defpath}, file_actions=actions)


def _collect(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


async def _read_report(reading: int) -> str:
    """What the launcher said before its end of the pipe closed; empty after a successful exec."""
    os.set_blocking(reading, False)
    loop = asyncio.get_running_loop()
    text = b""
    async with asyncio.timeout(_LAUNCH_TIMEOUT_S):
        while True:
            readable = asyncio.Event()
            loop.add_reader(reading, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(reading)
            part = os.read(reading, 4096)
            if not part:
                return text.decode(errors="replace")
            text += part
