"""What an Envoy says of itself on its admin socket: its state, its connections, what it took from our files.

`EdgeAdmin` is what the kind knows; `SocketAdmin` asks over the unix socket, one short bounded exchange each.
Called by `observe.py`, and by `act.py` while it waits. Nothing is changed here but `drain`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_LONGEST_ANSWER_BYTES = 1024 * 1024
_VERSIONS = {
    "listener_manager.lds.version_text": "listener.json",
    "cluster_manager.cds.version_text": "cluster.json",
    "runtime.version_text": "limits.json",
    "cluster.runtime.version_text": "endpoints.json",
    "sds.public.version_text": "certificate.json",
}
_CONNECTIONS = "http.public.downstream_cx_active"


class AdminSilent(Exception):
    """Raised when no usable answer came: no socket, a time-out, something else than expected."""


@dataclass(frozen=True, slots=True)
class AdminAnswer:
    """`state` is Envoy's word (`LIVE`, …); `accepted` maps a document's file to the version in force."""

    state: str
    connections: int
    accepted: tuple[tuple[str, str], ...]


class EdgeAdmin(Protocol):
    async def look(self, socket: Path) -> AdminAnswer:
        """Raises `AdminSilent`."""
        ...

    async def drain(self, socket: Path) -> None:
        """Asks every client to finish. Raises `AdminSilent`."""
        ...


@dataclass(frozen=True, slots=True)
class SocketAdmin:
    """`EdgeAdmin` over unix sockets. `timeout_s` bounds each exchange from connect to last byte."""

    timeout_s: float = 3.0

    async def look(self, socket: Path) -> AdminAnswer:
        server = await self._json("GET", "/server_info", socket)
        texts = await self._ask("GET", "/stats?type=TextReadouts", socket)
        numbers = await self._ask("GET", f"/stats?filter=^{_CONNECTIONS}$", socket)
        return AdminAnswer(
            state=str(server.get("state", "")),
            connections=_number(_lines(numbers).get(_CONNECTIONS, "")),
            accepted=tuple(
                sorted((_VERSIONS[name], value) for name, value in _lines(texts).items() if name in _VERSIONS)
            ),
        )

    async def drain(self, socket: Path) -> None:
        await self._ask("POST", "/drain_listeners?graceful&skip_exit", socket)

    async def _json(self, method: str, path: str, socket: Path) -> dict[str, object]:
        try:
            document = json.loads(await self._ask(method, path, socket))
        except ValueError as error:
            raise AdminSilent(f"{path}: not JSON") from error
        return document if isinstance(document, dict) else {}

    async def _ask(self, method: str, path: str, socket: Path) -> bytes:
        try:
            async with asyncio.timeout(self.timeout_s):
                return await _exchange(method, path, socket)
        except (OSError, TimeoutError, EOFError) as error:
            raise AdminSilent(f"{path}: {error or type(error).__name__}") from error


async def _exchange(method: str, path: str, socket: Path) -> bytes:
    """One connection: the answer ends with it."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        request = f"{method} {path} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        writer.write(request.encode())
        answer = await _read_all(reader)
    finally:
        writer.close()
    head, separator, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if not separator or status != [b"200"]:
        raise AdminSilent(f"{path}: answered {head[:80]!r}")
    return _dechunk(body) if b"transfer-encoding: chunked" in head.lower() else body


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while part := await reader.read(65_536):
        answer += part
        if len(answer) > _LONGEST_ANSWER_BYTES:
            raise AdminSilent("the answer is too long")
    return answer


def _dechunk(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        if length == 0:
            break
        whole, body = whole + rest[:length], rest[length + 2 :]
    return whole


def _lines(text: bytes) -> dict[str, str]:
    pairs = (line.partition(": ") for line in text.decode(errors="replace").splitlines())
    return {name: value.strip().strip('"') for name, _, value in pairs}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
