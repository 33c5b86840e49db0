"""What is wanted of the edge, and what is seen of it. Values only.

Built by `desire` from the declared state, and by `observe.py` from the world; `plan.py` compares the two.
The certificate and the runtimes behind the edge are not here: they reach Envoy through files of their own.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.values import Json, Source, digest
from reconciler.layout import Layout
from reconciler.spec.declaration import Declaration

KIND = "edge"
ROLE = "edge"
BASE_ID_ATTEMPTS = 16
STOPPED = "stopped"
"""The ending of an edge that was ended on purpose."""

_LOOPBACK = {"localhost": "127.0.0.1"}
_MOST_BASE_IDS = 200_000_000  # Envoy multiplies by ten and keeps a signed 32-bit number


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyProgram:
    """The Envoy that is installed. `workers` is its number of threads that carry traffic."""

    path: Path
    version: str
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLimits:
    """What strangers may take. `connections` counts all of them together."""

    connections: int
    headers_s: float
    handshake_s: float
    idle_connection_s: float
    idle_stream_s: float
    heap_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeDesired:
    """One public listener. `directory` holds Envoy's documents, `sockets` its admin sockets."""

    node: str
    host: str
    port: int
    tls: bool
    limits: EdgeLimits
    program: EnvoyProgram
    directory: Path
    sockets: Path
    identity: str
    drain_s: int
    listen_source: Source | None = None
    limits_source: Source | None = None

    @property
    def address(self) -> str:
        return join_address(self.host, self.port)

    @property
    def is_numeric(self) -> bool:
        """Whether the listening host is an address; Envoy looks up no names to listen on."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    def admin_socket(self, generation: int) -> Path:
        return self.sockets / f"edge-{generation}.sock"

    def bootstrap_file(self, generation: int) -> Path:
        return self.directory / f"bootstrap-{generation}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeProcess:
    """An Envoy of this node. `state` is what its admin says (`LIVE`, `DRAINING`, …), or empty.

    `epoch` counts hot restarts within one `base_id`. `accepted` maps a document to the version that Envoy
    took from it last.
    """

    generation: int
    pid: int
    start_time: int
    started_at: float
    program: str
    epoch: int
    base_id: int
    state: str = ""
    connections: int = 0
    accepted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PortHolder:
    """Who listens on the wanted port and is not this node's edge. `pid` 0: another user's process."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command})" if self.pid else "a process of another user"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSeen:
    """One of Envoy's files as it is on disk. `facts` are the values in it that people care about."""

    name: str
    version: str
    facts: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeObserved:
    """`processes` are alive, oldest first. `last_ending` tells how the newest one ended, if it did."""

    processes: tuple[EdgeProcess, ...]
    documents: tuple[DocumentSeen, ...]
    last_generation: int = 0
    last_ending: str = ""
    port_holder: PortHolder | None = None
    may_bind: bool = True

    def document(self, name: str) -> DocumentSeen | None:
        return next((seen for seen in self.documents if seen.name == name), None)

    @property
    def current(self) -> EdgeProcess | None:
        """The one that has the listener: the newest, if it lives. Older ones only end what they began.

        After an upgrade that failed it is the one before, which then still answers on its admin socket; one
        that has handed its port over does not.
        """
        newest = self.processes[-1] if self.processes else None
        if newest is None or (newest.generation != self.last_generation and not newest.state):
            return None
        return newest


def desire(declaration: Declaration, layout: Layout, program: EnvoyProgram) -> EdgeDesired | None:
    """None for a node without a service."""
    service = declaration.service
    if service is None:
        return None
    return EdgeDesired(
        node=declaration.name,
        host=_LOOPBACK.get(service.listen.public.host, service.listen.public.host),
        port=service.listen.public.port,
        tls=service.uri.startswith("https://"),
        limits=EdgeLimits(
            connections=service.limits.connections,
            headers_s=service.limits.headers_s,
            handshake_s=service.limits.headers_s,
            idle_connection_s=600.0,
            idle_stream_s=900.0,
            heap_bytes=2 * 1024**3,
        ),
        program=program,
        directory=layout.edge,
        sockets=layout.run,
        identity=layout.identity,
        drain_s=max(1, math.ceil(service.limits.drain_s)),
        listen_source=declaration.source("service.listen.public") or declaration.source("service.uri"),
        limits_source=declaration.source("service.limits"),
    )


def join_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def base_id(identity: str, attempt: int) -> int:
    """Names one line of hot restarts on this machine; the next attempt where another node has the name."""
    return int(digest([identity, attempt])[:12], 16) % _MOST_BASE_IDS
