"""The control socket's ASGI program: the document in, the observed state, events and metrics out.

Only the owner of the process reaches it (0600). Knows nothing of what the values mean; `PUT /spec` is the
only thing here that changes anything. See "The runtime's two sockets" in docs/contracts.md.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs

from runtime.control.accepted import Accepted, OlderGeneration
from runtime.server import answers
from runtime.server.answers import Handler, Receive, Scope, Send
from runtime.server.body import BodyStalled, BodyTooLarge, PeerGone, read_body, wait_until_gone
from runtime.server.events import Event, EventLog
from runtime.spec import SpecRefused

_LARGEST_DOCUMENT = 4 * 1024 * 1024
_BODY_S = 10.0
_JSON = [(b"content-type", b"application/json")]


class ControlApi:
    """`unready` says why the runtime does not serve; `status` and `metrics` draw their answers."""

    def __init__(
        self,
        *,
        accepted: Accepted,
        status: Callable[[], Mapping[str, object]],
        unready: Callable[[], str | None],
        events: EventLog,
        metrics: Callable[[], bytes],
    ) -> None:
        self._accepted = accepted
        self._status = status
        self._unready = unready
        self._events = events
        self._metrics = metrics
        self._routes: Mapping[tuple[str, str], Handler] = {
            ("GET", "/healthz"): self._get_health,
            ("GET", "/spec"): self._get_spec,
            ("PUT", "/spec"): self._put_spec,
            ("GET", "/status"): self._get_status,
            ("GET", "/events"): self._get_events,
            ("GET", "/metrics"): self._get_metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        handler = self._routes.get((scope["method"], scope["path"]), _not_found)
        try:
            await handler(scope, receive, send)
        except PeerGone:
            return

    async def _get_health(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        reason = self._unready()
        if reason is None:
            await _send_json(send, HTTPStatus.OK, {})
        else:
            await _send_json(send, HTTPStatus.SERVICE_UNAVAILABLE, {"reason": reason})

    async def _get_spec(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _send_json(send, HTTPStatus.OK, self._accepted.spec.document)

    async def _put_spec(self, _scope: Scope, receive: Receive, send: Send) -> None:
        try:
            document = json.loads(await read_body(receive, limit=_LARGEST_DOCUMENT, within_s=_BODY_S))
            spec = self._accepted.take(document)
        except (BodyTooLarge, BodyStalled, ValueError, RecursionError) as error:
            await _send_reasons(send, [("", f"the body is no JSON document: {error}")])
        except SpecRefused as error:
            self._events.emit("spec.refused", reasons=[reason.path for reason in error.reasons])
            await _send_reasons(send, [(reason.path, reason.message) for reason in error.reasons])
        except OlderGeneration as error:
            answer = {"generation": error.accepted, "reason": str(error)}
            await _send_json(send, HTTPStatus.CONFLICT, answer)
        else:
            await _send_json(send, HTTPStatus.OK, {"generation": spec.generation, "digest": spec.digest})

    async def _get_status(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _send_json(send, HTTPStatus.OK, self._status())

    async def _get_metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        kind = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
        await answers.send_bytes(send, HTTPStatus.OK, [kind], self._metrics())

    async def _get_events(self, scope: Scope, receive: Receive, send: Send) -> None:
        after = _number(parse_qs(scope["query_string"].decode("latin-1")).get("after", ["0"])[0])
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": _JSON})
        gone = asyncio.create_task(wait_until_gone(receive))
        try:
            while not gone.done():
                events = self._events.after(after)
                if events:
                    after = events[-1].sequence
                    body = b"".join(map(_line, events))
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                    continue
                news = asyncio.create_task(self._events.wait())
                try:
                    await asyncio.wait((gone, news), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    news.cancel()
        finally:
            gone.cancel()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _line(event: Event) -> bytes:
    fields = {"sequence": event.sequence, "at": event.at, "name": event.name, "fields": event.fields}
    return json.dumps(fields, default=str).encode() + b"\n"


async def _send_json(send: Send, status: HTTPStatus, value: object) -> None:
    await answers.send_bytes(send, status, _JSON, json.dumps(value, default=str).encode())


async def _send_reasons(send: Send, reasons: list[tuple[str, str]]) -> None:
    shown = [{"path": path, "message": message} for path, message in reasons]
    await _send_json(send, HTTPStatus.UNPROCESSABLE_ENTITY, {"reasons": shown})


async def _not_found(_scope: Scope, _receive: Receive, send: Send) -> None:
    await _send_json(send, HTTPStatus.NOT_FOUND, {"reason": "no such path on the control socket"})
