"""The gRPC methods of `net.Orchestrator`: GetOrchestrator, Ping, EndTranscodingSession.

The edge hands each unary call over as a POST of one bare protobuf message; errors go back as two headers. The
answer to GetOrchestrator is prepared; a call verifies the caller, asks admission and appends a fresh token:
no lock, no disk, no chain.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

from google.protobuf.message import DecodeError

from livepeer.wire import auth, grpc, texts
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.capabilities import Capability
from livepeer.wire.signing import ADDRESS_BYTES, SIGNATURE_BYTES, Signer, fit, request_message
from runtime.server import answers
from runtime.server.admission import Admission, text_of
from runtime.server.advertisement import Advertisement
from runtime.server.answers import Receive, Scope, Send
from runtime.server.body import BodyStalled, BodyTooLarge, PeerGone, read_body
from runtime.server.metrics import Metrics
from runtime.server.refusals import Refusal, Refusals
from runtime.server.sessions import Sessions
from runtime.server.tokens import Tokens

_BODY_S = 10.0
_OVERSIZED_STILL_COUNTED = 16 * grpc.MAX_MESSAGE_BYTES
_MOST_LARGE_REQUESTS = 16
_LARGEST_HEADERS_BYTES = 64 * 1024
"""Only payments need more, and no call carries one. Held for the body's time, they would fill memory."""
_REMEMBERED_CALLERS = 1_024

_AI_BITS = sum(1 << bit for bit in Capability if Capability.TEXT_TO_IMAGE <= bit <= Capability.BYOC)
"""Video's session limit is none of an AI job's business."""


class Discovery:
    """`advertisement` is asked on every call, so that a newly prepared one is used at once."""

    def __init__(
        self,
        *,
        advertisement: Callable[[], Advertisement],
        admission: Admission,
        sessions: Sessions,
        tokens: Tokens,
        signer: Signer,
        refusals: Refusals,
        metrics: Metrics,
    ) -> None:
        self._advertisement = advertisement
        self._admission = admission
        self._sessions = sessions
        self._tokens = tokens
        self._signer = signer
        self._refusals = refusals
        self._answered = metrics.discoveries
        self._large_requests = asyncio.Semaphore(_MOST_LARGE_REQUESTS)
        # A gateway signs the same bytes for its whole life: recover its key once, not per call. What is
        # longer than a signature is not remembered: megabytes of it would be.
        self._is_signed = functools.lru_cache(_REMEMBERED_CALLERS)(self._verify)

    async def get_orchestrator(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = pb.OrchestratorRequest()
        if not await self._read(request, scope, receive, send):
            return
        sender = fit(request.address, ADDRESS_BYTES)
        is_signed = self._is_signed if len(request.sig) <= SIGNATURE_BYTES else self._verify
        if not is_signed(sender, request.sig):
            self._refusals.count(Refusal.BAD_SIGNATURE, sender)
            await answers.send_grpc_error(send, grpc.UNKNOWN, texts.REQUEST_SIGNATURE)
            return
        reason = self._refuse(sender, request)
        if reason is not None:
            self._refusals.count(reason, sender)
            await answers.send_grpc_error(send, grpc.UNKNOWN, texts.INVALID_REQUEST + text_of(reason))
            return
        self._answered.inc()
        await answers.send_protobuf(send, self._advertisement().info(self._tokens.mint(sender)))

    async def ping(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = pb.PingPong()
        if await self._read(request, scope, receive, send):
            reply = pb.PingPong(value=self._signer.sign(request.value))
            await answers.send_protobuf(send, reply.SerializeToString())

    async def end_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = pb.EndTranscodingSessionRequest()
        if not await self._read(request, scope, receive, send):
            return
        token = auth.from_wire(request.auth_token)
        if not request.HasField("auth_token") or not self._tokens.is_ours(token):
            await answers.send_grpc_error(send, grpc.UNKNOWN, texts.END_SESSION_TOKEN)
            return
        self._sessions.end(token.session_id)
        await answers.send_protobuf(send, b"")

    def _verify(self, sender: bytes, signature: bytes) -> bool:
        return self._signer.accepts(request_message(sender), signature, by=sender)

    def _refuse(self, sender: bytes, request: pb.OrchestratorRequest) -> Refusal | None:
        wanted = request.capabilities
        is_ai = bool(wanted.bitstring) and bool(wanted.bitstring[0] & _AI_BITS)
        reason = self._admission.refuse_ai() if is_ai else self._admission.refuse_discovery(sender)
        if reason is not None or request.ignoreCapacityCheck:
            return reason
        wants_live_ai = Capability.LIVE_VIDEO_TO_VIDEO in wanted.constraints.PerCapability
        return Refusal.CAPPED if wants_live_ai else None

    async def _read(
        self,
        message: pb.OrchestratorRequest | pb.PingPong | pb.EndTranscodingSessionRequest,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> bool:
        """Whether `message` now holds the request; else the peer has its answer."""
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _LARGEST_HEADERS_BYTES:
            self._refusals.count(Refusal.BAD_REQUEST)
            await answers.send_grpc_error(send, grpc.RESOURCE_EXHAUSTED, "the headers are too large")
            return False
        try:
            body = await read_body(
                receive,
                limit=grpc.MAX_MESSAGE_BYTES,
                within_s=_BODY_S,
                counted=_OVERSIZED_STILL_COUNTED,
                large=self._large_requests,
            )
        except PeerGone:
            return False
        except BodyStalled:
            self._refusals.count(Refusal.BODY_STALLED)
            await answers.send_grpc_error(send, grpc.INTERNAL, texts.GRPC_UNMARSHAL)
            return False
        except BodyTooLarge as error:
            await self._send_too_large(send, error.size)
            return False
        try:
            message.ParseFromString(body)
        except DecodeError:
            self._refusals.count(Refusal.BAD_REQUEST)
            await answers.send_grpc_error(send, grpc.INTERNAL, texts.GRPC_UNMARSHAL)
            return False
        return True

    async def _send_too_large(self, send: Send, size: int) -> None:
        self._refusals.count(Refusal.BODY_TOO_LARGE)
        text = texts.GRPC_TOO_LARGE % (size, grpc.MAX_MESSAGE_BYTES)
        await answers.send_grpc_error(send, grpc.RESOURCE_EXHAUSTED, text)
