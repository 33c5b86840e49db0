"""Checks of what an orchestrator offers when asked: speed, version, capabilities, token, price, identity."""

from __future__ import annotations

import statistics

from livepeer.gateway.address import is_routable, parse_uri
from livepeer.gateway.calls import CallRefused
from livepeer.gateway.doctor.finding import Outcome, failed, passed, skipped, warned
from livepeer.gateway.doctor.patient import Patient
from livepeer.gateway.doctor.service import PROFILES
from livepeer.gateway.failures import TransportError
from livepeer.gateway.requirements import needs_of
from livepeer.wire import capabilities, prices, signing, texts
from livepeer.wire.auth import LIFETIME_S, REFRESH_BEFORE_S, AuthToken
from livepeer.wire.capabilities import Capability
from livepeer.wire.errors import PeerProtocolError

ROUNDS = 5
PATIENCE_S = 0.5
"""How long gateways wait for the first answers; who comes later is not considered."""

_LONGEST_LIFETIME_S = 24 * 3600


async def check_discovery(patient: Patient) -> Outcome:
    try:
        patient.offer = await patient.gateway.discover(needs_of(PROFILES))
    except CallRefused as error:
        return failed(str(error), _refused_because(error.text), "`reconcile refusals` and `status` say more")
    except TransportError as error:
        return failed(str(error), "gRPC does not reach the runtime", "`reconcile status` shows its parts")
    return passed(f"answered in {patient.offer.latency_s * 1000:.0f} ms, handshake included")


def _refused_because(text: str) -> str:
    if texts.ORCHESTRATOR_CAPPED in text:
        return "every video session is taken"
    if texts.NO_TRANSCODERS in text or texts.TRANSCODER_UNAVAILABLE in text:
        return "no video worker is ready"
    return "the node refuses this gateway"


async def check_latency(patient: Patient) -> Outcome:
    times = [(await patient.gateway.discover(needs_of(PROFILES))).latency_s for _ in range(ROUNDS)]
    middle = statistics.median(times)
    detail = f"p50 {middle * 1000:.0f} ms of {ROUNDS} on new connections, slowest {max(times) * 1000:.0f} ms"
    if middle > PATIENCE_S:
        return failed(
            detail,
            f"gateways take who answers within {PATIENCE_S * 1000:.0f} ms and forget the rest",
            "look for load on the node, or for a long way to it",
        )
    return passed(detail)


async def check_advertised_uri(patient: Patient) -> Outcome:
    advertised, asked = patient.known_offer.uri, patient.options.uri
    remedy = "declare service.uri as https://HOST:PORT"
    address = parse_uri(advertised)
    if address is None:
        return failed(f"it advertises {advertised!r}", "gateways send segments to that text", remedy)
    if address.faults:
        return failed(f"it advertises {advertised}: {'; '.join(address.faults)}", "gateways dial it", remedy)
    if advertised != asked:
        return warned(
            f"it advertises {advertised}, and was asked at {asked}",
            "gateways go on at the advertised URI, whichever way they came",
            "register and share the advertised one",
        )
    if not is_routable(address.host):
        return warned(f"it advertises {advertised}", "gateways elsewhere cannot dial that address", remedy)
    return passed(advertised)


async def check_version(patient: Patient) -> Outcome:
    version = patient.known_offer.info.capabilities.version
    if capabilities.parse_version(version) is None:
        return failed(
            f"its version is {version or 'empty'}",
            "gateways with a minimum version drop what is no semantic version",
            "let the node advertise the go-livepeer release that it is compatible with",
        )
    return passed(version)


async def check_capabilities(patient: Patient) -> Outcome:
    offered = patient.known_offer.capabilities
    missing = sorted(capabilities.DEFAULT - (offered.numbers if offered else frozenset()))
    if missing:
        return failed(
            f"it lacks {', '.join(f'{Capability(number).shown} ({int(number)})' for number in missing)}",
            "gateways ask for the whole default set and drop who lacks a part of it",
            "`reconcile status` says which capabilities are withheld, and why",
        )
    count = len(offered.numbers) if offered else 0
    return passed(f"the default set and {count - len(capabilities.DEFAULT)} more")


async def check_constraints(patient: Patient) -> Outcome:
    if not patient.known_offer.info.capabilities.HasField("constraints"):
        return failed(
            "its capabilities carry no constraints, not even empty ones",
            "AI gateways read them unchecked and crash",
            "send the empty message",
        )
    return passed("present")


async def check_token(patient: Patient) -> Outcome:
    token = patient.known_offer.token
    if token is None or not token.token or not token.session_id:
        return failed("it gives no auth token", "gateways drop an answer without one", "upgrade the node")
    return judge_token(token, now=patient.options.now())


def judge_token(token: AuthToken, *, now: float) -> Outcome:
    left_s = token.expiration - now
    detail = f"expires in {left_s / 60:.0f} min"
    remedy = "synchronise both clocks (NTP)"
    if left_s <= REFRESH_BEFORE_S:
        return failed(detail, "a gateway would ask for a new one before every segment", remedy)
    if left_s > _LONGEST_LIFETIME_S:
        return warned(detail, f"go-livepeer's tokens live for {LIFETIME_S // 60} min", remedy)
    return passed(detail)


async def check_price(patient: Patient) -> Outcome:
    info = patient.known_offer.info
    if not info.HasField("price_info"):
        return passed("none, as off-chain nodes offer")
    try:
        price = prices.from_wire(info.price_info)
    except PeerProtocolError as error:
        return failed(str(error), "gateways divide by it", "declare pricing.video")
    return passed(f"{prices.format_price(price)} wei per pixel")


async def check_identity(patient: Patient) -> Outcome:
    """Whether the node holds the key of the address that it should have."""
    expected = patient.options.address
    if expected is None:
        return skipped("no address to compare with was given (--address 0x…)")
    value = patient.options.random_bytes(32)
    signature = await patient.gateway.ping(value)
    shown = signing.checksum_address(expected)
    if not signature:
        return failed("Ping is not signed", "the node runs off-chain", f"run it with the key of {shown}")
    if not signing.is_signed(value, signature, by=expected):
        return failed(
            f"Ping is not signed by {shown}",
            "another node answers at this URI, or it runs with another key",
            "compare the node key with the registered address",
        )
    if patient.known_offer.signed_by != expected:
        other = signing.checksum_address(patient.known_offer.signed_by)
        return failed(
            f"Ping is signed by {shown}, and discovery names {other}",
            "results would be checked against another address",
            "`reconcile status` shows the keys in use",
        )
    return passed(f"signed by {shown}")
