"""A gateway's order for one segment (`SegData`), as a value, and the bytes that both sides sign.

`read_order` applies the network's rules (first non-empty profile list, default names, duration limits) and
raises nothing but `PeerProtocolError` for what a stranger sent. `write_order` is its inverse, used by the
gateway client. The manifest id and all names are chosen by the caller: never a path without cleaning.
Authenticity (signature, token, capabilities) is judged elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

from livepeer.wire import auth, capabilities, profiles, texts
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.auth import AuthToken
from livepeer.wire.capabilities import Capabilities
from livepeer.wire.errors import PeerProtocolError
from livepeer.wire.profiles import VideoProfile
from livepeer.wire.signing import HASH_BYTES, fit

MAX_DURATION_MS = 300_000
DEFAULT_DURATION_MS = 2_000
MAX_SEGMENT_BYTES = 300_000_000
LEGACY_PROFILES = b"invalid"
"""What the retired `profiles` field carries, so that very old nodes refuse instead of guessing."""

_SEQUENCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Clip:
    """The part of a segment to keep, in milliseconds from its first timestamp."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class StorageS3:
    """Where a gateway wants its renditions: a form upload with a policy. Google takes no date."""

    host: str
    key: str
    policy: str
    signature: str
    credential: str
    date: str
    is_google: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOrder:
    """What a gateway wants done with one segment. `content_hash` is keccak-256 of its bytes."""

    manifest_id: bytes
    sequence: int
    content_hash: bytes
    profiles: tuple[VideoProfile, ...]
    duration_ms: int
    capabilities: Capabilities = field(default_factory=Capabilities)
    auth_token: AuthToken | None = None
    storage: StorageS3 | None = None
    clip: Clip | None = None
    wants_perceptual_hash: bool = False
    force_reinit: bool = False
    signature: bytes = b""

    @property
    def signed_message(self) -> bytes:
        """The flattened segment. Duration, storage, capabilities, token and clip are not covered."""
        return (
            self.manifest_id
            + abs(self.sequence).to_bytes(_SEQUENCE_BYTES)
            + self.content_hash
            + profiles.identity_text(self.profiles)
        )


def read_order(message: pb.SegData) -> SegmentOrder:
    wanted = profiles.read_profiles(message)
    clip = message.segment_parameters
    return SegmentOrder(
        manifest_id=message.manifestId,
        sequence=message.seq,
        content_hash=fit(message.hash, HASH_BYTES),
        profiles=wanted,
        duration_ms=_duration(message.duration),
        capabilities=capabilities.from_wire(message.capabilities),
        auth_token=auth.from_wire(message.auth_token) if message.HasField("auth_token") else None,
        storage=_read_storage(message.storage[0]) if message.storage else None,
        clip=Clip(getattr(clip, "from"), clip.to) if message.HasField("segment_parameters") else None,
        wants_perceptual_hash=message.calc_perceptual_hash,
        force_reinit=message.ForceSessionReinit,
        signature=message.sig,
    )


def _duration(milliseconds: int) -> int:
    if not 0 <= milliseconds <= MAX_DURATION_MS:
        raise PeerProtocolError(texts.DURATION, status=HTTPStatus.FORBIDDEN)
    return milliseconds or DEFAULT_DURATION_MS


def _read_storage(message: pb.OSInfo) -> StorageS3 | None:
    """None for a kind that brings no storage of its own: the node then uses its own."""
    if message.storageType not in (pb.OSInfo.S3, pb.OSInfo.GOOGLE):
        return None
    info = message.s3info
    return StorageS3(
        host=info.host,
        key=info.key,
        policy=info.policy,
        signature=info.signature,
        credential=info.credential,
        date=info.xAmzDate,
        is_google=message.storageType == pb.OSInfo.GOOGLE,
    )


def write_order(order: SegmentOrder) -> pb.SegData:
    message = pb.SegData(
        manifestId=order.manifest_id,
        seq=order.sequence,
        hash=order.content_hash,
        profiles=LEGACY_PROFILES,
        sig=order.signature,
        duration=order.duration_ms,
        capabilities=capabilities.to_wire(order.capabilities),
        calc_perceptual_hash=order.wants_perceptual_hash,
        ForceSessionReinit=order.force_reinit,
    )
    if order.auth_token is not None:
        message.auth_token.CopyFrom(auth.to_wire(order.auth_token))
    if order.storage is not None:
        message.storage.append(_write_storage(order.storage))
    if order.clip is not None:
        message.segment_parameters.SetInParent()
        setattr(message.segment_parameters, "from", order.clip.from_ms)
        message.segment_parameters.to = order.clip.to_ms
    profiles.write_profiles(order.profiles, message)
    return message


def _write_storage(storage: StorageS3) -> pb.OSInfo:
    return pb.OSInfo(
        storageType=pb.OSInfo.GOOGLE if storage.is_google else pb.OSInfo.S3,
        s3info=pb.S3OSInfo(
            host=storage.host,
            key=storage.key,
            policy=storage.policy,
            signature=storage.signature,
            credential=storage.credential,
            xAmzDate=storage.date,
        ),
    )
