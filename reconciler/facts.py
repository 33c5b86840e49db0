"""What is known of machine and installation without looking at the node: read once, handed to the registry.

Tests hand in others: that is where a fake machine, clock, environment or GPU inventory plugs in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.children import observe_children
from reconciler.core.clock import Clock, SystemClock
from reconciler.layout import Layout
from reconciler.resources.address_limit.nft import Nft, PacketFilter
from reconciler.resources.gpus.nvml import NvmlInventory
from reconciler.resources.runtime.program import library_versions, read_program
from reconciler.resources.runtime.state import Program
from reconciler.serving.capacity import Machine
from reconciler.serving.gpus import GpuInventory
from reconciler.serving.machine import read_machine

_MOST_ANCESTORS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`libraries`: versions whose change makes a measurement worthless. `environment`: the operator's own.

    Without `packets` the packet filter is no part of the node.
    """

    machine: Machine
    program: Program
    libraries: str
    clock: Clock
    environment: Mapping[str, str]
    gpus: GpuInventory
    packets: PacketFilter | None = None


def read_facts(layout: Layout) -> Facts:
    """Of this machine and this installation; takes milliseconds."""
    return Facts(
        machine=read_machine(),
        program=read_program(),
        libraries=", ".join(library_versions()),
        clock=SystemClock(),
        environment=os.environ,
        gpus=NvmlInventory(lambda pid: is_ours(layout, pid)),
        packets=Nft(),
    )


def is_ours(layout: Layout, pid: int) -> bool:
    """Whether a process is a managed child of this node or descends from one."""
    ours = {child.pid for child in observe_children(layout) if child.alive}
    for _ in range(_MOST_ANCESTORS):
        if pid in ours:
            return True
        parent = _parent(pid)
        if parent is None or parent <= 1:
            return False
        pid = parent
    return False


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read(4096).rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None
