"""gRPC's framing and its error texts, for programs that speak it without a gRPC library.

A message is one flag byte, four bytes of length and the bytes; error texts travel percent-encoded in the
`grpc-message` trailer (gRPC over HTTP/2). Compressed messages are refused: none of our peers sends them.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from livepeer.wire import texts
from livepeer.wire.errors import PeerProtocolError

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
PREFIX_BYTES = 5
OK, UNKNOWN, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 2, 8, 12, 13

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


def frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4) + message


def unframe(data: bytes, *, limit: int = MAX_MESSAGE_BYTES) -> tuple[bytes, bytes] | None:
    """The first whole message and what follows it; None while bytes are missing.

    Raises `PeerProtocolError` as soon as the prefix shows a message that is compressed or over the limit,
    so a caller never waits for bytes that it would throw away.
    """
    if len(data) < PREFIX_BYTES:
        return None
    if data[0] != 0:
        raise PeerProtocolError("grpc: compressed messages are not taken", status=HTTPStatus.BAD_REQUEST)
    size = int.from_bytes(data[1:PREFIX_BYTES])
    if size > limit:
        raise PeerProtocolError(
            texts.GRPC_TOO_LARGE % (size, limit), status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        )
    end = PREFIX_BYTES + size
    if len(data) < end:
        return None
    return data[PREFIX_BYTES:end], data[end:]


def encode_message(text: str) -> str:
    """An error text as the `grpc-message` header carries it: printable ASCII without `%` stays."""
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}"
        for byte in text.encode("utf-8", "replace")
    )


def decode_message(header: str) -> str:
    """The text of a `grpc-message` header; broken escapes stay as they are, as gRPC asks."""
    raw = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), header.encode("utf-8", "replace"))
    return raw.decode("utf-8", "replace")
