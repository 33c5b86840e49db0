"""What the node adds to a segment: round trip minus codec time, and a rendition's download."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from livepeer.gateway.client import Gateway
from livepeer.gateway.clip import Clip, make_clip
from livepeer.gateway.offer import Offer
from livepeer.gateway.requirements import needs_of
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.headers import encode
from livepeer.wire.profiles import VideoProfile
from livepeer.wire.segments import SegmentOrder, write_order
from livepeer.wire.signing import keccak256
from tests.bench.lean import Download, Upload
from tests.bench.table import Row
from tests.e2e.harness import Node, converged

_ROUNDS = 60
_PROFILE = (VideoProfile(name="P144p", width=256, height=144, bitrate=200_000, fps=30),)
_GO_OVERHEAD_MS, _GO_DOWNLOAD_MS = 5.1, 0.63
"""go-livepeer 0.9.1 on a machine of this class: upload until the 200, and a rendition's download."""


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, converged(Path(folder)) as node:
        return _measure(node)


def _measure(node: Node) -> list[Row]:
    segment = _megabyte()
    offer = asyncio.run(Gateway(node.uri).usable_offer(needs_of(_PROFILE)))
    upload, download = Upload(node.port), Download(node.port)
    overheads: list[float] = []
    headers: list[float] = []
    downloads: list[float] = []
    codec = _CodecClock(node)
    for sequence in range(_ROUNDS):
        before_s = codec.read()
        timed = upload.post("/segment", _credentials(offer, segment, sequence), segment)
        overheads.append((timed.total_s - (codec.read() - before_s)) * 1000)
        headers.append(timed.headers_s * 1000)
        result = pb.TranscodeResult.FromString(timed.body)
        assert not result.error, result.error
        seconds, _body = download.get(urlsplit(result.data.segments[0].url).path)
        downloads.append(seconds * 1000)
    upload.close()
    download.close()
    size = f"{len(segment) / 1e6:.2f} MB"
    return [
        _row(f"segment round trip minus codec time, {size}, p50", _p50(overheads), 8, ""),
        _row("… p99", _p99(overheads), 25, ""),
        Row(
            measure="… upload until the 200, p50",
            ours=f"{_p50(headers):.1f} ms",
            reference=f"go-livepeer elsewhere: {_GO_OVERHEAD_MS} ms",
        ),
        _row("rendition download, p50", _p50(downloads), 1, f"go-livepeer elsewhere: {_GO_DOWNLOAD_MS} ms"),
    ]


def _credentials(offer: Offer, segment: bytes, sequence: int) -> list[tuple[str, str]]:
    token = offer.token
    assert token is not None
    order = SegmentOrder(
        manifest_id=b"bench",
        sequence=sequence,
        content_hash=keccak256(segment),
        profiles=_PROFILE,
        duration_ms=2000,
        capabilities=needs_of(_PROFILE),
        auth_token=token,
    )
    return [
        ("livepeer-segment", encode(write_order(order))),
        ("livepeer-payment", ""),
        ("content-type", "video/MP2T"),
        ("content-length", str(len(segment))),
    ]


def _row(measure: str, figure_ms: float, limit_ms: float, reference: str) -> Row:
    return Row(
        measure=measure,
        ours=f"{figure_ms:.2f} ms",
        reference=reference,
        target=f"< {limit_ms:g} ms",
        met=figure_ms < limit_ms,
    )


def _megabyte() -> bytes:
    clip = Clip(width=1280, height=720, fps=Fraction(30), segment_s=2.0, count=1, bitrate=4_400_000)
    return make_clip(clip)[0]


def _p50(figures: list[float]) -> float:
    return statistics.median(figures)


def _p99(figures: list[float]) -> float:
    return statistics.quantiles(figures, n=100)[98]


class _CodecClock:
    """The runtime's own sum of time spent inside video workers, in seconds."""

    def __init__(self, node: Node) -> None:
        (control,) = node.run_folder().glob("runtime-*-control.sock")
        self._client = httpx.Client(transport=httpx.HTTPTransport(uds=str(control)))

    def read(self) -> float:
        lines = self._client.get("http://runtime/metrics", timeout=10).text.splitlines()
        return next(
            float(line.split()[1]) for line in lines if line.startswith("livepeer_runtime_codec_seconds_sum")
        )
