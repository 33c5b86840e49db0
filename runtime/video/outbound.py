"""The HTTP clients for what gateways make this node fetch or upload, made at first use.

The library and a TLS context take tens of milliseconds to load, so both happen on a thread. Connections are
not kept: a kept one is found again by address, and two names at one address must not share a verified
connection.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


class Outbound:
    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._clients: dict[bool, asyncio.Future[httpx.AsyncClient]] = {}

    async def client(self, *, verify: bool) -> httpx.AsyncClient:
        """The client that verifies certificates, or the one that does not."""
        made = self._clients.get(verify)
        if made is None or _has_failed(made):
            loop = asyncio.get_running_loop()
            made = self._clients[verify] = loop.run_in_executor(self._threads, _make_client, verify)
        return await asyncio.shield(made)

    async def close(self) -> None:
        for made in self._clients.values():
            await asyncio.wait([made])
            if not _has_failed(made):
                await made.result().aclose()
        self._clients.clear()


def _has_failed(made: asyncio.Future[httpx.AsyncClient]) -> bool:
    """It reads files; what hindered that once, such as too many open ones, may be over at the next use."""
    return made.done() and (made.cancelled() or made.exception() is not None)


def _make_client(verify: bool) -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - 0.3 s that only nodes with such gateways pay

    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(verify=verify, follow_redirects=False, trust_env=False, limits=limits)
