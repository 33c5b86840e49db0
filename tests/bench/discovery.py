"""GetOrchestrator through the node's own edge, beside a constant answer through the same edge.

Each call opens a new TLS connection, as gateways do. The two are asked in turn, several pairs, and the ratio
is the median over the pairs: the machine's mood hits both sides of a pair alike.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from livepeer.gateway.client import Gateway
from livepeer.gateway.requirements import needs_of
from livepeer.wire import capabilities
from livepeer.wire import lp_rpc_pb2 as pb
from reconciler.layout import Layout
from reconciler.routes import parse_endpoints, render_endpoints, replace_file, serialize
from tests.bench.edge import CLIENTS, PATH
from tests.bench.edge_load import Sample, measure
from tests.bench.edge_stand import constant_program
from tests.bench.table import Row
from tests.e2e.harness import LADDER, Node, converged

_PAIRS = 5
_SECONDS = 2.0
_LEAST_RATIO = 0.9


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, converged(Path(folder)) as node:
        answer = asyncio.run(Gateway(node.uri).discover(needs_of(LADDER))).info.SerializeToString()
        constant = node.run_folder() / "constant.sock"
        with constant_program(constant, answer):
            return [_compare(node, constant, clients) for clients in CLIENTS]


def _compare(node: Node, constant: Path, clients: int) -> Row:
    routes = Layout(data=node.data, weights=node.data).edge_routes
    ours = parse_endpoints(routes.read_bytes())
    question = pb.OrchestratorRequest(address=bytes(20))
    question.capabilities.CopyFrom(capabilities.to_wire(needs_of(LADDER)))

    def asked(sockets: tuple[Path, ...]) -> Sample:
        replace_file(routes, serialize(render_endpoints(sockets)))
        time.sleep(0.3)  # the edge swaps within some milliseconds
        return measure(
            node.port, clients=clients, seconds=_SECONDS, path=PATH, body=question.SerializeToString()
        )

    try:
        pairs = [(asked(ours), asked((constant,))) for _ in range(_PAIRS)]
    finally:
        replace_file(routes, serialize(render_endpoints(ours)))
    return _row(clients, pairs)


def _row(clients: int, pairs: list[tuple[Sample, Sample]]) -> Row:
    ratio = statistics.median(own.per_second / constant.per_second for own, constant in pairs)
    failed = sum(own.failed for own, _ in pairs)

    def shown(side: int, of: Callable[[Sample], float]) -> float:
        return statistics.median(of(pair[side]) for pair in pairs)

    def text(side: int) -> str:
        rate, p50, p99 = (
            shown(side, lambda sample: sample.per_second),
            shown(side, lambda sample: sample.p50_ms),
            shown(side, lambda sample: sample.p99_ms),
        )
        return f"{rate:.0f}/s, p50 {p50:.2f} ms, p99 {p99:.1f} ms"

    return Row(
        measure=f"GetOrchestrator, new TLS connection each, {clients} client{'s' if clients > 1 else ''}",
        ours=f"{text(0)}; ratio {ratio:.2f}, {failed} failed",
        reference=f"constant answer: {text(1)}",
        target=f"ratio ≥ {_LEAST_RATIO}",
        met=ratio >= _LEAST_RATIO and failed == 0,
    )
