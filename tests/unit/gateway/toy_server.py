"""A small real server: TLS, HTTP/2 by ALPN, HTTP/1.1 without; one handler for all requests.

It does what it is told, faults included, so that a client can be tested against each of them.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Request:
    protocol: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    before_headers_s: float = 0
    before_body_s: float = 0
    hang_up: bool = False
    goodbye: bool = False  # say GOAWAY between headers and body, and finish
    early: bool = False  # answer an upload before its body has come


Handler = Callable[[Request], Awaitable[Reply]]


def make_certificate(
    folder: Path, *, names: tuple[str, ...] = ("localhost",), days: int = 30, began_days_ago: int = 1
) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    began = dt.datetime.now(dt.UTC) - dt.timedelta(days=began_days_ago)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "toy")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "toy")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


class ToyServer:
    def __init__(self, context: ssl.SSLContext, handler: Handler) -> None:
        self.context = context
        self.handler = handler
        self.requests: list[Request] = []
        self.connections = 0
        self.window = 1 << 20
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, ssl=self.context, limit=1 << 21
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            selected = writer.get_extra_info("ssl_object").selected_alpn_protocol()
            if selected == "h2":
                await self._serve_h2(reader, writer)
            else:
                await self._serve_h1(reader, writer)
        except (OSError, h2.exceptions.H2Error, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve_h1(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {
                line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip()
                for line in head[1:]
                if ":" in line
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request("HTTP/1.1", method, path, headers, body)
            self.requests.append(request)
            reply = await self.handler(request)
            await asyncio.sleep(reply.before_headers_s)
            if reply.hang_up:
                return
            head = [f"HTTP/1.1 {reply.status} X", f"date: {formatdate(usegmt=True)}"]
            head += [f"{name}: {value}" for name, value in reply.headers.items()]
            head += [f"content-length: {len(reply.body)}", "", ""]
            writer.write("\r\n".join(head).encode("latin-1"))
            await writer.drain()
            await asyncio.sleep(reply.before_body_s)
            writer.write(reply.body)
            await writer.drain()

    async def _serve_h2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="latin-1")
        )
        if self.window:
            wide = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: self.window}
            connection.local_settings = h2.settings.Settings(client=False, initial_values=wide)
        connection.initiate_connection()
        connection.increment_flow_control_window(1 << 20)
        open_requests: dict[int, Request] = {}
        writer.write(connection.data_to_send())
        while data := await reader.read(1 << 16):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = dict(event.headers)
                    request = Request("HTTP/2", headers[":method"], headers[":path"], headers, b"")
                    open_requests[event.stream_id] = request
                    reply = await self.handler(request) if "x-early" in headers else None
                    if reply is not None and reply.early:
                        self.requests.append(open_requests.pop(event.stream_id))
                        await self._answer_h2(connection, writer, event.stream_id, reply)
                        connection.reset_stream(event.stream_id, error_code=0)
                elif isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if event.stream_id in open_requests:
                        open_requests[event.stream_id].body += event.data
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id in open_requests:
                    request = open_requests.pop(event.stream_id)
                    self.requests.append(request)
                    reply = await self.handler(request)
                    if reply.hang_up:
                        return
                    await self._answer_h2(connection, writer, event.stream_id, reply)
            writer.write(connection.data_to_send())
            await writer.drain()

    async def _answer_h2(
        self, connection: h2.connection.H2Connection, writer: asyncio.StreamWriter, stream: int, reply: Reply
    ) -> None:
        writer.write(connection.data_to_send())
        await asyncio.sleep(reply.before_headers_s)
        headers = [(":status", str(reply.status)), ("date", formatdate(usegmt=True)), *reply.headers.items()]
        ends = not reply.body and not reply.trailers
        connection.send_headers(stream, headers, end_stream=ends)
        writer.write(connection.data_to_send())
        await writer.drain()
        if ends:
            return
        if reply.goodbye:  # as a frame of our own: the library would close its state with it
            writer.write(b"\0\0\x08\x07\0\0\0\0\0" + stream.to_bytes(4) + b"\0\0\0\0")
            await writer.drain()
        await asyncio.sleep(reply.before_body_s)
        for start in range(0, len(reply.body), 16_000):
            chunk = reply.body[start : start + 16_000]
            last = start + 16_000 >= len(reply.body) and not reply.trailers
            connection.send_data(stream, chunk, end_stream=last)
        if reply.trailers:
            connection.send_headers(stream, list(reply.trailers.items()), end_stream=True)
        writer.write(connection.data_to_send())
        await writer.drain()
