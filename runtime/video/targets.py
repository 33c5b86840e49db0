"""Which hosts a stranger may make this node talk to.

A gateway may name a URL to fetch a segment from and a host to upload renditions to. Both are resolved once,
every address is judged, and the connection goes to a judged address, so a name that changes its mind cannot
lead inside. Only http and https; only public addresses, apart from the node's own service URI.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import SplitResult, urlsplit

_RESOLVE_S = 2.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}


class Reach(Enum):
    """How near a target may be. Loopback includes private addresses, which include public ones."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"


class ForbiddenTarget(Exception):
    """Raised when a URL leads where no stranger may send this node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A judged URL: connect to `address`, ask for `host`."""

    scheme: str
    host: str
    address: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The URL with the judged address in place of the name."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{address}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Targets:
    """`service_uri` is the node's own, which is always allowed."""

    def __init__(self, *, service_uri: Callable[[], str]) -> None:
        self._service_uri = service_uri

    async def judge(self, url: str, *, allow: Reach = Reach.PUBLIC) -> Target:
        """The target, or `ForbiddenTarget`. Link-local is never allowed: it is where clouds keep secrets."""
        parts, host, port = _parse(url)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        is_self = (parts.scheme, host, port) == self._own()
        address = await _resolve(host, port)
        if not is_self and not _is_allowed(address, allow):
            raise ForbiddenTarget(f"{host} is not a public address")
        return Target(scheme=parts.scheme, host=host, address=address, port=port, path=path)

    @property
    def reach(self) -> Reach:
        """How near the peers of this node may be: as near as the address that it is itself reached at."""
        host = self._own()[1]
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return Reach.LOOPBACK if host == "localhost" else Reach.PUBLIC
        if address.is_loopback:
            return Reach.LOOPBACK
        return Reach.PUBLIC if address.is_global else Reach.PRIVATE

    def _own(self) -> tuple[str, str, int]:
        parts, host, port = _parse(self._service_uri())
        return parts.scheme, host, port


def _parse(url: str) -> tuple[SplitResult, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError) as error:
        raise ForbiddenTarget("only http and https URLs are fetched") from error
    if not parts.hostname or parts.username is not None:
        raise ForbiddenTarget("the URL names no host, or a user")
    return parts, parts.hostname, port


async def _resolve(host: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, ValueError) as error:
        raise ForbiddenTarget(f"{host} does not resolve") from error
    return str(found[0][4][0])


def _is_allowed(text: str, reach: Reach) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    carried = _carried(address) if isinstance(address, ipaddress.IPv6Address) else None
    address = carried or address
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    if address.is_loopback:
        return reach is Reach.LOOPBACK
    return address.is_global or (reach is not Reach.PUBLIC and address.is_private)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that traffic to this one ends at: mapped, compatible, NAT64, 6to4."""
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        return address.ipv4_mapped or address.sixtofour
    is_compatible = int(address) >> 32 == 0 and int(address) > 1
    if is_compatible or address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
