"""What an orchestrator offers when asked, and whether a gateway can use it. Pure.

The rules are those by which gateways drop an answer without telling anybody: each is a reason in words here.
"""

from __future__ import annotations

from dataclasses import dataclass

from livepeer.gateway.address import parse_uri
from livepeer.wire import capabilities
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.auth import REFRESH_BEFORE_S, AuthToken
from livepeer.wire.auth import from_wire as token_from_wire
from livepeer.wire.capabilities import Capabilities, is_compatible
from livepeer.wire.signing import ADDRESS_BYTES, NO_ADDRESS, fit


@dataclass(frozen=True, slots=True)
class Offer:
    """One answer to GetOrchestrator, with the seconds it took from the dial on."""

    info: pb.OrchestratorInfo
    latency_s: float

    @property
    def uri(self) -> str:
        return self.info.transcoder

    @property
    def token(self) -> AuthToken | None:
        return token_from_wire(self.info.auth_token) if self.info.HasField("auth_token") else None

    @property
    def capabilities(self) -> Capabilities | None:
        present = self.info.HasField("capabilities")
        return capabilities.from_wire(self.info.capabilities) if present else None

    @property
    def signed_by(self) -> bytes:
        """Whose signature results bear: the node's address, else the ticket recipient's."""
        address = fit(self.info.address, ADDRESS_BYTES)
        return address if address != NO_ADDRESS else fit(self.info.ticket_params.recipient, ADDRESS_BYTES)

    def must_refresh(self, now: float) -> bool:
        token = self.token
        return token is None or now > token.expiration - REFRESH_BEFORE_S


def unusable_because(offer: Offer, needs: Capabilities, *, onchain: bool) -> tuple[str, ...]:
    """Why a gateway drops this offer; empty for a usable one."""
    reasons = []
    if not offer.uri:
        reasons.append("it names no service URI")
    elif parse_uri(offer.uri) is None:
        reasons.append(f"its service URI {offer.uri!r} cannot be dialled")
    if not is_compatible(needs, offer.capabilities):
        reasons.append(_missing(needs, offer.capabilities))
    if offer.token is None:
        reasons.append("it gives no auth token")
    if onchain:
        reasons += _unpayable_because(offer.info)
    return tuple(reasons)


def _missing(needs: Capabilities, offered: Capabilities | None) -> str:
    present = offered.numbers if offered is not None else frozenset(capabilities.LEGACY)
    missing = sorted(needs.numbers - present)
    if missing:
        return f"it lacks {', '.join(_shown(number) for number in missing)}"
    if offered is not None and not capabilities.is_version_enough(needs.min_version, offered.version):
        return f"its version {offered.version or 'none'} is below {needs.min_version}"
    return "its models or mandatory capabilities do not fit"


def _shown(number: int) -> str:
    try:
        return f"{capabilities.Capability(number).shown} ({number})"
    except ValueError:
        return f"capability {number}"


def _unpayable_because(info: pb.OrchestratorInfo) -> list[str]:
    reasons = []
    if not any(info.address):
        reasons.append("it names no address")
    if not info.HasField("ticket_params"):
        reasons.append("it gives no ticket parameters")
    if not info.HasField("price_info"):
        reasons.append("it gives no price")
    elif info.price_info.pixelsPerUnit <= 0 or info.price_info.pricePerUnit < 0:
        reasons.append(f"its price {info.price_info.pricePerUnit}/{info.price_info.pixelsPerUnit} is none")
    return reasons
