"""Request bodies, each with a size and a time limit.

Small ones are read whole. A segment's body goes piece by piece into a file and through keccak on a thread,
while the event loop receives the next piece: hashing 1 MB takes 2.5 ms, which no other request should wait
for.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from livepeer.wire.signing import Hasher
from runtime.server.answers import Receive

_PIECE_BYTES = 256 * 1024
_SMALL_BYTES = 64 * 1024
_LONGEST_UPLOAD_S = 300.0
"""However steadily it drips: gateways give up on an upload after half the segment's duration."""


class BodyTooLarge(Exception):
    """Raised when a body exceeds its limit. `size` is what arrived, or was announced."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size


class BodyStalled(Exception):
    """Raised when a body stops arriving."""


class PeerGone(Exception):
    """Raised when the peer closed its connection before its request ended."""


async def read_body(
    receive: Receive,
    *,
    limit: int,
    within_s: float,
    counted: int = 0,
    large: asyncio.Semaphore | None = None,
) -> bytes:
    """A small body, whole. One above the limit is counted to its end, or to `counted`, and not kept.

    `large` says how many that are not really small are held at once, so that a thousand strangers cannot
    fill memory; further ones wait.
    """
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(within_s), AsyncExitStack() as stack:
            more = True
            while more:
                message = await _next(receive, within_s)
                more = message.get("more_body", False)
                size += len(message["body"])
                if size > max(limit, counted):
                    break
                if size > limit:
                    body.clear()
                    continue
                if large is not None and len(body) <= _SMALL_BYTES < size:
                    await stack.enter_async_context(large)
                body += message["body"]
    except TimeoutError as error:
        raise BodyStalled(f"{size} bytes within {within_s:g} s") from error
    if size > limit:
        raise BodyTooLarge(size)
    return bytes(body)


async def read_to_file(
    receive: Receive, path: Path, *, limit: int, idle_s: float, threads: Executor, grow: Callable[[int], None]
) -> tuple[int, bytes]:
    """Size and keccak-256 of the body, then in `path` (new, 0600). `OSError` when it cannot be kept.

    `grow` is told how many bytes have come, and may refuse them by an `OSError`.
    """
    loop = asyncio.get_running_loop()
    spool = Spool(path)
    written: asyncio.Future[None] | None = None
    pending = bytearray()
    size = 0
    try:
        async with asyncio.timeout(_LONGEST_UPLOAD_S):
            more = True
            while more:
                message = await _next(receive, idle_s)
                more = message.get("more_body", False)
                pending += message["body"]
                size += len(message["body"])
                if size > limit:
                    raise BodyTooLarge(size)
                grow(len(message["body"]))
                if len(pending) >= _PIECE_BYTES or not more:
                    if written is not None:
                        await written
                    written = loop.run_in_executor(threads, spool.absorb, bytes(pending))
                    pending.clear()
        if written is not None:
            await written
            written = None
    except TimeoutError as error:
        raise BodyStalled(f"{size} bytes had arrived") from error
    finally:
        if written is not None:
            await asyncio.wait([written])
        spool.close()
    return size, spool.hasher.digest()


async def wait_until_gone(receive: Receive) -> None:
    """Return when the peer closed its connection. To be used once the body is read."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Spool:
    """A file that grows with its hash. Used by one thread at a time; may be closed by another meanwhile."""

    def __init__(self, path: Path) -> None:
        self.hasher = Hasher()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._is_open = True
        self._lock = threading.Lock()

    def absorb(self, piece: bytes) -> None:
        with self._lock:  # a descriptor closed in the middle may be another stream's the next moment
            if not self._is_open:
                return
            self.hasher.update(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def close(self) -> None:
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._fd)


async def _next(receive: Receive, idle_s: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(idle_s):
            message = await receive()
    except TimeoutError as error:
        raise BodyStalled(f"nothing for {idle_s:g} s") from error
    if message["type"] != "http.request":
        raise PeerGone
    return message
