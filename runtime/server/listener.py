"""One unix socket with an ASGI program behind it: uvicorn, without its signals and its ten ticks a second.

Several listeners share one event loop, so none may own the process's signals. `stop` first stops accepting,
then lets requests in flight end within a time limit. Kept connections stay open longer than the edge keeps
them unused, or the edge would send requests into closed ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import uvicorn

from runtime.server.answers import Handler

if TYPE_CHECKING:
    from uvicorn._types import ASGIApplication

_KEEP_ALIVE_S = 24 * 3600
_BACKLOG = 2_048
_DATE_S = 1.0


class Listener:
    def __init__(self, program: Handler, path: str, *, mode: int) -> None:
        self._path = path
        self._mode = mode
        self._inode = 0
        self._server = _Server(
            uvicorn.Config(
                cast("ASGIApplication", program),
                http="httptools",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                backlog=_BACKLOG,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept from now on. The socket appears by rename, so whoever finds it can connect."""
        unfinished = f"{self._path}.{os.getpid()}"
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bound.bind(unfinished)
        os.chmod(unfinished, self._mode)
        self._inode = os.stat(unfinished).st_ino
        bound.listen(_BACKLOG)
        bound.setblocking(False)
        os.rename(unfinished, self._path)
        self._serving = asyncio.create_task(self._server.serve(sockets=[bound]))
        await self._server.accepting.wait()

    async def stop(self, *, within_s: float) -> None:
        """Accept nothing more; return when the requests in flight have ended or the time is over."""
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self._path).st_ino == self._inode:  # a successor may have taken the path
                os.unlink(self._path)
        self._server.config.timeout_graceful_shutdown = max(1, round(within_s))
        self._server.ask_to_exit()
        if self._serving is not None:
            await self._serving


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._exit_asked = asyncio.Event()
        self.accepting = asyncio.Event()

    def ask_to_exit(self) -> None:
        self.should_exit = True
        self._exit_asked.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    async def main_loop(self) -> None:
        """Only the date header needs a tick."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exit_asked.wait(), _DATE_S)
