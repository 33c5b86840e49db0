"""Checks of the line to an orchestrator: its URI, TCP, TLS in both faces, certificate, HTTP."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from typing import TYPE_CHECKING

import httpx

from livepeer.gateway import tls
from livepeer.gateway.address import Address, is_routable
from livepeer.gateway.doctor.finding import Outcome, failed, passed, skipped, warned
from livepeer.gateway.doctor.patient import Patient
from livepeer.gateway.failures import TransportError
from livepeer.gateway.http2 import Connection

if TYPE_CHECKING:
    from cryptography import x509

DIAL_S = 3.0
_EXPIRES_SOON = dt.timedelta(days=7)
_LARGE_HEADER_BYTES = 900_000
_WINDOW_BYTES = 1 << 20
_LARGE_FIELD_BYTES = 57_000  # what 600 tickets take in one field


async def check_uri(patient: Patient) -> Outcome:
    address = patient.address
    if address.faults:
        return failed(
            f"{address.uri}: {'; '.join(address.faults)}",
            "gateways use the text as it stands: they join paths to it and dial its host part",
            "write it as https://HOST:PORT",
        )
    if not is_routable(address.host):
        return warned(
            f"{address.host} is reachable from its own network only",
            "gateways elsewhere cannot dial it",
            "declare a public name or address before you register it",
        )
    return passed(address.uri)


async def check_reachable(patient: Patient) -> Outcome:
    address = patient.address
    try:
        async with asyncio.timeout(DIAL_S):
            _reader, writer = await asyncio.open_connection(address.host, address.port)
    except TimeoutError:
        return failed(
            f"{address.authority} does not take a connection within {DIAL_S:g} s",
            "a packet filter drops it, or nothing routes to it",
            "open the port in the firewall and forward it to the node",
        )
    except OSError as error:
        return failed(
            f"{address.authority}: {error.strerror or error}",
            "nothing listens there, or the name does not resolve",
            "start the node (`reconcile run`) and compare its port with the URI",
        )
    writer.transport.abort()
    return passed(address.authority)


async def check_h2(patient: Patient) -> Outcome:
    address = patient.address
    try:
        connection = await Connection.open(
            address.host, address.port, context=tls.offering_h2(), timeout_s=DIAL_S
        )
    except TransportError as error:
        return failed(
            str(error),
            "gateways refuse a server that does not select h2 by ALPN",
            "let the TLS end offer h2 and http/1.1; a proxy in between must not end TLS without it",
        )
    version = connection.tls.version() or "TLS"
    await connection.close()
    return passed(f"{version}, h2 selected")


async def check_no_alpn(patient: Patient) -> Outcome:
    answer = await _get(patient.address, "/healthz")
    if answer.http_version != "HTTP/1.1":
        return failed(
            f"a client without ALPN gets {answer.http_version}",
            "gateways download renditions over HTTP/1.1 without offering ALPN",
            "let the TLS end fall back to HTTP/1.1",
        )
    patient.date = answer.headers.get("date", "")
    return passed("HTTP/1.1 for a client without ALPN")


async def check_versions(patient: Patient) -> Outcome:
    refused = []
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLS 1.2"), (ssl.TLSVersion.TLSv1_3, "TLS 1.3")):
        context = tls.offering_h2()
        context.minimum_version = context.maximum_version = version
        address = patient.address
        try:
            connection = await Connection.open(address.host, address.port, context=context, timeout_s=DIAL_S)
        except TransportError:
            refused.append(name)
        else:
            await connection.close()
    if refused:
        return failed(
            f"{' and '.join(refused)} refused",
            "gateways and downloaders of different ages use both versions",
            "allow TLS 1.2 and TLS 1.3",
        )
    return passed("TLS 1.2 and TLS 1.3")


async def check_certificate(patient: Patient) -> Outcome:
    from cryptography import x509  # noqa: PLC0415 - 40 ms, only here

    address = patient.address
    connection = await Connection.open(
        address.host, address.port, context=tls.offering_h2(), timeout_s=DIAL_S
    )
    raw = connection.tls.getpeercert(binary_form=True)
    await connection.close()
    if not raw:
        return warned("the server shows no certificate", "TLS without one is unusual", "declare service.tls")
    certificate = x509.load_der_x509_certificate(raw)
    now = dt.datetime.fromtimestamp(patient.options.now(), dt.UTC)
    return judge_certificate(certificate, address.host, now=now)


def judge_certificate(certificate: x509.Certificate, host: str, *, now: dt.datetime) -> Outcome:
    """Gateways verify nothing, so nothing here fails; browsers and other clients do verify."""
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    unverified = "go-livepeer gateways do not verify it; other clients do"
    if now < starts:
        return warned(f"valid only from {starts:%Y-%m-%d %H:%M} UTC on", unverified, "set the clock")
    if now > ends:
        return warned(f"expired on {ends:%Y-%m-%d}", unverified, "renew it; it is taken up without a restart")
    if ends - now < _EXPIRES_SOON:
        return warned(f"expires on {ends:%Y-%m-%d}", unverified, "renew it; it is taken up without a restart")
    names = _names(certificate)
    if host not in names:
        shown = ", ".join(names) or "no name"
        return warned(f"made for {shown}, not for {host}", unverified, "let it carry the URI's host as a SAN")
    maker = "self-signed" if certificate.issuer == certificate.subject else "issued by a CA"
    return passed(f"{maker}, valid until {ends:%Y-%m-%d}, for {host}")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509  # noqa: PLC0415 - 40 ms, only here

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = tuple(str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


async def check_healthz(patient: Patient) -> Outcome:
    answer = await _get(patient.address, "/healthz")
    if answer.status_code != 200:
        return failed(
            f"/healthz answers {answer.status_code}",
            "the edge runs, and no runtime behind it serves",
            "`reconcile status` says what the runtime waits for",
        )
    return passed("/healthz answers 200")


async def check_large_headers(patient: Patient) -> Outcome:
    """Payments of many tickets and storage policies make header blocks far beyond the usual limits."""
    block = {"Livepeer-Payment": "A" * _LARGE_HEADER_BYTES, "Livepeer-Segment": "A"}
    try:
        answer = await _get(patient.address, "/segment", headers=block)
    except httpx.TransportError as error:
        return _headers_refused(f"a header block of 900 kB is cut off ({error or type(error).__name__})")
    if answer.status_code == 431:
        return _headers_refused("a header block of 900 kB is answered 431")
    status = await _post_field(patient.address)
    if status == 431:
        return _headers_refused("a header field of 57 kB over HTTP/2 is answered 431")
    return passed(f"a block of 900 kB and a field of 57 kB reach the node ({answer.status_code}, {status})")


async def _post_field(address: Address) -> int:
    connection = await Connection.open(
        address.host, address.port, context=tls.offering_h2(), timeout_s=DIAL_S
    )
    try:
        field = (("livepeer-payment", "A" * _LARGE_FIELD_BYTES), ("livepeer-segment", "A"))
        exchange = await connection.post("/segment", field, b"x")
        await connection.finish(exchange, limit=1 << 16)
    finally:
        await connection.close()
    return exchange.status or 0


def _headers_refused(detail: str) -> Outcome:
    return failed(
        detail,
        "payments of many tickets travel in one header; go-livepeer takes blocks of 1 MiB",
        "raise the header limit of the edge, and of any proxy before it, to 1 MiB",
    )


async def check_windows(patient: Patient) -> Outcome:
    """Gateways give an upload 2 s; a small window costs a round trip for each of its fillings."""
    address = patient.address
    connection = await Connection.open(
        address.host, address.port, context=tls.offering_h2(), timeout_s=DIAL_S
    )
    try:
        await connection.finish(await connection.post("/healthz", (), b""), limit=1 << 16)
        smallest = min(connection.windows)
    finally:
        await connection.close()
    if smallest < _WINDOW_BYTES:
        return failed(
            f"it takes {smallest // 1024} KiB ahead over HTTP/2",
            "an upload over a long way then waits once per window, and gateways wait 2 s",
            "raise the stream and connection windows of the edge to 1 MiB",
        )
    return passed(f"{smallest // 1024} KiB per upload over HTTP/2")


async def check_clock(patient: Patient) -> Outcome:
    """Gateways compare the token's expiry with their own clock."""
    if not patient.date:
        return skipped("the node's answers carry no date")
    try:
        theirs = dt.datetime.strptime(patient.date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=dt.UTC)
    except ValueError:
        return warned(
            f"its date {patient.date!r} cannot be read",
            "HTTP dates are in GMT",
            "look at the proxy before it",
        )
    skew_s = theirs.timestamp() - patient.options.now()
    return judge_skew(skew_s)


def judge_skew(skew_s: float) -> Outcome:
    """The date has whole seconds, and the examination itself takes some."""
    detail = f"its clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} this machine's"
    if abs(skew_s) <= 10:
        return passed("its clock agrees with this machine's to some seconds")
    remedy = "synchronise both clocks (NTP)"
    if abs(skew_s) <= 120:
        return warned(detail, "gateways compare token expiry with their own clock", remedy)
    return failed(detail, "gateways compare token expiry with their own clock and drop sessions", remedy)


async def _get(address: Address, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Over TLS without ALPN, read whole but for at most 64 kB, on a connection of its own."""
    async with (
        httpx.AsyncClient(verify=tls.without_alpn(), timeout=8.0, trust_env=False) as client,
        client.stream("GET", f"https://{address.authority}{path}", headers=headers) as response,
    ):
        async for _chunk in response.aiter_raw(1 << 16):
            break
        return response
