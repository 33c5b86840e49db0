"""The edge alone: a constant answer through it, asked over new TLS connections as gateways ask.

The figures are what any real answer through this edge is measured against (`serving`).
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from tests.bench.edge_load import Sample, measure
from tests.bench.edge_stand import constant_program, edge_before
from tests.bench.table import Row

CLIENTS = (1, 8, 32)
PATH = "/net.Orchestrator/GetOrchestrator"
QUESTION = bytes(85)  # an OrchestratorRequest has an address and a signature
_ANSWER = bytes(300)
_SECONDS = 4.0


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        program, port = Path(folder) / "constant.sock", free_port()
        with constant_program(program, _ANSWER), edge_before(program, port):
            fresh = constant_samples(port)
            kept = measure(port, clients=8, seconds=_SECONDS, path=PATH, body=QUESTION, kept=True)
    return [*(_row(sample, "new TLS connection each") for sample in fresh), _row(kept, "kept connections")]


def constant_samples(port: int, seconds: float = _SECONDS) -> list[Sample]:
    """The same question at 1, 8 and 32 clients; a short round first, so that nothing is cold."""
    measure(port, clients=4, seconds=1.0, path=PATH, body=QUESTION)
    return [measure(port, clients=clients, seconds=seconds, path=PATH, body=QUESTION) for clients in CLIENTS]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _row(sample: Sample, way: str) -> Row:
    return Row(
        measure=f"constant answer through the edge, {way}, {sample.clients} clients",
        ours=f"{sample.per_second:.0f}/s, p50 {sample.p50_ms:.2f} ms, p99 {sample.p99_ms:.2f} ms",
        target="0 failed",
        met=sample.failed == 0,
    )
