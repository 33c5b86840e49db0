"""A real runtime process on its two unix sockets, and the plainest client for them."""

from __future__ import annotations

import base64
import copy
import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path

from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.signing import keccak256

RECORDED = Path(__file__).parents[2] / "recorded" / "server"
SERVICE_URI = "https://127.0.0.1:8935"


def _clip():
    """One second of 320x180 at 30 frames/s, as a gateway sent it."""
    exchange = RECORDED / "video-offchain" / "42-segment-malformed-h1" / "exchange-01.json"
    body = json.loads(exchange.read_text())["request"]["body"]
    return (RECORDED / "video-offchain" / body["file"]).read_bytes()


CLIP = _clip()

LIMITS = {
    "bodyBytes": 300_000_000,
    "bodyIdleSeconds": 10,
    "drainSeconds": 10,
    "sessionIdleSeconds": 70,
    "queue": 4,
}


def make_spec(directory, *, sessions=10, workers=1, gateways=None, admission="open", **limits):
    return {
        "format": 1,
        "generation": 1,
        "node": {"name": "test", "version": "0.9.1-reconcile"},
        "log": "debug",
        "service": {"uri": SERVICE_URI, "admission": admission},
        "identity": {"address": None},
        "paths": {
            "database": str(directory / "money.db"),
            "renditions": str(directory / "renditions"),
            "log": str(directory / "runtime.log"),
        },
        "video": {
            "sessions": sessions,
            "preset": "ultrafast",
            "workers": {
                f"cpu-{n}": {"device": "cpu", "threads": 1, "memoryBytes": 0} for n in range(workers)
            },
        },
        "pricing": {"video": "1200"},
        "gateways": gateways or {},
        "limits": {**LIMITS, **limits},
    }


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def grpc(self):
        """Status and message of a bridged gRPC call."""
        return int(self.headers.get("x-grpc-status", 0)), self.headers.get("x-grpc-message", "")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("runtime", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def call(path, method, url, headers=None, body=b"", *, timeout=30):
    connection = UnixConnection(path, timeout)
    try:
        connection.request(method, url, body=body or None, headers=headers or {})
        response = connection.getresponse()
        content = response.read()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
    finally:
        connection.close()


@dataclass
class RuntimeProcess:
    spec: dict
    sockets: Path
    process: subprocess.Popen = field(init=False)

    def __post_init__(self):
        self.public = self.sockets / "p.sock"
        self.control_socket = self.sockets / "c.sock"
        document = self.sockets / "spec.json"
        document.write_text(json.dumps(self.spec))
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "runtime",
                "--spec",
                str(document),
                "--public",
                str(self.public),
                "--control",
                str(self.control_socket),
            ],
            stderr=subprocess.PIPE,
        )

    def wait_until_serving(self, timeout=30):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the runtime ended: {self.process.stderr.read()}")
            if self.control_socket.exists() and self.control("GET", "/healthz").status == 200:
                return
            time.sleep(0.02)
        raise AssertionError("the runtime does not serve")

    def get(self, url, method="GET", headers=None, body=b"", *, timeout=30):
        return call(self.public, method, url, headers, body, timeout=timeout)

    def control(self, method, url, value=None):
        body = json.dumps(value).encode() if value is not None else b""
        return call(self.control_socket, method, url, {}, body)

    def status(self):
        return self.control("GET", "/status").json

    def put(self, change):
        """PUT the accepted document with `change` applied to it, as the next generation."""
        document = copy.deepcopy(self.control("GET", "/spec").json)
        change(document)
        document["generation"] += 1
        return self.control("PUT", "/spec", document)

    def grpc(self, method, message):
        body = message if isinstance(message, bytes) else message.SerializeToString()
        return self.get(
            f"/net.Orchestrator/{method}", "POST", {"content-type": "application/x-protobuf"}, body
        )

    def discover(self, address=b"", capabilities=(0, 1, 12)):
        request = pb.OrchestratorRequest(address=address)
        request.capabilities.bitstring.append(sum(1 << c for c in capabilities))
        return self.grpc("GetOrchestrator", request)

    def token(self, address=b""):
        answer = self.discover(address)
        assert answer.grpc == (0, ""), answer.grpc
        return pb.OrchestratorInfo.FromString(answer.body).auth_token

    def segment(self, order, data, payment=None, content_type="video/MP2T", timeout=60):
        headers = {
            "Livepeer-Segment": base64.b64encode(order.SerializeToString()).decode(),
            "Livepeer-Payment": base64.b64encode((payment or pb.Payment()).SerializeToString()).decode(),
            "Content-Type": content_type,
        }
        return self.get("/segment", "POST", headers, data, timeout=timeout)

    def stop(self, timeout=20):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        self.process.stderr.close()
        return self.process.returncode


def make_order(token, data, *, manifest=b"stream", sequence=0, profiles=None, duration=1000):
    order = pb.SegData(
        manifestId=manifest, seq=sequence, hash=keccak256(data), profiles=b"invalid", duration=duration
    )
    order.capabilities.bitstring.append(4099)
    order.auth_token.CopyFrom(token)
    for name, width, height in profiles if profiles is not None else [("small", 160, 90)]:
        order.fullProfiles.add(name=name, width=width, height=height, bitrate=80_000, fps=30)
    return order


def result_of(answer):
    assert answer.status == 200, (answer.status, answer.body)
    return pb.TranscodeResult.FromString(answer.body)


@contextmanager
def running(spec, wait=True):
    """A runtime with this document; its sockets have short paths of their own."""
    with tempfile.TemporaryDirectory(prefix="rt-") as sockets:
        runtime = RuntimeProcess(spec, Path(sockets))
        try:
            if wait:
                runtime.wait_until_serving()
            yield runtime
        finally:
            if runtime.process.poll() is None:
                runtime.stop()
            elif not runtime.process.stderr.closed:
                runtime.process.stderr.close()


def still_serves(runtime):
    return result_of(runtime.segment(make_order(runtime.token(), CLIP), CLIP)).error == ""


@contextmanager
def serving(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
