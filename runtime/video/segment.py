"""`POST /segment`: a gateway's segment in, the result of transcoding it out.

The order of checks is the network's (go-livepeer's `segment_rpc.go`), because gateways judge by the first
failure: credentials, payment, body, hash; then 200 at once, since gateways measure the upload by it; then
the work, whose outcome is the body. A gateway that hangs up stops its own work. Any method is answered, as
peers expect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

from livepeer.wire import auth, texts
from runtime.control.accepted import Accepted
from runtime.payments.gate import PaymentGate, PaymentRefused
from runtime.server import answers
from runtime.server.advertisement import Advertisement, embedded
from runtime.server.answers import Receive, Scope, Send, header
from runtime.server.body import BodyStalled, BodyTooLarge, PeerGone, read_body, read_to_file, wait_until_gone
from runtime.server.metrics import Metrics
from runtime.server.refusals import Refusal, Refusals
from runtime.server.sessions import Sessions
from runtime.video.arrivals import Arrivals, TooManyArrivals
from runtime.video.credentials import Claim, Credentials, Denied
from runtime.video.room import Grow, Room
from runtime.video.source import LONGEST_URI_BYTES, URI_TYPE, SourceFetcher, SourceUnavailable
from runtime.video.staging import Staging
from runtime.video.work import Delivery, Workshop

_INFO_FIELD = 16


class SegmentRoute:
    def __init__(
        self,
        *,
        accepted: Accepted,
        credentials: Credentials,
        advertisement: Callable[[], Advertisement],
        sessions: Sessions,
        gate: PaymentGate,
        staging: Staging,
        room: Room,
        fetcher: SourceFetcher,
        workshop: Workshop,
        refusals: Refusals,
        metrics: Metrics,
        threads: Executor,
    ) -> None:
        self._accepted = accepted
        self._credentials = credentials
        self._advertisement = advertisement
        self._sessions = sessions
        self._arrivals = Arrivals()
        self._gate = gate
        self._staging = staging
        self._room = room
        self._fetcher = fetcher
        self._workshop = workshop
        self._refusals = refusals
        self._metrics = metrics
        self._threads = threads

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        try:
            claim = self._credentials.check(scope)
            await self._pay(claim)
            with self._place(claim) as (directory, grow):
                source = directory / "source"
                with self._arriving(claim):
                    await self._receive(claim, source, grow, scope, receive)
                await self._answer_with_work(claim, source, receive, send, started=started)
        except Denied as denied:
            self._refusals.count(denied.reason, denied.sender)
            self._metrics.segments.labels(outcome="refused").inc()
            await answers.send_error(send, denied.status, denied.text)
        except PeerGone:
            self._metrics.segments.labels(outcome="cancelled").inc()

    async def _pay(self, claim: Claim) -> None:
        key = claim.session.id
        try:
            await self._gate.credit(claim.payment, sender=claim.sender, key=key)
        except PaymentRefused as error:
            raise _denied(claim, Refusal.PAYMENT, HTTPStatus.BAD_REQUEST, error.text) from error
        if not self._gate.covers(claim.payment, sender=claim.sender, key=key):
            status = HTTPStatus.BAD_REQUEST
            raise _denied(claim, Refusal.INSUFFICIENT_BALANCE, status, texts.INSUFFICIENT_BALANCE)

    @contextmanager
    def _place(self, claim: Claim) -> Iterator[tuple[Path, Grow]]:
        """A directory for the work, and room to fill it; both are gone afterwards."""
        largest = self._accepted.spec.limits.body_bytes
        with ExitStack() as held:
            try:
                directory = held.enter_context(self._staging.job())
                grow = held.enter_context(self._room.held(claim.session.id, largest=largest))
            except OSError as error:
                status = HTTPStatus.INTERNAL_SERVER_ERROR
                raise _denied(claim, Refusal.STORAGE, status, texts.INTERNAL) from error
            yield directory, grow

    @contextmanager
    def _arriving(self, claim: Claim) -> Iterator[None]:
        spec, session_id = self._accepted.spec, claim.session.id
        is_kept_free = claim.session.sender in spec.reserved  # no stranger's uploads may stand in its way
        is_new = self._sessions.get(session_id) is None and not is_kept_free
        try:
            with self._arrivals.one(
                session_id, is_new=is_new, queue=spec.limits.queue, sessions=spec.sessions
            ):
                yield
        except TooManyArrivals as error:
            text = texts.ORCHESTRATOR_BUSY if error.reason is Refusal.BUSY else texts.ORCHESTRATOR_CAPPED
            raise _denied(claim, error.reason, HTTPStatus.SERVICE_UNAVAILABLE, text) from error

    async def _receive(self, claim: Claim, source: Path, grow: Grow, scope: Scope, receive: Receive) -> None:
        """The segment is in `source` and is what its hash says, or `Denied`."""
        failed = HTTPStatus.INTERNAL_SERVER_ERROR
        try:
            size, digest = await self._take(source, grow, scope, receive)
        except BodyTooLarge as error:
            raise _denied(claim, Refusal.BODY_TOO_LARGE, failed, texts.INTERNAL) from error
        except BodyStalled as error:
            raise _denied(claim, Refusal.BODY_STALLED, failed, texts.INTERNAL) from error
        except SourceUnavailable as error:
            raise _denied(claim, Refusal.BAD_SOURCE, HTTPStatus.BAD_REQUEST, texts.BAD_REQUEST) from error
        except OSError as error:
            raise _denied(claim, Refusal.STORAGE, failed, texts.INTERNAL) from error
        if digest != claim.order.content_hash:
            raise _denied(claim, Refusal.HASH_MISMATCH, HTTPStatus.FORBIDDEN, texts.FORBIDDEN)
        self._metrics.bytes.labels(direction="in").inc(size)

    async def _take(self, source: Path, grow: Grow, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        limits = self._accepted.spec.limits
        limit = limits.body_bytes
        announced = header(scope, b"content-length")
        if announced.isdigit() and int(announced) > limit:
            raise BodyTooLarge(int(announced))
        if header(scope, b"content-type") == URI_TYPE:
            uri = await read_body(receive, limit=LONGEST_URI_BYTES, within_s=limits.body_idle_s)
            return await self._fetcher.fetch(uri.decode("utf-8", "replace"), source, limit=limit, grow=grow)
        return await read_to_file(
            receive, source, limit=limit, idle_s=limits.body_idle_s, threads=self._threads, grow=grow
        )

    async def _answer_with_work(
        self, claim: Claim, source: Path, receive: Receive, send: Send, *, started: float
    ) -> None:
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": []})
        delivery = await _unless_gone(self._workshop.deliver(claim, source, source.parent), receive)
        token = auth.to_wire(claim.token).SerializeToString()
        info = self._advertisement().info(token)
        body = delivery.result.SerializeToString() + embedded(_INFO_FIELD, info)
        await send({"type": "http.response.body", "body": body})
        self._count(claim, delivery, time.monotonic() - started)

    def _count(self, claim: Claim, delivery: Delivery, elapsed_s: float) -> None:
        metrics, transcoded = self._metrics, delivery.transcoded
        metrics.segments.labels(outcome="failed" if transcoded is None else "done").inc()
        if transcoded is None:
            return
        metrics.round_trip.observe(elapsed_s)
        metrics.codec.observe(transcoded.codec_s)
        metrics.speed.observe(elapsed_s * 1000 / claim.order.duration_ms)
        metrics.pixels.labels(direction="in").inc(transcoded.decoded_pixels)
        for rendition in transcoded.renditions:
            metrics.pixels.labels(direction="out").inc(rendition.pixels)
            metrics.bytes.labels(direction="out").inc(rendition.size_bytes)
            metrics.frames.inc(rendition.frames)


async def _unless_gone(work: Coroutine[None, None, Delivery], receive: Receive) -> Delivery:
    """What the work delivers. It is cancelled, and `PeerGone` raised, when the peer hangs up first."""
    job = asyncio.create_task(work)
    gone = asyncio.create_task(wait_until_gone(receive))
    try:
        await asyncio.wait((job, gone), return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            raise PeerGone
        return job.result()
    finally:
        gone.cancel()
        job.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        with suppress(asyncio.CancelledError):
            await asyncio.wait((job,))


def _denied(claim: Claim, reason: Refusal, status: HTTPStatus, text: str) -> Denied:
    return Denied(reason, status=status, text=text, sender=claim.session.sender)
