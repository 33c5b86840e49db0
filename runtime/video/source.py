"""Segments that a gateway sends as a URI: fetched into a file, within narrow bounds.

Only judged targets (`targets.py`), no redirects, 4 s in all as the network has it, the same size limit as a body.
Certificates are not verified, as on the whole network: the segment's hash is what proves it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from http import HTTPStatus
from importlib import import_module
from pathlib import Path

from runtime.server.body import BodyTooLarge, Spool
from runtime.video.targets import ForbiddenTarget, Targets

URI_TYPE = b"application/vnd+livepeer.uri"
LONGEST_URI_BYTES = 16 * 1024
_TOTAL_S = 4.0
_PIECE_BYTES = 256 * 1024


class SourceUnavailable(Exception):
    """Raised when the segment cannot be fetched."""


async def fetch_to_file(
    uri: str, path: Path, *, targets: Targets, limit: int, threads: Executor
) -> tuple[int, bytes]:
    """Size and keccak-256 of what is there, which is then in `path`. `OSError` when it cannot be kept."""
    try:
        async with asyncio.timeout(_TOTAL_S):
            return await _fetch(uri, path, targets=targets, limit=limit, threads=threads)
    except TimeoutError as error:
        raise SourceUnavailable(f"not there within {_TOTAL_S:g} s") from error
    except ForbiddenTarget as error:
        raise SourceUnavailable(str(error)) from error


async def _fetch(
    uri: str, path: Path, *, targets: Targets, limit: int, threads: Executor
) -> tuple[int, bytes]:
    loop = asyncio.get_running_loop()
    target = await targets.judge(uri)
    httpx = await loop.run_in_executor(threads, import_module, "httpx")
    spool = Spool(path)
    size = 0
    try:
        async with (
            httpx.AsyncClient(verify=False, follow_redirects=False, trust_env=False) as client,
            client.stream(
                "GET",
                target.url,
                headers={"host": target.host_header, "accept-encoding": "identity"},
                extensions={"sni_hostname": target.host},
            ) as response,
        ):
            if response.status_code != HTTPStatus.OK:
                raise SourceUnavailable(f"answered {response.status_code}")
            async for piece in response.aiter_raw(_PIECE_BYTES):
                size += len(piece)
                if size > limit:
                    raise BodyTooLarge(size)
                await loop.run_in_executor(threads, spool.absorb, piece)
    except httpx.HTTPError as error:
        raise SourceUnavailable(f"{type(error).__name__}: {error}") from error
    finally:
        spool.close()
    return size, spool.hasher.digest()
