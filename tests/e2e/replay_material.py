"""The recorded exchanges of a real gateway, in order, with the bodies that were kept for other tests too."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from livepeer.wire import grpc
from livepeer.wire import lp_rpc_pb2 as pb

RECORDED = Path(__file__).parents[1] / "recorded"
REPLAY = RECORDED / "replay"
_FOLDERS = (
    REPLAY / "bodies",
    RECORDED / "codec",
    *(RECORDED / "server" / name / "bodies" for name in ("video-offchain", "video-capacity")),
)

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request with the answer that go-livepeer gave."""

    number: int
    protocol: str
    connection: str
    method: str
    path: str
    pseudo: tuple[str, ...]
    headers: Headers
    body: bytes
    status: int
    answer_headers: Headers
    trailers: dict[str, str]
    answer: bytes
    line: str = ""

    @property
    def is_call(self) -> bool:
        return self.path.startswith("/net.")

    @property
    def order(self) -> pb.SegData:
        sent = {name.lower(): value for name, value in self.headers}["livepeer-segment"]
        return pb.SegData.FromString(base64.b64decode(sent))

    @property
    def result(self) -> pb.TranscodeResult:
        return pb.TranscodeResult.FromString(self.answer)

    @property
    def offer(self) -> pb.OrchestratorInfo:
        return pb.OrchestratorInfo.FromString(unframed(self.answer))


def unframed(body: bytes) -> bytes:
    split = grpc.unframe(body)
    assert split is not None
    assert not split[1], "more than one message"
    return split[0]


def _body(value: dict[str, str] | None) -> bytes:
    if value is None:
        return b""
    if "hex" in value:
        return bytes.fromhex(value["hex"])
    return kept(value["file"])


def kept(name: str) -> bytes:
    return next(folder / name for folder in _FOLDERS if (folder / name).exists()).read_bytes()


def _pairs(value: list[list[str]]) -> Headers:
    return [(name, content) for name, content in value]


def _exchange(value: dict[str, Any]) -> Recorded:
    return Recorded(
        number=value["n"],
        protocol=value["protocol"],
        connection=value["connection"],
        method=value["method"],
        path=value["path"],
        pseudo=tuple(value["pseudo"]),
        headers=_pairs(value["headers"]),
        body=_body(value["body"]),
        status=value["status"],
        answer_headers=_pairs(value["answer_headers"]),
        trailers=dict(_pairs(value["trailers"])),
        answer=_body(value["answer"]),
    )


@cache
def cases() -> dict[str, tuple[Recorded, ...]]:
    """Case name to its exchanges between gateway and orchestrator."""
    text = json.loads((REPLAY / "cases.json").read_text())
    return {case["name"]: tuple(_exchange(value) for value in case["exchanges"]) for case in text}


@cache
def by_hand(folder: str, case: str) -> tuple[Recorded, ...]:
    """Requests that were sent to the reference by hand, as kept for the runtime's own tests."""
    place = RECORDED / "server" / folder / case
    return tuple(_handmade(json.loads(path.read_text())) for path in sorted(place.glob("exchange-*.json")))


def _handmade(value: dict[str, Any]) -> Recorded:
    request, response = value["request"], value["response"]
    sent, got = ((part.get("body") or {}).get("file") for part in (request, response))
    return Recorded(
        number=value["n"],
        protocol=value["protocol"],
        connection=value["connection"],
        method=request["method"],
        path=request["path"],
        pseudo=tuple(name for name, _ in _pairs(request.get("pseudo_headers", []))),
        headers=_pairs(request["headers"]),
        body=kept(Path(sent).name) if sent else b"",
        status=response["status"],
        answer_headers=_pairs(response["headers"]),
        trailers=dict(_pairs(response.get("trailers") or [])),
        answer=kept(Path(got).name) if got else b"",
        line=request.get("request_line", ""),
    )
