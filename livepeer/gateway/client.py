"""A gateway, as an orchestrator meets one: discovers, checks, pushes segments, hangs up.

`reconcile doctor`, the demo and the end-to-end tests serve as gateways through this class, so what they see
is what a go-livepeer gateway sees. It keeps a real gateway's time limits and judges as one does; what it
does not do is choose between orchestrators. Clock and signer are arguments.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from livepeer.gateway import tls
from livepeer.gateway.address import Address, parse_uri
from livepeer.gateway.calls import CallRefused, call
from livepeer.gateway.failures import NotACandidate, TransportError
from livepeer.gateway.limits import Limits
from livepeer.gateway.offer import Offer, unusable_because
from livepeer.gateway.requirements import needs_of
from livepeer.gateway.session import Session
from livepeer.gateway.transcoded import Stream
from livepeer.wire import auth, capabilities, signing
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.auth import AuthToken
from livepeer.wire.capabilities import Capabilities
from livepeer.wire.profiles import VideoProfile
from livepeer.wire.signing import OffchainSigner, Signer


class Gateway:
    """One orchestrator's URI, seen by a gateway. Cheap to make; holds no connection between calls."""

    def __init__(
        self,
        uri: str,
        *,
        signer: Signer | None = None,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        address = parse_uri(uri)
        if address is None:
            raise NotACandidate(uri, ("there is no host in it",))
        self.address: Address = address
        self._signer: Signer = signer or OffchainSigner()
        self._limits = limits or Limits()
        self._now = now
        self._h2 = tls.offering_h2()

    @property
    def is_onchain(self) -> bool:
        return any(self._signer.address)

    async def discover(self, needs: Capabilities | None, *, ignore_capacity: bool = False) -> Offer:
        """Asks on a new connection. Without `needs` it is the network's poll, with them a session's start."""
        request = pb.OrchestratorRequest(
            address=self._signer.address,
            sig=self._signer.sign(signing.request_message(self._signer.address)),
            ignoreCapacityCheck=ignore_capacity,
        )
        if needs is not None:
            request.capabilities.CopyFrom(capabilities.to_wire(needs))
        started = time.perf_counter()
        info = await call(
            self.address, "GetOrchestrator", request=request, answer=pb.OrchestratorInfo, context=self._h2
        )
        return Offer(info, time.perf_counter() - started)

    async def usable_offer(self, needs: Capabilities) -> Offer:
        """An offer that a gateway would take; raises `NotACandidate` with every reason against it."""
        try:
            offer = await self.discover(needs)
        except (TransportError, CallRefused) as error:
            raise NotACandidate(self.address.uri, (str(error),)) from error
        reasons = unusable_because(offer, needs, onchain=self.is_onchain)
        if reasons:
            raise NotACandidate(self.address.uri, reasons)
        return offer

    async def ping(self, value: bytes) -> bytes:
        """The orchestrator's signature over the value; empty from one without a chain."""
        answer = await call(
            self.address, "Ping", request=pb.PingPong(value=value), answer=pb.PingPong, context=self._h2
        )
        return answer.value

    async def end_session(self, token: AuthToken) -> None:
        await call(
            self.address,
            "EndTranscodingSession",
            request=pb.EndTranscodingSessionRequest(auth_token=auth.to_wire(token)),
            answer=pb.EndTranscodingSessionResponse,
            context=self._h2,
        )

    @asynccontextmanager
    async def session(
        self,
        manifest_id: str,
        profiles: Sequence[VideoProfile],
        *,
        needs: Capabilities | None = None,
        checks_pixels: bool = True,
    ) -> AsyncIterator[Session]:
        """A stream on this orchestrator: discovered now, ended (and told so) when the block is left."""
        wanted = needs if needs is not None else needs_of(profiles)
        session = Session(
            Stream(manifest_id, tuple(profiles), wanted, checks_pixels=checks_pixels),
            await self.usable_offer(wanted),
            discover=lambda: self.usable_offer(wanted),
            signer=self._signer,
            limits=self._limits,
            now=self._now,
        )
        try:
            yield session
        finally:
            await session.close()
            await self._end_quietly(session.token)

    async def _end_quietly(self, token: AuthToken) -> None:
        """Gateways only log a failure here, and so it must not hide what the block raised."""
        try:
            await self.end_session(token)
        except (TransportError, CallRefused):
            return
