"""Raw ASGI, said once: the answers that handlers give and the types they are written in.

Texts for peers end with a newline, as Go's `http.Error` writes them. gRPC errors travel as two headers that
the edge turns into trailers (the call itself came as a plain POST of one protobuf message).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from livepeer.wire import grpc

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PROTOBUF = b"application/x-protobuf"
_PROTOBUF_HEADER = (b"content-type", PROTOBUF)
_TEXT_HEADERS: Headers = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"x-content-type-options", b"nosniff"),
]


async def send_bytes(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, status: HTTPStatus, text: str, extra: Headers | None = None) -> None:
    await send_bytes(send, status, [*(extra or ()), *_TEXT_HEADERS], f"{text}\n".encode())


async def send_protobuf(send: Send, message: bytes) -> None:
    await send_bytes(send, HTTPStatus.OK, (_PROTOBUF_HEADER,), message)


async def send_grpc_error(send: Send, status: int, text: str) -> None:
    headers = (
        _PROTOBUF_HEADER,
        (b"x-grpc-status", b"%d" % status),
        (b"x-grpc-message", grpc.encode_message(text).encode("ascii")),
    )
    await send_bytes(send, HTTPStatus.OK, headers, b"")


async def send_framed_grpc_error(send: Send, status: int, text: str) -> None:
    """For calls that the edge passes on untranslated: an empty answer, the status in its headers."""
    headers = (
        (b"content-type", b"application/grpc"),
        (b"grpc-status", b"%d" % status),
        (b"grpc-message", grpc.encode_message(text).encode("ascii")),
    )
    await send_bytes(send, HTTPStatus.OK, headers, b"")


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of this lower-case name, or nothing."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""
