"""A small HTTP/1.1 server for the operator's two doors: one request per connection, everything bounded.

h11 speaks the protocol, asyncio moves the bytes; no web framework, because the operator idles for weeks and
its memory is counted. Invariants: a request is read within `READ_TIMEOUT_S` and `LARGEST_BODY_BYTES`, a
reader that does not read is dropped, a handler's fault is a 500 and a log line. It knows no route and no
operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import h11

from reconciler.core.values import Json

READ_TIMEOUT_S = 10.0
WRITE_TIMEOUT_S = 30.0
LARGEST_HEAD_BYTES = 16 * 1024
LARGEST_BODY_BYTES = 64 * 1024
MOST_CONNECTIONS = 64

_LOG = logging.getLogger("reconciler.operator.http")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """A body of bytes goes out at once, an iterator's parts as they come, until it or the reader ends."""

    status: int
    body: bytes | AsyncIterator[bytes]
    content_type: str = "application/json"


Handler = Callable[[Request], Awaitable[Answer]]


def json_answer(value: Json, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False).encode() + b"\n")


def text_answer(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Answer:
    return Answer(status, text.encode(), content_type)


class HttpDoor:
    """One listener. `open_…` once, `close` at the end."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._socket_path: Path | None = None

    async def open_unix(self, path: Path) -> None:
        """Replaces a dead socket file; the caller holds the lock that says nobody serves there. Mode 0600."""
        _make_way(path)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, path)
        finally:
            os.umask(before)
        self._socket_path = path

    async def open_tcp(self, host: str, port: int) -> int:
        """Returns the port that was bound. Raises OSError where it is taken."""
        self._server = await asyncio.start_server(self._accept, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self, *, grace_s: float = 0.0) -> None:
        """Answers under way have `grace_s` to end."""
        if self._server is None:
            return
        self._server.close()
        if self._connections and grace_s:
            await asyncio.wait(self._connections, timeout=grace_s)
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._socket_path is not None:
            with contextlib.suppress(FileNotFoundError):
                self._socket_path.unlink()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= MOST_CONNECTIONS:
            await _hang_up(writer)
            return
        self._connections.add(task)
        try:
            await _serve(self._handler, reader, writer)
        except (TimeoutError, ConnectionError, h11.ProtocolError, ValueError, asyncio.CancelledError):
            pass  # the peer is gone, slow or wrong, or the door closes: there is nobody to tell
        finally:
            await _hang_up(writer)
            self._connections.discard(task)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _make_way(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


async def _serve(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_BYTES)
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            request = await _read_request(connection, reader)
    except h11.RemoteProtocolError as error:
        answer = json_answer({"error": str(error)}, error.error_status_hint)
    else:
        answer = await _answer(handler, request)
    leaving = asyncio.create_task(_drop_when_gone(reader, asyncio.current_task()))
    try:
        await _write(connection, writer, answer)
    finally:
        leaving.cancel()


async def _drop_when_gone(reader: asyncio.StreamReader, serving: asyncio.Task[None] | None) -> None:
    """Ends a long answer when its reader hangs up, even while there is nothing to write."""
    while await reader.read(4096):
        pass
    if serving is not None:
        serving.cancel()


async def _answer(handler: Handler, request: Request) -> Answer:
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - one request's fault must not close the door
        _LOG.exception("door.failed", extra={"fields": {"path": request.path}})
        return json_answer({"error": f"{type(error).__name__}: {error}"}, 500)


async def _read_request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65_536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY_BYTES:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            target = urlsplit(head.target.decode("ascii", "replace"))
            query = dict(parse_qsl(target.query, max_num_fields=20))
            return Request(head.method.decode(), target.path, query, bytes(body))
        else:
            raise ConnectionError("the peer closed")


async def _write(connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer) -> None:
    headers = [("content-type", answer.content_type), ("connection", "close")]
    if isinstance(answer.body, bytes):
        headers.append(("content-length", str(len(answer.body))))
    await _send(connection, writer, h11.Response(status_code=answer.status, headers=headers))
    if isinstance(answer.body, bytes):
        await _send(connection, writer, h11.Data(data=answer.body))
    else:
        async for part in answer.body:
            await _send(connection, writer, h11.Data(data=part))
    await _send(connection, writer, h11.EndOfMessage())


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, event: h11.Event) -> None:
    data = connection.send(event)
    if data:
        writer.write(data)
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await writer.drain()
