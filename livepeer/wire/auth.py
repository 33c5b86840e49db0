"""The token that ties a gateway's segments to the session it discovered.

An HMAC over session id and expiration, opaque to gateways; the format is go-livepeer's, so a node may change
its program and keep its sessions. The caller makes session ids and keeps the secret (it must outlive
restarts) and the clock.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from http import HTTPStatus

from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire import texts
from livepeer.wire.errors import PeerProtocolError
from livepeer.wire.signing import minimal_bytes

LIFETIME_S = 30 * 60
REFRESH_BEFORE_S = 180
"""Gateways ask for a new token this long before the old one expires."""

_CLOCK_SET_BACK_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class AuthToken:
    """`expiration` is in unix seconds."""

    token: bytes
    session_id: str
    expiration: int


def mint(secret: bytes, session_id: str, *, expiration: int) -> AuthToken:
    return AuthToken(_mac(secret, session_id, expiration), session_id, expiration)


def _mac(secret: bytes, session_id: str, expiration: int) -> bytes:
    return hmac.digest(secret, session_id.encode() + minimal_bytes(expiration), "sha256")


def is_authentic(token: AuthToken, secret: bytes) -> bool:
    """Whether this node made the token, expired or not; takes the same time for every wrong one."""
    return hmac.compare_digest(token.token, _mac(secret, token.session_id, token.expiration))


def check(token: AuthToken | None, secret: bytes, *, now: float) -> AuthToken:
    """The token, if it opens a session now; else raises the text a gateway expects."""
    if token is None:
        raise PeerProtocolError(texts.TOKEN_MISSING, status=HTTPStatus.FORBIDDEN)
    if not is_authentic(token, secret):
        raise PeerProtocolError(texts.TOKEN_INVALID, status=HTTPStatus.FORBIDDEN)
    if token.expiration > now + LIFETIME_S + _CLOCK_SET_BACK_S:
        # The code covers id and time without a border: characters of the id can be moved into the time.
        raise PeerProtocolError(texts.TOKEN_INVALID, status=HTTPStatus.FORBIDDEN)
    if token.expiration < now:
        raise PeerProtocolError(texts.TOKEN_EXPIRED, status=HTTPStatus.FORBIDDEN)
    return token


def from_wire(message: pb.AuthToken) -> AuthToken:
    return AuthToken(message.token, message.session_id, message.expiration)


def to_wire(token: AuthToken) -> pb.AuthToken:
    return pb.AuthToken(token=token.token, session_id=token.session_id, expiration=token.expiration)
