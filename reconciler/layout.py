"""Where a node keeps its things: one value that every part of the operator reads paths from.

Durable things live under `data`. Sockets live under `run`, which is short on purpose: a unix socket's path
has 107 bytes at most. Renditions live in memory where the machine has a tmpfs, outside any process, so that
downloads survive a runtime's death.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

_LONGEST_SOCKET_NAME = len("/runtime-9999999999-control.sock")
_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one node. Absolute; nothing is created by asking."""

    data: Path
    weights: Path

    @property
    def identity(self) -> str:
        """Ten hex characters that name this node on this machine, made of the data directory's real path."""
        return hashlib.sha256(os.fsencode(self.data.resolve())).hexdigest()[:10]

    @property
    def run(self) -> Path:
        inside = self.data / "run"
        if len(os.fsencode(inside)) + _LONGEST_SOCKET_NAME <= _SOCKET_PATH_BYTES:
            return inside
        return Path("/tmp") / f"orchestrator-{os.getuid()}-{self.identity}"  # noqa: S108 - made 0700, owner checked

    @property
    def renditions(self) -> Path:
        shared = Path("/dev/shm")  # noqa: S108 - the tmpfs that outlives processes; made 0700
        if os.access(shared, os.W_OK):
            return shared / f"orchestrator-{os.getuid()}-{self.identity}"
        return self.data / "renditions"

    @property
    def operator_lock(self) -> Path:
        return self.data / "operator.lock"

    @property
    def operator_database(self) -> Path:
        return self.data / "operator.db"

    @property
    def operator_socket(self) -> Path:
        return self.run / "operator.sock"

    @property
    def money_database(self) -> Path:
        return self.data / "money.db"

    @property
    def children(self) -> Path:
        """One locked identity file per managed child."""
        return self.data / "children"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def specs(self) -> Path:
        """The runtime-spec documents handed to runtimes, one per generation of the process."""
        return self.data / "specs"

    @property
    def tls(self) -> Path:
        return self.data / "tls"

    @property
    def edge(self) -> Path:
        """The edge's dynamic configuration, each file replaced by rename."""
        return self.data / "edge"

    @property
    def edge_routes(self) -> Path:
        """The endpoints file that says which runtime sockets get new requests."""
        return self.edge / "endpoints.json"

    @property
    def presets(self) -> Path:
        """What each x264 preset reached on this machine, measured once."""
        return self.data / "presets.json"

    def runtime_socket(self, generation: int) -> Path:
        return self.run / f"runtime-{generation}.sock"

    def runtime_control(self, generation: int) -> Path:
        return self.run / f"runtime-{generation}-control.sock"
