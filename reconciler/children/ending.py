"""Signals to managed children and their end, seen through pidfds.

A signal goes out only where pid and start time both match the identity, and through a descriptor of that
very process, so a reused pid is never hit. Waiting works for adopted children too, which are not ours to
`wait` for; those that are ours are reaped, and how they ended is kept in the identity file. Called by
actors and by the operator's loop, which watches every child. Nothing here decides who should end.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator

from reconciler.children.identity import Child, describe_status, identity_file, is_same_process
from reconciler.layout import Layout

_LOCK_TRIES = 20
_LOCK_PAUSE_S = 0.005


def signal_child(child: Child, number: signal.Signals) -> bool:
    """Sends it; False where this very process is gone."""
    with _pidfd(child) as descriptor:
        if descriptor is None:
            return False
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        return True


async def watch(layout: Layout, child: Child) -> str:
    """Returns when the child has ended: how (`exited 1`, `killed by SIGKILL`), or empty where unknown.

    Reaps it where it is ours. May be called any number of times for one child.
    """
    with _pidfd(child) as descriptor:
        if descriptor is not None:
            await _until_readable(descriptor)
    return reap(layout, child)


async def wait_end(layout: Layout, child: Child, timeout_s: float) -> bool:
    """Whether it ended within this time."""
    try:
        async with asyncio.timeout(timeout_s):
            await watch(layout, child)
    except TimeoutError:
        return False
    return True


async def end_child(layout: Layout, child: Child, *, grace_s: float, kill_wait_s: float = 10.0) -> bool:
    """SIGTERM, after `grace_s` SIGKILL. Whether it is gone; False only for one stuck in the kernel."""
    if not signal_child(child, signal.SIGTERM):
        reap(layout, child)
        return True
    signal_child(child, signal.SIGCONT)  # a stopped process takes no SIGTERM
    if await wait_end(layout, child, grace_s):
        return True
    signal_child(child, signal.SIGKILL)
    return await wait_end(layout, child, kill_wait_s)


def reap(layout: Layout, child: Child) -> str:
    """Clears the zombie away where it is ours and keeps its ending in the identity file. Idempotent."""
    if not child.pid or not is_same_process(child.pid, child.start_time):
        return child.ending
    try:
        status = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG)
    except ChildProcessError:  # adopted: its parent is another
        return child.ending
    if status is None:
        return child.ending
    ending = describe_status(status)
    keep_ending(layout, child, ending)
    return ending


def keep_ending(layout: Layout, child: Child, ending: str) -> None:
    """Writes how a dead child ended into its identity file, for those who were not there."""
    path = identity_file(layout, child.role, child.generation)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        _lock(descriptor)
        document = json.loads(os.pread(descriptor, 16_384, 0))
        if isinstance(document, dict) and document.get("pid") == child.pid:
            text = json.dumps({**document, "ending": ending}).encode() + b"\n"
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text, 0)
    except (BlockingIOError, ValueError):
        pass  # taken by a new launch, or torn: the ending is told to the caller all the same
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """The kernel may let go of a dead process's files a moment after its end is told."""
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_LOCK_PAUSE_S)
    raise BlockingIOError


@contextlib.contextmanager
def _pidfd(child: Child) -> Iterator[int | None]:
    """A descriptor of this very process, or None. The start time is compared once it is open: no reuse."""
    try:
        descriptor = os.pidfd_open(child.pid) if child.pid > 0 else None
    except ProcessLookupError:
        descriptor = None
    if descriptor is None:
        yield None
        return
    try:
        yield descriptor if is_same_process(child.pid, child.start_time) else None
    finally:
        os.close(descriptor)


async def _until_readable(descriptor: int) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
