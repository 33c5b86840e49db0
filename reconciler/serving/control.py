"""The runtime's control socket as a capability: is it healthy, what did it accept, take this, how are you.

The Protocol is what kinds know; `HttpRuntimeControl` speaks HTTP/1.1 with JSON over the unix socket, one
short connection per question, each bounded in time and size. It decides nothing and repeats nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from reconciler.serving.spec import Document
from reconciler.serving.status import RuntimeStatus, parse_status

_LONGEST_ANSWER_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class ControlUnreachable(Exception):
    """Raised when the runtime gives no usable answer: no socket, a time-out, a broken answer."""


class OlderGeneration(Exception):
    """Raised when the runtime has accepted a newer document than the one offered."""


class SpecRejected(Exception):
    """Raised when the runtime refuses a document; nothing of it was taken. `reasons` are readable."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Health:
    """Whether it serves, and if not why not, in its own words. `silent`: it said nothing at all."""

    ok: bool
    reason: str = ""
    silent: bool = False


class RuntimeControl(Protocol):
    """One runtime process. Every call may raise `ControlUnreachable`."""

    async def health(self) -> Health: ...

    async def status(self) -> RuntimeStatus: ...

    async def spec(self) -> Document: ...

    async def put(self, document: Document) -> None:
        """Hands a whole document over. Raises `OlderGeneration` or `SpecRejected`; then nothing was taken."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpRuntimeControl:
    """`RuntimeControl` over a unix socket. `timeout_s` bounds each question from connect to last byte."""

    socket: Path
    timeout_s: float = 2.0

    async def health(self) -> Health:
        answer = await self._ask("GET", "/healthz")
        if answer.status == 200:
            return Health(ok=True)
        reason = _mapping(_decoded(answer.body)).get("reason")
        return Health(ok=False, reason=str(reason or f"answers {answer.status} to /healthz"))

    async def status(self) -> RuntimeStatus:
        return parse_status(await self._json("/status"))

    async def spec(self) -> Document:
        return _mapping(await self._json("/spec"))

    async def put(self, document: Document) -> None:
        answer = await self._ask("PUT", "/spec", json.dumps(document).encode())
        if answer.status == 409:
            raise OlderGeneration(_message(answer, "the runtime has accepted a newer document"))
        if answer.status == 422:
            raise SpecRejected(_reasons(answer))
        if answer.status != 200:
            raise ControlUnreachable(_message(answer, f"PUT /spec was answered with {answer.status}"))

    async def _json(self, path: str) -> object:
        answer = await self._ask("GET", path)
        value = _decoded(answer.body)
        if answer.status != 200 or value is None:
            raise ControlUnreachable(_message(answer, f"GET {path} was answered with {answer.status}"))
        return value

    async def fetch(self, path: str) -> Answer:
        """A document as it is, for whoever passes it on (the operator's metrics, a support bundle)."""
        return await self._ask("GET", path)

    async def _ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        try:
            async with asyncio.timeout(self.timeout_s):
                return await _exchange(self.socket, _request(method, path, body))
        except TimeoutError:
            raise ControlUnreachable(
                f"no answer to {method} {path} in {self.timeout_s:g} s on {self.socket}"
            ) from None
        except OSError as error:
            raise ControlUnreachable(f"{self.socket}: {error.strerror or error}") from error


def _request(method: str, path: str, body: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: runtime\r\nConnection: close\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


async def _exchange(socket: Path, request: bytes) -> Answer:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        writer.write(request)
        return await _read_answer(reader)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class _Collector:
    """What the parser calls back while an answer comes in."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    import httptools  # noqa: PLC0415 - only who talks to a runtime pays for it

    collector = _Collector()
    parser = httptools.HttpResponseParser(collector)
    received = 0
    while not collector.complete:
        chunk = await reader.read(_CHUNK_BYTES)
        received += len(chunk)
        if received > _LONGEST_ANSWER_BYTES:
            raise ControlUnreachable(f"an answer longer than {_LONGEST_ANSWER_BYTES} bytes")
        if not chunk:
            raise ControlUnreachable("the connection ended in the middle of an answer")
        try:
            parser.feed_data(chunk)
        except httptools.HttpParserError as error:
            raise ControlUnreachable(f"an answer that is not HTTP: {error}") from error
    return Answer(parser.get_status_code(), bytes(collector.body))


def _decoded(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except ValueError:
        return None
    return value


def _mapping(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _message(answer: Answer, otherwise: str) -> str:
    value = _mapping(_decoded(answer.body))
    return str(value.get("message") or value.get("reason") or value.get("error") or otherwise)


def _reasons(answer: Answer) -> tuple[str, ...]:
    found = _mapping(_decoded(answer.body)).get("reasons")
    reasons = [_mapping(each) for each in found] if isinstance(found, list) else []
    texts = tuple(f"{each.get('path', '')}: {each.get('message', '')}".strip(": ") for each in reasons)
    return texts or (_message(answer, "refused without a reason"),)
