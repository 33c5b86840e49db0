"""The two TLS faces of a gateway: one that offers HTTP/2, and one that offers nothing at all.

Gateways verify no certificate; what an orchestrator signs is what they trust. Uploads and calls offer `h2`
and need it selected; downloads are made without ALPN and must get HTTP/1.1.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable


class _WithoutAlpn(ssl.SSLContext):
    """HTTP libraries set an ALPN list on the context they are given; here it stays empty."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        del alpn_protocols


def offering_h2() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    return _trusting(context)


def without_alpn() -> ssl.SSLContext:
    return _trusting(_WithoutAlpn(ssl.PROTOCOL_TLS_CLIENT))


def _trusting(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
