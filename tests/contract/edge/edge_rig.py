"""A real edge for tests: Envoy planned and started by the kind itself, stand-in runtimes behind it."""

import asyncio
import contextlib
import dataclasses
import ssl
import sys
import time
from pathlib import Path

import httpx

from reconciler.children import observe_children, reap, signal_child, watch
from reconciler.core.clock import SystemClock
from reconciler.core.kind import View
from reconciler.core.values import Known
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

BACKEND = Path(__file__).with_name("edge_backend.py")


class Rig:
    """One node's edge in a temporary directory. `converge` plans and acts until nothing is left."""

    def __init__(self, data, port, **limits):
        self.layout = Layout(data=data, weights=data)
        self.clock = SystemClock()
        self.admin = SocketAdmin()
        self.runtimes = {}
        self.requests = {}
        allowed = {
            "connections": 1000, "headers_s": 5.0, "handshake_s": 5.0, "idle_connection_s": 60.0,
            "idle_stream_s": 60.0, "heap_bytes": 2**30,
        }  # fmt: skip
        self.desired = EdgeDesired(
            node="laptop",
            host="127.0.0.1",
            port=port,
            tls=True,
            limits=EdgeLimits(**(allowed | limits)),
            program=find_envoy(),
            directory=self.layout.edge,
            sockets=self.layout.run,
            identity=self.layout.identity,
            drain_s=20,
        )
        self.certificate = CertificateDesired(
            names=("127.0.0.1",),
            declared=None,
            directory=self.layout.tls,
            reference=self.layout.edge / "certificate.json",
        )
        self.layout.data.mkdir(parents=True, exist_ok=True)

    @property
    def port(self):
        return self.desired.port

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def want(self, **changes):
        self.desired = dataclasses.replace(self.desired, **changes)

    def want_limits(self, **changes):
        self.want(limits=dataclasses.replace(self.desired.limits, **changes))

    @property
    def observer(self):
        return EdgeObserver(self.desired, self.layout, self.admin, self.clock)

    @property
    def actor(self):
        return EdgeActor(self.desired, self.layout, self.admin, self.clock)

    async def look(self):
        observed = await self.observer.observe()
        assert isinstance(observed, Known), observed
        return observed.value

    async def plan(self):
        observed = await self.observer.observe()
        return plan_edge(self.desired, observed, View(now=self.clock.now(), requests=self.requests))

    async def rotate(self):
        observer = CertificateObserver(self.certificate, {}, self.clock)
        actor = CertificateActor(self.certificate, {}, self.clock)
        view = View(now=self.clock.now())
        for operation in plan_certificate(self.certificate, await observer.observe(), view).operations:
            assert await actor.holds(operation)
            await actor.act(operation, lambda _text: None)

    async def converge(self):
        """Acts on the plan, which must be empty afterwards. Returns the operations' targets."""
        await self.rotate()
        done = []
        for operation in (await self.plan()).operations:
            assert await self.actor.holds(operation)
            await self.actor.act(operation, lambda _text: None)
            done.append(f"{operation.target}:{operation.verb}")
        assert (await self.plan()).operations == ()
        return done

    async def start_runtime(self, name):
        socket = self.layout.run / f"{name}.sock"
        self.layout.run.mkdir(parents=True, exist_ok=True)
        process = await asyncio.create_subprocess_exec(sys.executable, BACKEND, socket, name)
        self.runtimes[name] = process
        await until(socket.exists)
        return socket

    def route(self, *names):
        sockets = [self.layout.run / f"{name}.sock" for name in names]
        replace_file(self.layout.edge_routes, serialize(render_endpoints(sockets)))

    async def end_runtime(self, name):
        process = self.runtimes.pop(name)
        process.terminate()
        await process.wait()

    async def taken(self, name, version):
        """Until Envoy has taken this version of a file."""

        async def is_taken():
            current = (await self.look()).current
            return dict(current.accepted).get(name) == version

        await until_async(is_taken)

    async def close(self):
        await stop_edge(self.layout, self.admin, drain_s=0.2)
        for process in self.runtimes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def kill_edge(self, number):
        (child,) = [child for child in observe_children(self.layout) if child.alive]
        assert signal_child(child, number)
        return child

    async def ended(self, child):
        await watch(self.layout, child)
        reap(self.layout, child)


def client_tls(*protocols, least=None, most=None):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if least:
        context.minimum_version = least
    if most:
        context.maximum_version = most
    return context


async def until(holds, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


async def until_async(holds, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not await holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


async def ask(port, path, *, method="GET", body=b"", tls=None, headers=""):
    """One request over a connection of its own, without ALPN. Returns (status, body)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls or client_tls())
    try:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        )
        writer.write(f"{head}{headers}\r\n".encode() + body)
        answer = await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()
    start, _, rest = answer.partition(b"\r\n\r\n")
    return int(start.split(b" ", 2)[1]) if start else 0, rest


class Load:
    """Clients that ask over new and over kept connections until told to stop; every failure is kept."""

    def __init__(self, port, path="/who", clients=3):
        self.port, self.path, self.clients = port, path, clients
        self.answers, self.failures = [], []
        self._stopping = False

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(self._fresh()) for _ in range(self.clients)]
        self._tasks.append(asyncio.create_task(self._kept()))
        await until(lambda: len(self.answers) > self.clients)
        return self

    async def __aexit__(self, *_error):
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _fresh(self):
        while not self._stopping:
            try:
                status, body = await ask(self.port, self.path)
                self._count(status, body)
            except (OSError, TimeoutError, ValueError) as error:
                self.failures.append(repr(error))
            await asyncio.sleep(0.002)

    async def _kept(self):
        async with httpx.AsyncClient(verify=client_tls("h2"), http2=True, timeout=30) as client:
            while not self._stopping:
                try:
                    answer = await client.get(f"https://127.0.0.1:{self.port}{self.path}")
                    self._count(answer.status_code, answer.content)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                await asyncio.sleep(0.002)

    def _count(self, status, body):
        if status == 200:
            self.answers.append(body)
        else:
            self.failures.append((status, body))
