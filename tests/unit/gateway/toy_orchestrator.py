"""An orchestrator that is right in everything and gives each segment back as its own rendition.

Tests bend one thing at a time: `bend_info` changes what discovery answers, `bend_segment` replaces the answer
to a segment, `bend_result` changes the result, `renditions` holds what can be downloaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message
from toy_server import Reply, Request, ToyServer

from livepeer.gateway.pixels import decode
from livepeer.wire import auth, capabilities, grpc, headers, segments, signing, texts
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.errors import PeerProtocolError
from livepeer.wire.signing import OffchainSigner, Signer, keccak256

SECRET = b"s" * 32


class ToyOrchestrator:
    def __init__(self, signer: Signer | None = None) -> None:
        self.signer: Signer = signer or OffchainSigner()
        self.uri = ""
        self.lifetime_s = 1800
        self.sessions = 0
        self.ended: list[str] = []
        self.orders: list[segments.SegmentOrder] = []
        self.renditions: dict[str, bytes] = {}
        self.bend_info: Callable[[pb.OrchestratorInfo], None] = lambda info: None
        self.bend_result: Callable[[pb.TranscodeResult], None] = lambda result: None
        self.bend_segment: Callable[[segments.SegmentOrder], Reply | None] = lambda order: None
        self.bend_reply: Callable[[Request], Reply | None] = lambda request: None
        self.call_error: str = ""

    async def handle(self, request: Request) -> Reply:
        bent = self.bend_reply(request)
        if bent is not None:
            return bent
        if request.path.startswith("/net.Orchestrator/"):
            return self._call(request)
        if request.path == "/segment":
            return self._segment(request)
        if request.path == "/healthz":
            return Reply()
        if request.path in self.renditions:
            return Reply(body=self.renditions[request.path])
        return Reply(404, f"{texts.NOT_FOUND_PATH}\n".encode())

    def info(self) -> pb.OrchestratorInfo:
        self.sessions += 1
        token = auth.mint(SECRET, f"{self.sessions:08x}", expiration=int(time.time()) + self.lifetime_s)
        offered = capabilities.offering(capabilities.DEFAULT, version="0.9.1")
        info = pb.OrchestratorInfo(
            transcoder=self.uri,
            address=self.signer.address,
            capabilities=capabilities.to_wire(offered),
            auth_token=auth.to_wire(token),
        )
        if any(self.signer.address):
            info.ticket_params.recipient = self.signer.address
            info.price_info.pricePerUnit, info.price_info.pixelsPerUnit = 1200, 1
        self.bend_info(info)
        return info

    def _call(self, request: Request) -> Reply:
        split = grpc.unframe(request.body)
        assert split is not None
        method = request.path.rsplit("/", 1)[1]
        answer: Message
        if self.call_error:
            return self._refuse_call(self.call_error)
        if method == "GetOrchestrator":
            answer = self.info()
        elif method == "Ping":
            answer = pb.PingPong(value=self.signer.sign(pb.PingPong.FromString(split[0]).value))
        else:
            token = pb.EndTranscodingSessionRequest.FromString(split[0]).auth_token
            if not auth.is_authentic(auth.from_wire(token), SECRET):
                return self._refuse_call(texts.END_SESSION_TOKEN)
            self.ended.append(token.session_id)
            answer = pb.EndTranscodingSessionResponse()
        return Reply(
            body=grpc.frame(answer.SerializeToString()),
            headers={"content-type": "application/grpc"},
            trailers={"grpc-status": "0", "grpc-message": ""},
        )

    def _refuse_call(self, text: str) -> Reply:
        return Reply(
            headers={"content-type": "application/grpc"},
            trailers={"grpc-status": "2", "grpc-message": grpc.encode_message(text)},
        )

    def _segment(self, request: Request) -> Reply:
        try:
            headers.decode_payment(request.headers.get("livepeer-payment", ""))
            order = segments.read_order(headers.decode_segment(request.headers.get("livepeer-segment", "")))
            token = auth.check(order.auth_token, SECRET, now=time.time())
        except PeerProtocolError as error:
            return Reply(error.status, f"{error.text}\n".encode())
        self.orders.append(order)
        bent = self.bend_segment(order)
        if bent is not None:
            return bent
        if keccak256(request.body) != order.content_hash:
            return Reply(403, f"{texts.FORBIDDEN}\n".encode())
        return Reply(body=self.result(order, token, request.body).SerializeToString())

    def result(
        self, order: segments.SegmentOrder, token: auth.AuthToken, source: bytes
    ) -> pb.TranscodeResult:
        result = pb.TranscodeResult(seq=order.sequence)
        for profile in order.profiles:
            path = f"/stream/{token.session_id}/{profile.name}/{order.sequence}{profile.container.extension}"
            self.renditions[path] = source
            result.data.segments.add(url=self.uri + path, pixels=decode(source).pixels)
        hashes = [keccak256(source)] * len(order.profiles)
        result.data.sig = self.signer.sign(signing.results_message(hashes))
        result.info.CopyFrom(self.info())
        result.info.auth_token.CopyFrom(auth.to_wire(token))
        self.bend_result(result)
        return result


@dataclass
class Toy:
    node: ToyOrchestrator
    server: ToyServer

    @property
    def uri(self) -> str:
        return self.node.uri
