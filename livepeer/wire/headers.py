"""The two credentials of a job, `Livepeer-Payment` and `Livepeer-Segment`: protobuf in padded base64.

Decoding never raises anything but `PeerProtocolError`, with go-livepeer's status and text. The payment comes
first, as orchestrators check it. What the messages mean is decided elsewhere (`segments`).
"""

from __future__ import annotations

import base64
import binascii
import re
from http import HTTPStatus

from google.protobuf.message import DecodeError, Message

from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire import texts
from livepeer.wire.errors import PeerProtocolError

PAYMENT = "Livepeer-Payment"
SEGMENT = "Livepeer-Segment"

LARGEST_SEGMENT_CHARS = 64 * 1024
"""Honest orders take a few thousand; a mebibyte of them is seconds of work before any token is looked at."""

_FOREIGN = re.compile(r"[^A-Za-z0-9+/]")
_QUANTUM = 4


def encode(message: Message) -> str:
    return base64.b64encode(message.SerializeToString()).decode("ascii")


def decode_payment(header: str) -> pb.Payment:
    """An empty header is an empty payment: off-chain gateways send none."""
    payment = pb.Payment()
    try:
        payment.ParseFromString(_decoded(header))
    except ValueError as error:
        raise PeerProtocolError(
            f"{texts.BASE64_DECODE}{error}", status=HTTPStatus.PAYMENT_REQUIRED
        ) from error
    except DecodeError as error:
        raise PeerProtocolError(
            texts.PROTOBUF_UNMARSHAL + texts.PROTOBUF_INVALID, status=HTTPStatus.PAYMENT_REQUIRED
        ) from error
    return payment


def decode_segment(header: str) -> pb.SegData:
    segment = pb.SegData()
    if len(header) > LARGEST_SEGMENT_CHARS:
        raise PeerProtocolError(texts.SEGMENT_ENCODING, status=HTTPStatus.FORBIDDEN)
    try:
        segment.ParseFromString(_decoded(header))
    except ValueError as error:
        raise PeerProtocolError(texts.SEGMENT_ENCODING, status=HTTPStatus.FORBIDDEN) from error
    except DecodeError as error:
        raise PeerProtocolError(texts.PROTOBUF_INVALID, status=HTTPStatus.FORBIDDEN) from error
    return segment


def _decoded(text: str) -> bytes:
    """The bytes; raises ValueError with the position that go's decoder would name."""
    body = text.rstrip("=")
    foreign = _FOREIGN.search(body)
    if foreign is not None:
        raise ValueError(f"illegal base64 data at input byte {foreign.start()}")
    if len(text) % _QUANTUM or len(text) - len(body) > 2:
        raise ValueError(f"illegal base64 data at input byte {len(body) - len(body) % _QUANTUM}")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"illegal base64 data at input byte {len(body)}") from error
