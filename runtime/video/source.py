"""Segments that a gateway sends as a URI: fetched into a file, within narrow bounds.

Only judged targets (`targets.py`), no redirects, 4 s in all as the network has it, the same size limit as a
body. Certificates are not verified, as on the whole network: the segment's hash is what proves it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.server.body import BodyTooLarge, Spool
from runtime.video.outbound import Outbound
from runtime.video.room import Grow
from runtime.video.targets import ForbiddenTarget, Targets

if TYPE_CHECKING:
    import httpx

URI_TYPE = b"application/vnd+livepeer.uri"
LONGEST_URI_BYTES = 16 * 1024
_TOTAL_S = 4.0
_PIECE_BYTES = 256 * 1024


class SourceUnavailable(Exception):
    """Raised when the segment cannot be fetched."""


class SourceFetcher:
    def __init__(self, *, targets: Targets, outbound: Outbound, threads: Executor) -> None:
        self._targets = targets
        self._outbound = outbound
        self._threads = threads

    async def fetch(self, uri: str, path: Path, *, limit: int, grow: Grow) -> tuple[int, bytes]:
        """Size and keccak-256 of what is there, then in `path`. `OSError` when it cannot be kept."""
        try:
            async with asyncio.timeout(_TOTAL_S):
                return await self._fetch(uri, path, limit, grow)
        except TimeoutError as error:
            raise SourceUnavailable(f"not there within {_TOTAL_S:g} s") from error
        except ForbiddenTarget as error:
            raise SourceUnavailable(str(error)) from error

    async def _fetch(self, uri: str, path: Path, limit: int, grow: Grow) -> tuple[int, bytes]:
        target = await self._targets.judge(uri)
        client = await self._outbound.client(verify=False)
        import httpx  # noqa: PLC0415 - loaded by making the client, on a thread

        spool = Spool(path)
        try:
            async with client.stream(
                "GET",
                target.url,
                headers={"host": target.host_header, "accept-encoding": "identity"},
                extensions={"sni_hostname": target.host},
            ) as response:
                return await self._keep(response, spool, limit, grow)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise SourceUnavailable(f"{type(error).__name__}: {error}") from error
        finally:
            spool.close()

    async def _keep(
        self, response: httpx.Response, spool: Spool, limit: int, grow: Grow
    ) -> tuple[int, bytes]:
        if response.status_code != HTTPStatus.OK:
            raise SourceUnavailable(f"answered {response.status_code}")
        loop = asyncio.get_running_loop()
        size = 0
        async for piece in response.aiter_raw(_PIECE_BYTES):
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(size)
            grow(len(piece))
            await loop.run_in_executor(self._threads, spool.absorb, piece)
        return size, spool.hasher.digest()
