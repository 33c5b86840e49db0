"""Fetches renditions as gateways do: HTTP/1.1 over TLS without ALPN, 4 seconds and 300 MB each at most."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import httpx

from livepeer.gateway import tls
from livepeer.gateway.failures import DownloadFailed
from livepeer.gateway.limits import Limits


@dataclass(frozen=True, slots=True)
class Fetched:
    data: bytes
    seconds: float


class Downloader:
    """Keeps its connections until `close`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._client = httpx.AsyncClient(
            verify=tls.without_alpn(), timeout=limits.download_s, trust_env=False, follow_redirects=True
        )

    async def fetch(self, url: str) -> Fetched:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._limits.download_s):
                data = await self._read(url)
        except TimeoutError as error:
            raise DownloadFailed(f"{url} is not here after {self._limits.download_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadFailed(f"{url}: {error or type(error).__name__}") from error
        return Fetched(data, time.perf_counter() - started)

    async def _read(self, url: str) -> bytes:
        data = bytearray()
        async with self._client.stream("GET", url) as response:
            if response.status_code != 200:
                raise DownloadFailed(f"{url} answers {response.status_code}")
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > self._limits.download_bytes:
                    raise DownloadFailed(f"{url} is larger than {self._limits.download_bytes} bytes")
        return bytes(data)

    async def close(self) -> None:
        await self._client.aclose()
