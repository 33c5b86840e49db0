"""A gateway's connections, byte for byte as Go makes them: HTTP/2 with many streams, HTTP/1.1 without ALPN.

Unlike the product's own client it sends recorded headers in their order and judges nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass, field
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

Headers = list[tuple[str, str]]

GRPC_SETTINGS: dict[SettingCodes, int] = {}
GO_SETTINGS = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.INITIAL_WINDOW_SIZE: 4_194_304,
    SettingCodes.MAX_FRAME_SIZE: 16_384,
    SettingCodes.MAX_HEADER_LIST_SIZE: 10_485_760,
}
GO_WINDOW = 1_073_741_824


@dataclass
class Answer:
    status: int = 0
    headers: Headers = field(default_factory=list)
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    began: float = 0.0
    headers_after_s: float = 0.0
    ended_after_s: float = 0.0
    status_line: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    has_headers: asyncio.Event = field(default_factory=asyncio.Event)
    reset: int | None = None

    def named(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


def tls(*alpn: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class H2:
    """One connection with any number of exchanges at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        config = h2.config.H2Configuration(client_side=True, header_encoding="latin-1")
        self.h2 = h2.connection.H2Connection(config)
        self._answers: dict[int, Answer] = {}
        self._room = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None
        self.goodbye = asyncio.Event()

    @classmethod
    async def open(cls, port: int, *, is_call: bool = False) -> H2:
        offered = ("h2",) if is_call else ("h2", "http/1.1")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls(*offered), server_hostname=""
        )
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        self = cls(reader, writer)
        values = GRPC_SETTINGS if is_call else GO_SETTINGS
        self.h2.local_settings = Settings(client=True, initial_values=values)
        self.h2.initiate_connection()
        if not is_call:
            self.h2.increment_flow_control_window(GO_WINDOW)
        await self._flush()
        self._reading = asyncio.create_task(self._read())
        return self

    async def close(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await _hang_up(self._writer)

    async def send(self, headers: Headers, body: bytes = b"") -> Answer:
        """Sends everything and answers what will be filled as it arrives."""
        answer = Answer(began=time.monotonic())
        stream = self.h2.get_next_available_stream_id()
        self._answers[stream] = answer
        self.h2.send_headers(stream, headers, end_stream=not body)
        await self._flush()
        left = memoryview(body)
        while left and not answer.ended.is_set():
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, 16_384)
            if room <= 0:
                async with self._room:
                    await asyncio.wait_for(self._room.wait(), 10)
                continue
            self.h2.send_data(stream, bytes(left[:room]), end_stream=room >= len(left))
            left = left[room:]
            await self._flush()
        if left:  # answered before the upload ended: Go stops it so, unless the server has
            with contextlib.suppress(h2.exceptions.StreamClosedError):
                self.h2.reset_stream(stream, ErrorCodes.CANCEL)
            await self._flush()
        return answer

    async def exchange(self, headers: Headers, body: bytes = b"", limit_s: float = 40) -> Answer:
        answer = await self.send(headers, body)
        await asyncio.wait_for(answer.ended.wait(), limit_s)
        return answer

    async def _read(self) -> None:
        while data := await self._reader.read(65536):
            for event in self.h2.receive_data(data):
                self._take(event)
            await self._flush()
            async with self._room:
                self._room.notify_all()
        self.goodbye.set()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goodbye.set()
        answer = self._answers.get(getattr(event, "stream_id", None) or 0)
        if answer is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            pairs = cast("Headers", event.headers)
            answer.status = int(pairs[0][1])
            answer.headers = [(name, value) for name, value in pairs if not name.startswith(":")]
            answer.headers_after_s = time.monotonic() - answer.began
            answer.has_headers.set()
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data or b""
            self.h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = dict(cast("Headers", event.headers))
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            answer.reset = getattr(event, "error_code", None) if not answer.ended.is_set() else None
            answer.ended_after_s = time.monotonic() - answer.began
            answer.ended.set()

    async def _flush(self) -> None:
        self._writer.write(self.h2.data_to_send())
        await self._writer.drain()


class H1:
    """One HTTP/1.1 connection, kept alive as long as the node keeps it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> H1:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls(), server_hostname="", limit=1 << 22
        )
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() is None
        return cls(reader, writer)

    async def close(self) -> None:
        await _hang_up(self._writer)

    async def exchange(self, line: str, headers: Headers, body: bytes = b"", limit_s: float = 40) -> Answer:
        head = line + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        answer = Answer(began=time.monotonic())
        self._writer.write(head.encode("latin-1") + body)
        async with asyncio.timeout(limit_s):
            await self._head(answer)
            while 100 <= answer.status < 200:
                await self._head(answer)
            answer.headers_after_s = time.monotonic() - answer.began
            if not line.startswith("HEAD"):
                await self._body(answer)
        answer.ended_after_s = time.monotonic() - answer.began
        return answer

    async def _head(self, answer: Answer) -> None:
        answer.status_line = (await self._reader.readline()).decode("latin-1").rstrip()
        answer.status = int(answer.status_line.split()[1])
        answer.headers = []
        while line := (await self._reader.readline()).decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            answer.headers.append((name, value.strip()))

    async def _body(self, answer: Answer) -> None:
        length = answer.named("content-length")
        if length is not None:
            answer.body += await self._reader.readexactly(int(length))
        elif answer.named("transfer-encoding") == "chunked":
            while size := int(await self._reader.readline(), 16):
                answer.body += await self._reader.readexactly(size)
                await self._reader.readline()
            await self._reader.readline()
        else:
            answer.body += await self._reader.read()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(2):
            await writer.wait_closed()


def pseudo(names: tuple[str, ...], values: dict[str, Any]) -> Headers:
    """Pseudo headers in the recorded order."""
    return [(name, str(values[name])) for name in names]
