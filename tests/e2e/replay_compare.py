"""What a gateway would find different: our answer against the recorded one, volatile parts masked.

Every difference is one line of text, so that a test can state the ones that are meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from replay_material import Recorded, unframed
from replay_media import look
from replay_peer import Answer

from livepeer.wire import lp_rpc_pb2 as pb

_PLACE = re.compile(r"^https://[^/]+/stream/[0-9a-f]+/")
_VOLATILE = {"date", "connection"}
_SEMVER = re.compile(r"^(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?$")
_VIDEO = (1 << 27) - 1
"""Capabilities of video; the reference claims AI ones above for models that it does not have."""


def differences(recorded: Recorded, ours: Answer) -> list[str]:
    if recorded.is_call:
        found = _call(recorded, ours)
    elif recorded.path == "/segment":
        found = _segment(recorded, ours)
    else:
        found = _download(recorded, ours)
    return [f"{recorded.number} {recorded.path.rpartition('/')[2]}: {text}" for text in found]


def _unequal(name: str, ours: object, theirs: object) -> Iterator[str]:
    if ours != theirs:
        yield f"{name} {ours!r} instead of {theirs!r}"


def _names(headers: list[tuple[str, str]]) -> set[str]:
    return {name.lower() for name, _ in headers} - _VOLATILE


def _call(recorded: Recorded, ours: Answer) -> Iterator[str]:
    yield from _unequal("status", ours.status, recorded.status)
    theirs = {key.lower(): value for key, value in recorded.answer_headers}
    yield from _unequal("content-type", ours.named("content-type"), theirs["content-type"])
    ending = ours.trailers if "grpc-status" in ours.trailers else dict(ours.headers)
    for name in ("grpc-status", "grpc-message"):
        yield from _unequal(name, ending.get(name) or None, recorded.trailers.get(name))
    if recorded.trailers.get("grpc-status") != "0":
        return
    if recorded.path.endswith("/GetOrchestrator"):
        yield from info(pb.OrchestratorInfo.FromString(unframed(bytes(ours.body))), recorded.offer)
    else:
        yield from _unequal("message", bytes(ours.body), recorded.answer)


def info(ours: pb.OrchestratorInfo, theirs: pb.OrchestratorInfo) -> Iterator[str]:
    yield from _unequal(
        "fields", [f.name for f, _ in ours.ListFields()], [f.name for f, _ in theirs.ListFields()]
    )
    yield from _unequal("address", ours.address, theirs.address)
    have, want = ours.capabilities, theirs.capabilities
    missing = want.bitstring[0] & _VIDEO & ~have.bitstring[0]
    yield from _unequal("missing capabilities", f"{missing:b}", "0")
    listed = {bit for bit in range(64 * len(have.bitstring)) if have.bitstring[bit // 64] >> bit % 64 & 1}
    yield from _unequal("capacities", dict(have.capacities), dict.fromkeys(listed, 1))
    yield from _unequal("mandatories", list(have.mandatories), list(want.mandatories))
    yield from _unequal("constraints", have.HasField("constraints"), True)
    yield from _unequal("words", len(have.bitstring), len(want.bitstring))
    version = _SEMVER.match(have.version)
    yield from _unequal("version", version and ".".join(version.groups()[:3]), want.version)
    token, recorded_token = ours.auth_token, theirs.auth_token
    yield from _unequal("token length", len(token.token), len(recorded_token.token))
    yield from _unequal("session id", bool(re.fullmatch("[0-9a-f]{8,32}", token.session_id)), True)
    yield from _unequal("URI ends with a slash", ours.transcoder.endswith("/"), False)
    yield from _unequal("URI has a port", bool(re.search(r":\d+$", ours.transcoder)), True)


def _segment(recorded: Recorded, ours: Answer) -> Iterator[str]:
    yield from _unequal("status", ours.status, recorded.status)
    yield from _unequal("headers", _names(ours.headers), _names(recorded.answer_headers))
    result, theirs = pb.TranscodeResult.FromString(bytes(ours.body)), recorded.result
    yield from _unequal("seq", result.seq, theirs.seq)
    yield from _unequal("kind", result.WhichOneof("result"), theirs.WhichOneof("result"))
    yield from _unequal("error", result.error, theirs.error)
    for part in ("url", "perceptual_hash_url"):
        yield from _unequal(part, _places(result, part), _places(theirs, part))
    yield from _unequal(
        "pixels", [s.pixels for s in result.data.segments], [s.pixels for s in theirs.data.segments]
    )
    yield from _unequal("sig", result.data.sig, theirs.data.sig)
    yield from info(result.info, theirs.info)


def _places(result: pb.TranscodeResult, part: str) -> list[str]:
    return [_PLACE.sub("", getattr(segment, part)) for segment in result.data.segments]


def _download(recorded: Recorded, ours: Answer) -> Iterator[str]:
    yield from _unequal("status", ours.status, recorded.status)
    wanted = _names(recorded.answer_headers)
    yield from _unequal("missing headers", wanted - _names(ours.headers), set())
    theirs = {key.lower(): value for key, value in recorded.answer_headers}
    for name in ("access-control-allow-origin", "access-control-expose-headers", "cache-control"):
        yield from _unequal(name, ours.named(name), theirs.get(name))
    yield from _unequal("content-length", ours.named("content-length"), str(len(ours.body)))
    if ours.status == recorded.status == 200 and not recorded.path.endswith(".phash"):
        yield from _rendition(recorded.answer, bytes(ours.body))


def _rendition(theirs: bytes, ours: bytes) -> Iterator[str]:
    made, wanted = look(ours), look(theirs)
    for part in fields(made):
        yield from _unequal(part.name, getattr(made, part.name), getattr(wanted, part.name))
