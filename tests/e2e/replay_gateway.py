"""Plays a recorded gateway against the node under test: its connections, order, headers; our tokens."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay_material import Recorded, unframed
from replay_peer import H1, H2, Answer, Headers, pseudo

from livepeer.wire import grpc
from livepeer.wire import lp_rpc_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_STREAM = re.compile(r"/stream/([0-9a-f]+)/")


@dataclass
class Replay:
    """Knows which of our tokens and sessions stands for which recorded one."""

    port: int
    tokens: dict[str, pb.AuthToken] = field(default_factory=dict)
    connections: dict[str, H1 | H2] = field(default_factory=dict)
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    @asynccontextmanager
    async def against(cls, port: int) -> AsyncIterator[Replay]:
        self = cls(port)
        try:
            yield self
        finally:
            for connection in self.connections.values():
                await connection.close()

    async def play(self, exchanges: Sequence[Recorded]) -> list[tuple[Recorded, Answer]]:
        return [(recorded, await self.send(recorded)) for recorded in exchanges]

    async def play_at_once(self, exchanges: Sequence[Recorded]) -> list[tuple[Recorded, Answer]]:
        answers = await asyncio.gather(*(self.send(recorded) for recorded in exchanges))
        return list(zip(exchanges, answers, strict=True))

    async def send(self, recorded: Recorded) -> Answer:
        headers, body, path = self._translated(recorded)
        if recorded.protocol == "HTTP/2":
            names = {
                ":method": recorded.method,
                ":scheme": "https",
                ":path": path,
                ":authority": f"127.0.0.1:{self.port}",
            }
            connection = await self._h2(recorded)
            answer = await connection.exchange([*pseudo(recorded.pseudo, names), *headers], body)
        else:
            answer = await (await self._h1(recorded)).exchange(
                f"{recorded.method} {path} HTTP/1.1", headers, body
            )
        self._learn(recorded, answer)
        return answer

    async def _h2(self, recorded: Recorded) -> H2:
        async with self.opening:
            found = self.connections.get(recorded.connection)
            if found is None:
                found = await H2.open(self.port, is_call=recorded.is_call)
                self.connections[recorded.connection] = found
        assert isinstance(found, H2)
        return found

    async def _h1(self, recorded: Recorded) -> H1:
        async with self.opening:
            found = self.connections.get(recorded.connection)
            if found is None:
                found = self.connections[recorded.connection] = await H1.open(self.port)
        assert isinstance(found, H1)
        return found

    def _learn(self, recorded: Recorded, answer: Answer) -> None:
        if recorded.path.endswith("/GetOrchestrator") and recorded.answer and answer.body:
            ours = pb.OrchestratorInfo.FromString(unframed(bytes(answer.body)))
            self.tokens[recorded.offer.auth_token.session_id] = ours.auth_token

    def _translated(self, recorded: Recorded) -> tuple[Headers, bytes, str]:
        """The request with our token, session and port in the recorded ones' places."""
        headers, body, path = list(recorded.headers), recorded.body, recorded.path
        if path == "/segment":
            order = recorded.order
            order.auth_token.CopyFrom(self.tokens[order.auth_token.session_id])
            value = base64.b64encode(order.SerializeToString()).decode()
            headers = [(k, value if k.lower() == "livepeer-segment" else v) for k, v in headers]
        elif path.endswith("/EndTranscodingSession"):
            request = pb.EndTranscodingSessionRequest.FromString(unframed(body))
            request.auth_token.CopyFrom(self.tokens[request.auth_token.session_id])
            body = grpc.frame(request.SerializeToString())
        elif found := _STREAM.match(path):
            path = path.replace(found[1], self.tokens[found[1]].session_id, 1)
        host = f"127.0.0.1:{self.port}"
        return [(k, host if k == "Host" else v) for k, v in headers], body, path
