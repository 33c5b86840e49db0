"""A load client that asks as gateways do: one unary gRPC call over a new TLS connection each time.

Runs in a process of its own (`measure` starts it): one thread, sockets that never block, ready-made
HTTP/2 frames, so that nearly all of its time is OpenSSL's and the kernel's. Prints one JSON line. With
`kept`, every client keeps its connection instead.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hpack

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
_ACKNOWLEDGED = b"\0\0\0\x04\x01\0\0\0\0"
_WIDE_OPEN = b"\0\0\4\x08\0\0\0\0\0\x3f\xff\xff\xff"  # a window for all answers of a connection
_DATA, _HEADERS, _RESET, _GOAWAY = 0, 1, 3, 7
_FRAME_HEAD, _MESSAGE_HEAD = 9, 5
_END_STREAM, _END_HEADERS = 1, 4
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Sample:
    """Times in milliseconds, whole calls: connect, handshake, question, answer."""

    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


def measure(port: int, *, clients: int, seconds: float, path: str, body: bytes, kept: bool = False) -> Sample:
    """`body` is the request message. Any answer with a message counts; anything else has failed."""
    given = json.dumps([port, clients, seconds, path, body.hex(), kept])
    finished = subprocess.run(
        [sys.executable, "-m", "tests.bench.edge_load", given], cwd=_ROOT, check=True, capture_output=True
    )
    return Sample(**json.loads(finished.stdout))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _question(stream: int, path: str, body: bytes) -> bytes:
    headers = hpack.Encoder().encode(
        [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", path),
            (":authority", "127.0.0.1"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
    )
    message = b"\0" + len(body).to_bytes(4, "big") + body
    return _frame(_HEADERS, _END_HEADERS, stream, headers) + _frame(_DATA, _END_STREAM, stream, message)


class _Answer:
    """Reads frames until a stream has ended; counts the bytes of its messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.got = 0

    def feed(self, part: bytes, stream: int) -> int | None:
        """The number of bytes once the stream has ended, else None. Raises ConnectionError on a refusal."""
        buffer = self._buffer
        buffer += part
        while len(buffer) >= _FRAME_HEAD:
            end = _FRAME_HEAD + int.from_bytes(buffer[:3], "big")
            if len(buffer) < end:
                return None
            kind, flags, of = buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big")
            del buffer[:end]
            if kind in (_RESET, _GOAWAY):
                raise ConnectionError(f"frame {kind}")
            if of == stream:
                self.got += end - _FRAME_HEAD if kind == _DATA else 0
                if flags & _END_STREAM and kind in (_DATA, _HEADERS):
                    return self.got
        return None


class _Client:
    """One client: a connection at a time, driven by the loop as its socket becomes ready."""

    def __init__(self, load: _Load) -> None:
        self.load = load
        self.begin()

    def begin(self) -> None:
        self.began, self.stream, self.answer = time.monotonic(), 1, _Answer()
        plain = socket.socket()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setblocking(False)
        plain.connect_ex(("127.0.0.1", self.load.port))
        self.tls = self.load.context.wrap_socket(plain, do_handshake_on_connect=False)
        self.greeted = False
        self.load.selector.register(self.tls, selectors.EVENT_WRITE, self)

    def ready(self) -> None:
        try:
            self._go_on()
        except ssl.SSLWantReadError:
            self._wait_for(selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._wait_for(selectors.EVENT_WRITE)
        except OSError:
            self.load.failed += 1
            self._end()

    def _go_on(self) -> None:
        if not self.greeted:
            self.tls.do_handshake()
            self.greeted = True
            self.tls.send(self.load.opening)
        while True:
            part = self.tls.recv(65_536)
            if not part:
                raise ConnectionError("closed")
            got = self.answer.feed(part, self.stream)
            if got is not None:
                self._answered(got)
                return

    def _answered(self, got: int) -> None:
        self.load.count(self.began, got)
        if not self.load.kept or self.load.is_over():
            self._end()
            return
        self.began, self.stream, self.answer.got = time.monotonic(), self.stream + 2, 0
        self.tls.send(_question(self.stream, self.load.path, self.load.body))
        self._wait_for(selectors.EVENT_READ)

    def _wait_for(self, event: int) -> None:
        self.load.selector.modify(self.tls, event, self)

    def _end(self) -> None:
        self.load.selector.unregister(self.tls)
        self.tls.close()
        if not self.load.is_over():
            self.begin()


class _Load:
    """All clients of one measurement in one thread, so that they wait for the node and not for each other."""

    def __init__(self, given: list[Any]) -> None:
        self.port, self.clients, seconds, self.path, body, self.kept = given
        self.body = bytes.fromhex(body)
        self.ends_at = time.monotonic() + seconds
        self.opening = _PREFACE + _SETTINGS + _ACKNOWLEDGED + _WIDE_OPEN + _question(1, self.path, self.body)
        self.selector = selectors.DefaultSelector()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.set_alpn_protocols(["h2"])
        self.times_s: list[float] = []
        self.failed = 0

    def is_over(self) -> bool:
        return time.monotonic() >= self.ends_at

    def count(self, began: float, got: int) -> None:
        if got > _MESSAGE_HEAD:
            self.times_s.append(time.monotonic() - began)
        else:
            self.failed += 1

    def run(self) -> None:
        for _ in range(self.clients):
            _Client(self)
        while self.selector.get_map():
            ready = self.selector.select(timeout=10)
            if not ready:
                self.failed += len(self.selector.get_map())
                return
            for key, _ in ready:
                key.data.ready()


def main() -> None:
    load = _Load(json.loads(sys.argv[1]))
    began = time.monotonic()
    load.run()
    took = time.monotonic() - began
    ordered = sorted(load.times_s) or [0.0]
    print(
        json.dumps(
            {
                "clients": load.clients,
                "per_second": len(load.times_s) / took,
                "p50_ms": ordered[len(ordered) // 2] * 1000,
                "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
                "failed": load.failed,
            }
        )
    )


if __name__ == "__main__":
    main()
