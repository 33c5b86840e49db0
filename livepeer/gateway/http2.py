"""One HTTP/2 connection that carries one exchange at a time, as a gateway's uploads and calls need it.

Libraries for whole HTTP clients hide what a gateway judges by: the moment of the headers, answers that come
before the upload ends, trailers, and streams that finish after the peer said goodbye. The framing is `h2`'s;
here are the socket, flow control and time. Every wait ends: callers set limits with `asyncio.timeout`.
Raises `TransportError` only.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from livepeer.gateway.failures import NotProcessed, TransportError
from livepeer.gateway.goodbye import GoodbyeFilter

Headers = Sequence[tuple[str, str]]

_READ_BYTES = 1 << 16
_WINDOW_BYTES = 1 << 22  # Go's clients open 4 MiB per stream
_MAX_HEADER_BYTES = 1 << 20


@dataclass(slots=True)
class Exchange:
    """What has arrived of one answer."""

    stream: int
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_ended: bool = False


class Connection:
    """Open until `close`; `is_reusable` says whether another exchange may start on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="latin-1")
        self._h2 = h2.connection.H2Connection(config)
        self._reader = reader
        self._writer = writer
        self._authority = authority
        self._goodbye = GoodbyeFilter()
        self._window = asyncio.Event()
        self._exchange: Exchange | None = None
        self._uploading: asyncio.Task[None] | None = None
        self._broken = False

    @classmethod
    async def open(cls, host: str, port: int, *, context: ssl.SSLContext, timeout_s: float) -> Connection:
        """Dials and shakes hands. A server that does not select `h2` is refused, as gateways do."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
        except TimeoutError as error:
            raise TransportError(f"no TLS connection to {host}:{port} within {timeout_s:g} s") from error
        except OSError as error:
            raise TransportError(f"no TLS connection to {host}:{port}: {error}") from error
        selected = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        connection = cls(reader, writer, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        if selected != "h2":
            await connection.close()
            raise TransportError(
                f"{host}:{port} selects {selected or 'no protocol'} by ALPN where h2 is offered"
            )
        await connection._start()
        return connection

    async def _start(self) -> None:
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: _MAX_HEADER_BYTES,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW_BYTES)
        await self._flush()

    @property
    def is_reusable(self) -> bool:
        return not self._broken and self._goodbye.last_stream is None

    async def is_alive(self) -> bool:
        """Whether another exchange may start, after what the peer may have said meanwhile."""
        try:
            while self.is_reusable:
                async with asyncio.timeout(0):
                    await self._receive()
        except TimeoutError:
            return self.is_reusable  # nothing more was said
        except (OSError, h2.exceptions.H2Error):
            self._broken = True
        return False

    @property
    def windows(self) -> tuple[int, int]:
        """Bytes that the peer takes ahead of its reading, per stream and per connection."""
        return self._h2.remote_settings.initial_window_size, self._h2.outbound_flow_control_window

    @property
    def tls(self) -> ssl.SSLObject:
        found: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return found

    async def close(self) -> None:
        self._broken = True
        await self._end_upload()
        self._writer.close()
        try:
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()  # a peer that does not say goodbye

    async def post(self, path: str, headers: Headers, body: bytes) -> Exchange:
        """Sends the request and returns when the answer's headers are there; `finish` reads the rest."""
        exchange = Exchange(self._h2.get_next_available_stream_id())
        self._exchange = exchange
        pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", self._authority), (":path", path)]
        async with self._guarded():
            self._h2.send_headers(exchange.stream, [*pseudo, *headers], end_stream=not body)
            await self._flush()
            if body:
                self._uploading = asyncio.create_task(self._upload(exchange, body))
            while exchange.status is None:
                await self._receive()
        return exchange

    async def finish(self, exchange: Exchange, *, limit: int) -> Exchange:
        """Reads the answer to its end; more than `limit` bytes are refused."""
        async with self._guarded():
            while not exchange.is_ended:
                await self._receive()
                if len(exchange.body) > limit:
                    raise TransportError(f"the answer is larger than {limit} bytes")
            await self._end_upload()
        return exchange

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Whatever ends an exchange early (a failure, a time limit) ends the connection's use."""
        try:
            yield
        except BaseException as error:
            self._broken = True
            await self._end_upload()
            if isinstance(error, OSError | h2.exceptions.H2Error):
                why = str(error) or type(error).__name__
                raise TransportError(f"the connection to {self._authority} broke: {why}") from error
            raise

    async def _end_upload(self) -> None:
        """Ends an upload that nobody waits for any more: the answer is complete, or never will be."""
        if self._uploading is None:
            return
        if not self._uploading.done():
            self._broken = True
            self._uploading.cancel()
        await asyncio.gather(self._uploading, return_exceptions=True)
        self._uploading = None

    async def _upload(self, exchange: Exchange, body: bytes) -> None:
        left = memoryview(body)
        while left and not exchange.is_ended:
            room = min(
                self._h2.local_flow_control_window(exchange.stream),
                self._h2.max_outbound_frame_size,
                len(left),
            )
            if room <= 0:
                self._window.clear()
                await self._window.wait()
                continue
            self._h2.send_data(exchange.stream, bytes(left[:room]), end_stream=room == len(left))
            left = left[room:]
            await self._flush()

    async def _receive(self) -> None:
        data = await self._reader.read(_READ_BYTES)
        if not data:
            raise ConnectionResetError("closed by the peer")
        for event in self._h2.receive_data(self._goodbye.pass_on(data)):
            self._take(event)
        self._window.set()
        last, exchange = self._goodbye.last_stream, self._exchange
        if last is not None and exchange is not None and exchange.stream > last:
            raise NotProcessed(f"{self._authority} said goodbye before it began")
        await self._flush()

    def _take(self, event: h2.events.Event) -> None:
        exchange = self._exchange
        if exchange is None or getattr(event, "stream_id", None) != exchange.stream:
            return
        if isinstance(event, h2.events.ResponseReceived):
            exchange.headers = _joined(event.headers)
            status = exchange.headers.pop(":status", "")
            exchange.status = int(status) if status.isdecimal() else 0
        elif isinstance(event, h2.events.DataReceived):
            exchange.body += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, exchange.stream)
        elif isinstance(event, h2.events.TrailersReceived):
            exchange.trailers = _joined(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            exchange.is_ended = True
        elif isinstance(event, h2.events.StreamReset) and not exchange.is_ended:
            if event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM:
                raise NotProcessed(f"{self._authority} refuses to begin")
            raise ConnectionResetError(f"the peer reset the stream (code {event.error_code})")

    async def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())
        await self._writer.drain()


def _joined(headers: object) -> dict[str, str]:
    """`h2` types headers loosely; with an encoding set they are pairs of text."""
    pairs = cast("Iterable[tuple[str, str]] | None", headers)
    return dict(pairs or ())
