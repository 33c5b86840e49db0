"""The edge of a throw-away node for measurements, and a program behind it that always answers the same."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from reconciler.core.clock import SystemClock
from reconciler.core.kind import View
from reconciler.layout import Layout
from reconciler.resources.certificate.act import CertificateActor
from reconciler.resources.certificate.observe import CertificateObserver
from reconciler.resources.certificate.plan import plan_certificate
from reconciler.resources.certificate.state import CertificateDesired
from reconciler.resources.edge.act import EdgeActor
from reconciler.resources.edge.admin import SocketAdmin
from reconciler.resources.edge.observe import EdgeObserver
from reconciler.resources.edge.plan import plan_edge
from reconciler.resources.edge.program import find_envoy
from reconciler.resources.edge.state import EdgeDesired, EdgeLimits
from reconciler.resources.edge.stop import stop_edge
from reconciler.routes import render_endpoints, replace_file, serialize

_CONSTANT = """
import sys, uvicorn
ANSWER = bytes.fromhex(sys.argv[2])
HEAD = {"type": "http.response.start", "status": 200, "headers": [
    (b"content-type", b"application/x-protobuf"), (b"content-length", str(len(ANSWER)).encode())]}
BODY = {"type": "http.response.body", "body": ANSWER}
async def program(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send(HEAD)
    await send(BODY)
uvicorn.run(program, uds=sys.argv[1], http="httptools", loop="uvloop", lifespan="off", log_level="critical",
            access_log=False, server_header=False, timeout_keep_alive=3600, backlog=2048)
"""


@contextlib.contextmanager
def edge_before(socket: Path, port: int, workers: int | None = None) -> Iterator[None]:
    """An edge on this port in front of whatever listens on `socket`, as the operator itself starts it."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(data=Path(folder) / "data", weights=Path(folder))
        asyncio.run(_start(layout, socket, port, workers))
        try:
            yield
        finally:
            asyncio.run(stop_edge(layout, SocketAdmin(), drain_s=1.0))


@contextlib.contextmanager
def constant_program(socket: Path, answer: bytes) -> Iterator[int]:
    """A program with nothing to think about: what the way to it costs alone. Yields its pid."""
    with subprocess.Popen([sys.executable, "-c", _CONSTANT, str(socket), answer.hex()]) as process:
        try:
            deadline = time.monotonic() + 20
            while not socket.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            yield process.pid
        finally:
            process.terminate()


async def _start(layout: Layout, socket: Path, port: int, workers: int | None) -> None:
    clock, admin = SystemClock(), SocketAdmin()
    layout.data.mkdir()
    certificate = CertificateDesired(
        names=("127.0.0.1",), declared=None, directory=layout.tls, reference=layout.edge / "certificate.json"
    )
    seen = await CertificateObserver(certificate, {}, clock).observe()
    for operation in plan_certificate(certificate, seen, View(now=clock.now())).operations:
        await CertificateActor(certificate, {}, clock).act(operation, print)
    replace_file(layout.edge_routes, serialize(render_endpoints([socket])))
    program = find_envoy()
    desired = EdgeDesired(
        node="bench",
        host="127.0.0.1",
        port=port,
        tls=True,
        limits=EdgeLimits(
            connections=8192,
            headers_s=10,
            handshake_s=10,
            idle_connection_s=600,
            idle_stream_s=900,
            heap_bytes=2**31,
        ),
        program=replace(program, workers=workers or program.workers),
        directory=layout.edge,
        sockets=layout.run,
        identity=layout.identity,
        drain_s=1,
    )
    edge = await EdgeObserver(desired, layout, admin, clock).observe()
    for operation in plan_edge(desired, edge, View(now=clock.now())).operations:
        await EdgeActor(desired, layout, admin, clock).act(operation, lambda _text: None)
