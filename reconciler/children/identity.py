"""Who runs: managed children as their locked identity files tell it, and `/proc` where a file is unreadable.

Alive means that somebody holds the lock; a zombie has closed its files and is dead. A held lock whose file
is empty or torn (a launch in progress, a lost disk write) is still a child: its holder is found through
`/proc`, so no process of ours ever becomes a stray. Called by every kind that runs a process and by the
operator's start; looking changes nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.children.launch import start_time_of
from reconciler.layout import Layout

_NAME = re.compile(r"(?P<role>[a-z][a-z0-9-]*)-(?P<generation>[0-9]{1,10})\.json")
_LONGEST_IDENTITY_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One managed process. `pid` 0 is a dead one that left no readable identity.

    `program` is the digest of what was started, empty where the file did not say. `ending` tells how a dead
    one ended (`exited 1`, `killed by SIGKILL`) where that is known: only its parent ever learns it.
    """

    role: str
    generation: int
    pid: int
    start_time: int
    program: str
    started_at: float
    alive: bool
    ending: str = ""

    @property
    def name(self) -> str:
        return f"{self.role}-{self.generation}"


def identity_file(layout: Layout, role: str, generation: int) -> Path:
    return layout.children / f"{role}-{generation}.json"


def observe_children(layout: Layout) -> tuple[Child, ...]:
    """All children with an identity file, dead ones too, in order. Raises OSError where looking fails."""
    try:
        names = os.listdir(layout.children)
    except FileNotFoundError:
        return ()
    found = (_observe(layout.children / name, match) for name in names if (match := _NAME.fullmatch(name)))
    return tuple(
        sorted((child for child in found if child), key=lambda child: (child.role, child.generation))
    )


def observe_child(layout: Layout, role: str, generation: int) -> Child | None:
    path = identity_file(layout, role, generation)
    match = _NAME.fullmatch(path.name)
    return _observe(path, match) if match else None


def is_same_process(pid: int, start_time: int) -> bool:
    """Whether this very process still exists (a zombie does)."""
    try:
        return start_time_of(pid) == start_time
    except (OSError, ValueError, IndexError):
        return False


def _is_living(pid: int, start_time: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read(4096).rpartition(b")")[2].split()
        return int(fields[19]) == start_time and fields[0] not in (b"Z", b"X")
    except (OSError, ValueError, IndexError):
        return False


def describe_status(status: os.waitid_result) -> str:
    if status.si_code == os.CLD_EXITED:
        return f"exited {status.si_status}"
    try:
        return f"killed by {signal.Signals(status.si_status).name}"
    except ValueError:
        return f"killed by signal {status.si_status}"


def _observe(path: Path, match: re.Match[str]) -> Child | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        held = _is_held(descriptor)
        written = _parse(os.pread(descriptor, _LONGEST_IDENTITY_BYTES, 0))
        inode = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    pid, start_time = _number(written, "pid"), _number(written, "start_time")
    if held and not _is_living(pid, start_time):
        holder = next(_holders(inode), None)
        if holder is None:
            held = False  # it ended between the two looks
        else:
            pid, start_time = holder
            written = {}
    return Child(
        role=match["role"],
        generation=int(match["generation"]),
        pid=pid,
        start_time=start_time,
        program=str(written.get("program", "")),
        started_at=_moment(written),
        alive=held,
        ending="" if held else str(written.get("ending", "")) or _peek_ending(pid, start_time),
    )


def _is_held(descriptor: int) -> bool:
    """A shared probe, so that two observers never see each other; launchers try again for a while."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _parse(content: bytes) -> dict[str, object]:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _number(document: dict[str, object], key: str) -> int:
    value = document.get(key)
    return value if isinstance(value, int) else 0


def _moment(document: dict[str, object]) -> float:
    value = document.get("started_at")
    return float(value) if isinstance(value, int | float) else 0.0


def _holders(inode: os.stat_result) -> Iterator[tuple[int, int]]:
    """Other processes that have this file open, oldest first: the child stands before what it started."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid() or not _has_open(int(entry), inode):
            continue
        try:
            found.append((start_time_of(int(entry)), int(entry)))
        except (OSError, ValueError, IndexError):
            continue
    return ((pid, start_time) for start_time, pid in sorted(found))


def _has_open(pid: int, inode: os.stat_result) -> bool:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:  # gone, or somebody else's: then it is no child of ours
        return False
    for descriptor in descriptors:
        try:
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), inode):
                return True
        except OSError:
            continue
    return False


def _peek_ending(pid: int, start_time: int) -> str:
    """How a zombie of ours ended, without reaping it; nothing for other people's children."""
    if not pid or not is_same_process(pid, start_time):
        return ""
    try:
        status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return ""
    return describe_status(status) if status else ""
