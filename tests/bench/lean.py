"""A gateway's two connections with next to no client: what is timed is the node, not Python.

`Upload` keeps one HTTP/2 connection (ALPN h2) and sends a segment from ready-made frames within the windows
that the node grants; `Download` keeps one HTTP/1.1 connection without ALPN. Blocking, one exchange at a time,
trusts its peer: for measurements only.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import time
from dataclasses import dataclass

import hpack

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _GOAWAY, _WINDOW_UPDATE = 0, 1, 4, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_INITIAL_WINDOW = 4
_FRAME_BYTES = 16_384
_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds from the first byte sent: until the 200, and until the last byte of the result."""

    headers_s: float
    total_s: float
    body: bytes


class Upload:
    def __init__(self, port: int) -> None:
        self._tls = _connect(port, alpn=["h2"])
        self._encoder, self._decoder = hpack.Encoder(), hpack.Decoder()
        self._buffer = bytearray()
        self._stream = -1
        self._initial_window = self._window = 65_535
        self._stream_window = 0
        self._send(
            _PREFACE, _frame(_SETTINGS, 0, 0, b""), _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30))
        )
        kind = -1
        while kind != _SETTINGS:
            kind = self._read_frame()[0]

    def post(self, path: str, headers: list[tuple[str, str]], body: bytes) -> Timed:
        self._stream += 2
        self._stream_window = self._initial_window
        head = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "127.0.0.1"),
            (":path", path),
            *headers,
        ]
        began = time.perf_counter()
        self._send(_frame(_HEADERS, _END_HEADERS, self._stream, self._encoder.encode(head)))
        self._send_body(memoryview(body))
        status, headers_s, answer = "", 0.0, bytearray()
        while True:
            kind, flags, stream, payload = self._read_frame()
            if stream != self._stream:
                continue
            if kind == _HEADERS and not status:
                status, headers_s = (
                    dict(self._decoder.decode(payload))[":status"],
                    time.perf_counter() - began,
                )
            elif kind == _DATA:
                answer += payload
            if kind in (_HEADERS, _DATA) and flags & _END_STREAM:
                break
        assert status == "200", f"{path} answered {status}: {bytes(answer[:200])!r}"
        return Timed(headers_s, time.perf_counter() - began, bytes(answer))

    def close(self) -> None:
        self._tls.close()

    def _send_body(self, rest: memoryview) -> None:
        while rest:
            room = min(len(rest), self._window, self._stream_window)
            if room == 0:
                self._read_frame()
                continue
            parts = [rest[at : min(at + _FRAME_BYTES, room)] for at in range(0, room, _FRAME_BYTES)]
            is_last = room == len(rest)
            frames = [
                _frame(_DATA, _END_STREAM if is_last and part is parts[-1] else 0, self._stream, part)
                for part in parts
            ]
            self._send(*frames)
            self._window -= room
            self._stream_window -= room
            rest = rest[room:]

    def _send(self, *frames: bytes) -> None:
        self._tls.sendall(b"".join(frames))

    def _read_frame(self) -> tuple[int, int, int, bytes]:
        """The next frame; settings and window updates have taken effect when it comes back."""
        head = self._exactly(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
        payload = self._exactly(int.from_bytes(head[:3], "big"))
        if kind == _GOAWAY:
            raise ConnectionError("the node closes the connection")
        if kind == _SETTINGS and not flags & _ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                self._initial_window = value if name == _INITIAL_WINDOW else self._initial_window
            self._send(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind == _WINDOW_UPDATE and stream == self._stream:
            self._stream_window += int.from_bytes(payload, "big")
        return kind, flags, stream, payload

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            part = self._tls.recv(65_536)
            if not part:
                raise ConnectionError("the node has closed the connection")
            self._buffer += part
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


class Download:
    def __init__(self, port: int) -> None:
        self._client = http.client.HTTPConnection("127.0.0.1", port)
        self._client.sock = _connect(port, alpn=[])

    def get(self, path: str) -> tuple[float, bytes]:
        """Seconds, and the body."""
        began = time.perf_counter()
        self._client.request("GET", path)
        answer = self._client.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{path} answered {answer.status}"
        return time.perf_counter() - began, body

    def close(self) -> None:
        self._client.close()


def _connect(port: int, *, alpn: list[str]) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    plain = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain)


def _frame(kind: int, flags: int, stream: int, payload: bytes | memoryview) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
