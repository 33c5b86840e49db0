"""What the gateway client makes of answers that are late, broken, missing or endless."""

from __future__ import annotations

import time

import pytest
from gateway_pushes import failure
from toy_orchestrator import Toy
from toy_server import Reply

from livepeer.gateway.failures import (
    BodyLate,
    DownloadFailed,
    HeadersLate,
    ResultInvalid,
    Unreachable,
)
from livepeer.gateway.limits import Limits
from livepeer.wire import lp_rpc_pb2 as pb


class Impatient(Limits):
    """Half a second where a gateway waits two and eight."""

    __slots__ = ()

    def headers_s(self, duration_s: float) -> float:
        return 0.5 + 0 * duration_s

    def exchange_s(self, duration_s: float) -> float:
        return 1.0 + 0 * duration_s


def test_the_limits_are_a_gateways() -> None:
    limits = Limits()
    assert [limits.headers_s(duration) for duration in (1, 4, 10)] == [2.0, 2.0, 5.0]
    assert [limits.exchange_s(duration) for duration in (1, 2, 10)] == [8.0, 8.0, 40.0]
    assert Limits(multiplier=3).headers_s(10) == 15.0
    assert Limits(multiplier=0.5).exchange_s(10) == 40.0


async def test_headers_that_come_late_suspend(toy: Toy, clip: tuple[bytes, ...]) -> None:
    toy.node.bend_segment = lambda order: Reply(before_headers_s=30)
    started = time.monotonic()
    assert isinstance(await failure(toy, clip[0], limits=Impatient()), HeadersLate)
    assert time.monotonic() - started < 10


async def test_a_result_that_comes_late_suspends(toy: Toy, clip: tuple[bytes, ...]) -> None:
    toy.node.bend_segment = lambda order: Reply(body=b"late", before_body_s=30)
    error = await failure(toy, clip[0], limits=Impatient())
    assert isinstance(error, BodyLate)
    assert error.is_punished


async def test_a_broken_connection_suspends(toy: Toy, clip: tuple[bytes, ...]) -> None:
    toy.node.bend_segment = lambda order: Reply(hang_up=True)
    assert isinstance(await failure(toy, clip[0]), Unreachable)


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"x" * 300])
async def test_a_result_that_cannot_be_used_suspends(toy: Toy, clip: tuple[bytes, ...], body: bytes) -> None:
    toy.node.bend_segment = lambda order: Reply(body=body)
    error = await failure(toy, clip[0])
    assert isinstance(error, ResultInvalid)
    assert error.is_punished


async def test_a_missing_rendition_suspends(toy: Toy, clip: tuple[bytes, ...]) -> None:
    def drop(result: pb.TranscodeResult) -> None:
        del result.data.segments[1]

    toy.node.bend_result = drop
    assert "1 renditions came back where 2 were ordered" in str(await failure(toy, clip[0]))


async def test_an_endless_result_is_cut_off(toy: Toy, clip: tuple[bytes, ...]) -> None:
    toy.node.bend_segment = lambda order: Reply(body=bytes(100_000))
    error = await failure(toy, clip[0], limits=Limits(result_bytes=50_000))
    assert isinstance(error, Unreachable)
    assert "larger than 50000 bytes" in str(error)


async def test_a_download_that_fails_suspends(toy: Toy, clip: tuple[bytes, ...]) -> None:
    def lose(_: pb.TranscodeResult) -> None:
        toy.node.renditions.clear()

    toy.node.bend_result = lose
    error = await failure(toy, clip[0])
    assert isinstance(error, DownloadFailed)
    assert "answers 404" in str(error)


@pytest.mark.parametrize(
    ("reply", "limits"),
    [
        (Reply(before_headers_s=30), Limits(download_s=0.5)),
        (Reply(body=b"x", before_body_s=30), Limits(download_s=0.5)),
        (Reply(body=bytes(2_000)), Limits(download_bytes=1_000)),
        (Reply(hang_up=True), Limits()),
    ],
)
async def test_a_download_has_limits(toy: Toy, clip: tuple[bytes, ...], reply: Reply, limits: Limits) -> None:
    toy.node.bend_reply = lambda request: reply if request.path.startswith("/stream/") else None
    assert isinstance(await failure(toy, clip[0], limits=limits), DownloadFailed)


async def test_a_url_that_is_none_fails_its_download(toy: Toy, clip: tuple[bytes, ...]) -> None:
    def point_nowhere(result: pb.TranscodeResult) -> None:
        result.data.segments[0].url = "https://[::1"

    toy.node.bend_result = point_nowhere
    assert isinstance(await failure(toy, clip[0]), DownloadFailed)
