"""A service URI as gateways read it: they join paths to its text and dial its host part as it stands.

So it needs a scheme and a port, and a trailing slash doubles the one of the path. Pure.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """Where to dial for a URI, and what gateways will stumble over in its text."""

    uri: str
    host: str
    port: int
    faults: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_uri(uri: str) -> Address | None:
    """None where not even a host can be read. A missing port is a fault; 443 stands in for it."""
    try:
        parts = urlsplit(uri if "://" in uri else f"https://{uri}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    faults = []
    if "://" not in uri:
        faults.append("it has no scheme: write https://")
    elif parts.scheme != "https":
        faults.append(f"its scheme is {parts.scheme}, and gateways speak https")
    if port is None:
        faults.append("it has no port, and gateways dial the text as it stands")
    if parts.path == "/":
        faults.append("its trailing slash doubles the one of every path")
    elif parts.path or parts.query or parts.fragment:
        faults.append("it has more than host and port")
    return Address(uri, host, port or 443, tuple(faults))


def is_routable(host: str) -> bool:
    """False for addresses that other networks cannot reach. Names are taken to be routable but localhost."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return host != "localhost" and not host.endswith((".local", ".localhost", ".internal"))
