"""Reads what this machine offers: cores, memory, CPU model, within the limits of our container.

Read once per process. Every value has an answer: what cannot be read is the smallest sensible one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from reconciler.serving.capacity import Machine

_LONGEST_BYTES = 65_536
_CGROUP = Path("/sys/fs/cgroup")


def read_machine() -> Machine:
    return Machine(cpu=_cpu_model(), cores=_cores(), memory_bytes=_memory_bytes())


def _cores() -> int:
    """Cores we may run on; a container's CPU quota counts, rounded down."""
    cores = len(os.sched_getaffinity(0))
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    if quota.isdecimal() and period.strip().isdecimal():
        cores = min(cores, int(quota) // max(1, int(period)))
    return max(1, cores)


def _memory_bytes() -> int:
    match = re.search(r"^MemTotal:\s+([0-9]+) kB", _read(Path("/proc/meminfo")), re.MULTILINE)
    memory = int(match[1]) * 1024 if match else 1024**3
    limit = _read(_CGROUP / "memory.max").strip()
    return min(memory, int(limit)) if limit.isdecimal() else memory


def _cpu_model() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")), re.MULTILINE)
    return match[1].strip() if match else os.uname().machine


def _read(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LONGEST_BYTES).decode(errors="replace")
    except OSError:
        return ""
