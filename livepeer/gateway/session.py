"""A stream's segments, one after the other, on the orchestrator that discovery chose.

Pushes a segment over HTTP/2, reads the result, downloads every rendition over HTTP/1.1 without ALPN, checks
what a gateway checks. The session's terms (token, prices, address) follow each answer, and are asked for
anew three minutes before the token expires. Raises `SegmentFailed` with what a gateway would do about it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from livepeer.gateway import tls
from livepeer.gateway.address import parse_uri
from livepeer.gateway.download import Downloader, Fetched
from livepeer.gateway.failures import (
    BodyLate,
    HeadersLate,
    NotProcessed,
    Refused,
    ResultError,
    ResultInvalid,
    SignatureMismatch,
    TransportError,
    Unreachable,
)
from livepeer.gateway.http2 import Connection, Exchange
from livepeer.gateway.limits import Limits
from livepeer.gateway.offer import Offer
from livepeer.gateway.transcoded import Rendition, Stream, Transcoded, count_pixels
from livepeer.wire import headers, signing
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.auth import AuthToken
from livepeer.wire.segments import Clip, SegmentOrder, StorageS3, write_order
from livepeer.wire.signing import Signer, keccak256


@dataclass(frozen=True, slots=True)
class _Times:
    headers_s: float
    total_s: float


class Session:
    """Made by `Gateway.session`. Segments may be pushed at the same time; each takes its own connection."""

    def __init__(
        self,
        stream: Stream,
        offer: Offer,
        *,
        discover: Callable[[], Awaitable[Offer]],
        signer: Signer,
        limits: Limits,
        now: Callable[[], float],
    ) -> None:
        self._stream = stream
        self._offer = offer
        self._discover = discover
        self._signer = signer
        self._limits = limits
        self._now = now
        self._h2 = tls.offering_h2()
        self._idle: list[Connection] = []
        self._downloads = Downloader(limits)

    @property
    def offer(self) -> Offer:
        return self._offer

    @property
    def token(self) -> AuthToken:
        token = self._offer.token
        if token is None:
            raise ResultInvalid("the session has no auth token")
        return token

    async def push(
        self,
        segment: bytes,
        sequence: int,
        *,
        duration_s: float,
        clip: Clip | None = None,
        storage: StorageS3 | None = None,
        force_reinit: bool = False,
        content_hash: bytes | None = None,
    ) -> Transcoded:
        """Has one segment transcoded and everything checked. A foreign `content_hash` is to be refused."""
        if self._offer.must_refresh(self._now()):
            self._offer = await self._discover()
        if content_hash is None:
            content_hash = await asyncio.to_thread(keccak256, segment)
        order = SegmentOrder(
            manifest_id=self._stream.manifest_id.encode(),
            sequence=sequence,
            content_hash=content_hash,
            profiles=self._stream.profiles,
            duration_ms=round(duration_s * 1000),
            capabilities=self._stream.needs,
            auth_token=self.token,
            clip=clip,
            storage=storage,
            force_reinit=force_reinit,
        )
        exchange, times = await self._exchange(order, segment, duration_s)
        data, signed_by = self._read(exchange)
        renditions = await self._fetch(data)
        await asyncio.to_thread(self._check_signature, renditions, data.sig, signed_by)
        return Transcoded(
            sequence=sequence,
            duration_s=duration_s,
            headers_s=times.headers_s,
            total_s=times.total_s,
            renditions=await self._count(renditions),
        )

    async def close(self) -> None:
        await self._downloads.close()
        while self._idle:
            await self._idle.pop().close()

    async def _exchange(
        self, order: SegmentOrder, segment: bytes, duration_s: float
    ) -> tuple[Exchange, _Times]:
        message = write_order(order)
        message.sig = self._signer.sign(order.signed_message)
        sent = (
            (headers.SEGMENT.lower(), headers.encode(message)),
            (headers.PAYMENT.lower(), ""),
            ("content-type", "video/MP2T"),
            ("content-length", str(len(segment))),
        )
        started = time.perf_counter()
        exchange, connection = await self._upload(sent, segment, self._limits.headers_s(duration_s))
        headers_s = time.perf_counter() - started
        left_s = self._limits.exchange_s(duration_s) - headers_s
        try:
            async with asyncio.timeout(left_s):
                await connection.finish(exchange, limit=self._limits.result_bytes)
        except TimeoutError as error:
            raise BodyLate(f"no result within {self._limits.exchange_s(duration_s):g} s") from error
        except TransportError as error:
            raise Unreachable(str(error)) from error
        finally:
            await self._put_back(connection)
        return exchange, _Times(headers_s, time.perf_counter() - started)

    async def _upload(
        self, sent: tuple[tuple[str, str], ...], segment: bytes, limit_s: float
    ) -> tuple[Exchange, Connection]:
        try:
            async with asyncio.timeout(limit_s):
                connection = await self._take()
                try:
                    return await self._post(connection, sent, segment), connection
                except NotProcessed:  # go's clients dial once more, too
                    connection = await self._dial()
                    return await self._post(connection, sent, segment), connection
        except TimeoutError as error:
            raise HeadersLate(f"no 200 within {limit_s:g} s") from error
        except TransportError as error:
            raise Unreachable(str(error)) from error

    async def _post(
        self, connection: Connection, sent: tuple[tuple[str, str], ...], segment: bytes
    ) -> Exchange:
        try:
            return await connection.post("/segment", sent, segment)
        except BaseException:
            await connection.close()
            raise

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if await connection.is_alive():
                return connection
            await connection.close()
        return await self._dial()

    async def _dial(self) -> Connection:
        address = parse_uri(self._offer.uri)
        if address is None:
            raise TransportError(f"the service URI {self._offer.uri!r} cannot be dialled")
        limit_s = self._limits.connect_s
        return await Connection.open(address.host, address.port, context=self._h2, timeout_s=limit_s)

    async def _put_back(self, connection: Connection) -> None:
        if connection.is_reusable:
            self._idle.append(connection)
        else:
            await connection.close()

    def _read(self, exchange: Exchange) -> tuple[pb.TranscodeData, bytes]:
        """What came back, and who must have signed it. New terms in the answer replace the session's."""
        if exchange.status != 200:
            text = exchange.body.decode("utf-8", "replace").strip()
            raise Refused(exchange.status or 0, text)
        result = pb.TranscodeResult()
        try:
            result.ParseFromString(bytes(exchange.body))
        except DecodeError as error:
            raise ResultInvalid("the result is no message") from error
        if result.HasField("info") and result.info.HasField("auth_token"):
            self._offer = Offer(result.info, self._offer.latency_s)
        if result.WhichOneof("result") == "error":
            raise ResultError(result.error)
        if len(result.data.segments) != len(self._stream.profiles):
            got, asked = len(result.data.segments), len(self._stream.profiles)
            raise ResultInvalid(f"{got} renditions came back where {asked} were ordered")
        return result.data, self._offer.signed_by

    async def _fetch(self, data: pb.TranscodeData) -> list[Rendition]:
        arrived = await asyncio.gather(
            *(self._downloads.fetch(entry.url) for entry in data.segments), return_exceptions=True
        )
        failed = next((entry for entry in arrived if isinstance(entry, BaseException)), None)
        if failed is not None:
            raise failed
        return [
            Rendition(
                profile=profile,
                url=entry.url,
                data=fetched.data,
                pixels_claimed=entry.pixels,
                decoded=None,
                download_s=fetched.seconds,
            )
            for profile, entry, fetched in zip(self._stream.profiles, data.segments, arrived, strict=True)
            if isinstance(fetched, Fetched)
        ]

    def _check_signature(self, renditions: list[Rendition], signature: bytes, signed_by: bytes) -> None:
        message = signing.results_message(keccak256(rendition.data) for rendition in renditions)
        if not self._signer.accepts(message, signature, by=signed_by):
            raise SignatureMismatch(f"the renditions are not signed by {signing.checksum_address(signed_by)}")

    async def _count(self, renditions: list[Rendition]) -> tuple[Rendition, ...]:
        if not self._stream.checks_pixels:
            return tuple(renditions)
        return tuple([await asyncio.to_thread(count_pixels, rendition) for rendition in renditions])
