"""Prices as the wire carries them: exact rationals of wei per pixel (or per unit of an AI job).

Nothing is rounded, except where a numerator or denominator does not fit the wire's int64: then the price is
its whole part, as gateways know it from go-livepeer. A price whose whole part does not fit is refused.
"""

from __future__ import annotations

import re
from fractions import Fraction
from http import HTTPStatus

from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire import texts
from livepeer.wire.errors import PeerProtocolError

_INT64_MAX = 2**63 - 1
_TEXT = re.compile(r"(\d{1,40})(?:/(\d{1,40}))?")


def parse_price(text: str) -> Fraction:
    """`1200` or `11/20`, in wei; raises ValueError for anything else."""
    match = _TEXT.fullmatch(text)
    if match is None or (match[2] is not None and int(match[2]) == 0):
        raise ValueError(f"a price is a whole number of wei or a fraction such as 11/20, not {text!r}")
    return Fraction(int(match[1]), int(match[2] or 1))


def format_price(price: Fraction) -> str:
    """The text that `parse_price` reads back to the same price."""
    return str(price)


def to_wire(price: Fraction, *, capability: int = 0, constraint: str = "") -> pb.PriceInfo:
    if price < 0:
        raise ValueError(f"a price is never negative: {price}")
    numerator, denominator = price.numerator, price.denominator
    if max(numerator, denominator) > _INT64_MAX:
        numerator, denominator = int(price), 1
    if numerator > _INT64_MAX:
        raise ValueError(f"the wire carries at most {_INT64_MAX} wei per unit, not {price}")
    return pb.PriceInfo(
        pricePerUnit=numerator, pixelsPerUnit=denominator, capability=capability, constraint=constraint
    )


def from_wire(message: pb.PriceInfo) -> Fraction:
    """The price a peer sent; raises `PeerProtocolError` where it is none (no denominator, negative)."""
    if message.pixelsPerUnit <= 0 or message.pricePerUnit < 0:
        shown = f"{message.pricePerUnit}/{message.pixelsPerUnit}"
        raise PeerProtocolError(texts.INVALID_EXPECTED_PRICE + shown, status=HTTPStatus.BAD_REQUEST)
    return Fraction(message.pricePerUnit, message.pixelsPerUnit)
