"""The three gRPC calls that gateways make, each on a connection of its own as they do.

Latency is what a gateway ranks by: from the dial to the whole answer, handshake included. Raises
`TransportError` where there is no answer and `CallRefused` where the answer is an error.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from livepeer.gateway.address import Address
from livepeer.gateway.failures import Consequence, GatewayError, TransportError
from livepeer.gateway.http2 import Connection, Exchange
from livepeer.wire import grpc
from livepeer.wire.errors import PeerProtocolError

DIAL_S = 3.0
CALL_S = 8.0
PREFIX = "/net.Orchestrator/"

_HEADERS = (
    ("content-type", "application/grpc"),
    ("user-agent", "grpc-python-livepeer/1"),
    ("te", "trailers"),
)
_Answer = TypeVar("_Answer", bound=Message)


class CallRefused(GatewayError):
    """Raised when an orchestrator answers a call with an error."""

    consequence = Consequence.NOT_A_CANDIDATE

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"gRPC status {status}: {text}")
        self.status = status
        self.text = text


async def call(
    address: Address, method: str, *, request: Message, answer: type[_Answer], context: ssl.SSLContext
) -> _Answer:
    """Dials, calls and hangs up. The limits are a gateway's: 3 s to connect, 8 s to answer."""
    connection = await Connection.open(address.host, address.port, context=context, timeout_s=DIAL_S)
    try:
        async with asyncio.timeout(CALL_S):
            exchange = await connection.post(
                PREFIX + method,
                [*_HEADERS, ("grpc-timeout", f"{round(CALL_S * 1000)}m")],
                grpc.frame(request.SerializeToString()),
            )
            await connection.finish(exchange, limit=grpc.MAX_MESSAGE_BYTES + grpc.PREFIX_BYTES)
    except TimeoutError as error:
        raise TransportError(f"{address.uri} does not answer {method} within {CALL_S:g} s") from error
    finally:
        await connection.close()
    return read_answer(exchange, answer)


def read_answer(exchange: Exchange, answer: type[_Answer]) -> _Answer:
    """The message of a finished call, judged as gRPC clients do: the status first, then the frame."""
    if exchange.status != 200:
        raise TransportError(f"a call is answered with HTTP status {exchange.status}")
    content_type = exchange.headers.get("content-type", "")
    if not content_type.startswith("application/grpc"):
        raise TransportError(f"a call is answered with content type {content_type or 'none'}")
    ending = exchange.trailers if "grpc-status" in exchange.trailers else exchange.headers
    status = ending.get("grpc-status", "")
    if not status.isdecimal():
        raise TransportError("a call is answered without a gRPC status")
    if int(status) != grpc.OK:
        raise CallRefused(int(status), grpc.decode_message(ending.get("grpc-message", "")))
    try:
        split = grpc.unframe(bytes(exchange.body))
        message = answer()
        if split is None or split[1]:
            raise TransportError("a call is answered with another number of messages than one")
        message.ParseFromString(split[0])
    except (PeerProtocolError, DecodeError) as error:
        raise TransportError(f"a call is answered with a message that cannot be read: {error}") from error
    return message
