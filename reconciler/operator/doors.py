"""The operator's two doors: what can be asked and wished for on its socket, and what its local port shows.

The unix socket (0600, so: this user and root) takes wishes; the TCP port only shows, since whoever reaches
it is not known. Requests are JSON, checked here; errors carry the exit code that the verb ends with.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from reconciler.core.errors import Blocked, OperatorError, UsageError
from reconciler.core.exitcodes import of_error
from reconciler.core.values import Json
from reconciler.operator.http import Answer, Handler, Request, json_answer, text_answer
from reconciler.operator.service import Operator
from reconciler.operator.telling import Line, Teller
from reconciler.report.events import event_json, render_event
from reconciler.report.palette import COLOUR, PLAIN, Palette
from reconciler.report.plan_json import plan_json
from reconciler.report.plan_text import render_plan
from reconciler.report.status_json import status_json
from reconciler.report.status_text import render_status
from reconciler.report.stream import progress_text_line, result_line

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LONGEST_TEXT = 2_000
_HEARTBEAT_S = 10.0

_LOG = logging.getLogger("reconciler.operator.doors")

Route = Callable[[Operator, Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class AgreedPlan:
    """What a caller agreed to, as far as comparing needs it."""

    plan_id: str
    fingerprints: Mapping[str, str]


def control_door(operator: Operator) -> Handler:
    """Everything; for the unix socket only."""
    return _routed(
        operator,
        {
            ("GET", "/status"): _status,
            ("GET", "/plan"): _plan,
            ("GET", "/events"): _events,
            ("GET", "/metrics"): _metrics,
            ("GET", "/healthz"): _health,
            ("POST", "/reconcile"): _reconcile,
            ("POST", "/suspend"): _suspend,
            ("POST", "/resume"): _resume,
            ("POST", "/restart"): _restart,
            ("POST", "/stop"): _stop,
        },
    )


def local_door(operator: Operator) -> Handler:
    """Read-only, for `service.listen.cli`."""
    routes: dict[tuple[str, str], Route] = {
        ("GET", "/status"): _status,
        ("GET", "/metrics"): _metrics,
        ("GET", "/healthz"): _health,
    }
    return _routed(operator, routes)


def metrics_door(operator: Operator) -> Handler:
    """For `service.listen.metrics`, which other machines reach: numbers only."""
    routes: dict[tuple[str, str], Route] = {("GET", "/metrics"): _metrics, ("GET", "/healthz"): _health}
    return _routed(operator, routes)


def _routed(operator: Operator, routes: Mapping[tuple[str, str], Route]) -> Handler:
    async def handle(request: Request) -> Answer:
        route = routes.get((request.method, request.path))
        if route is None:
            known = any(path == request.path for _method, path in routes)
            return json_answer(
                {"error": "no such method here" if known else "not found"}, 405 if known else 404
            )
        try:
            return await route(operator, request)
        except OperatorError as error:
            return error_answer(error)

    return handle


def error_answer(error: OperatorError) -> Answer:
    status = 409 if isinstance(error, Blocked) else 400 if isinstance(error, UsageError) else 500
    fields: dict[str, Json] = {
        "error": str(error),
        "exit_code": int(of_error(error)),
        "next_step": error.next_step,
    }
    return json_answer(fields, status)


async def _status(operator: Operator, request: Request) -> Answer:
    status = await operator.status()
    if request.query.get("format") == "text":
        return text_answer(render_status(status, palette=_palette(request)))
    return json_answer(status_json(status))


async def _plan(operator: Operator, request: Request) -> Answer:
    plan = await operator.plan()
    if request.query.get("format") == "text":
        return text_answer(render_plan(plan, palette=_palette(request), dry_run=True))
    return json_answer(plan_json(plan))


async def _metrics(operator: Operator, _request: Request) -> Answer:
    return Answer(200, await operator.metrics(), METRICS_TYPE)


async def _health(operator: Operator, _request: Request) -> Answer:
    """Whether the operator itself is alive; how the node is, `/status` says."""
    return json_answer({"ok": True, "pid": operator.process.pid})


async def _events(operator: Operator, request: Request) -> Answer:
    after = _number(request.query.get("after", "0"))
    follow = request.query.get("follow") == "1"
    text = request.query.get("format") == "text"

    async def lines() -> AsyncIterator[bytes]:
        async for event in operator.events(after=after, follow=follow):
            if event is None:
                yield b"\n"
            elif text:
                yield (render_event(event, palette=_palette(request)) + "\n").encode()
            else:
                yield _encoded(event_json(event))

    return Answer(200, lines(), "application/x-ndjson")


async def _suspend(operator: Operator, request: Request) -> Answer:
    wish = _body(request)
    until = wish.get("until")
    if until is not None and not isinstance(until, int | float):
        raise UsageError("`until` is a unix time or null")
    operator.suspend(reason=_text(wish, "reason"), by=_text(wish, "by"), until=until)
    return json_answer({"suspended": True})


async def _resume(operator: Operator, request: Request) -> Answer:
    operator.resume(by=_text(_body(request), "by"))
    return json_answer({"suspended": False})


async def _reconcile(operator: Operator, request: Request) -> Answer:
    wish = _body(request)
    expected = _agreed(wish.get("expected"))
    restart = wish.get("restart")

    async def work(teller: Teller) -> None:
        if wish.get("revision") is not None:
            operator.agree_on(_text(wish, "revision"))
        if restart is not None:
            operator.request(_text(wish, "restart"), by=_text(wish, "by"))
        await operator.reconcile(teller, force=wish.get("force") is True, expected=expected)

    return _told(operator, work, COLOUR if wish.get("colour") is True else PLAIN)


async def _restart(operator: Operator, request: Request) -> Answer:
    """Only takes the wish; `POST /reconcile` with `restart` waits for it, too."""
    wish = _body(request)
    operator.request(_text(wish, "what"), by=_text(wish, "by"))
    operator.loop.mark_all("restart asked for", urgent=True)
    return json_answer({"requested": True}, 202)


async def _stop(operator: Operator, request: Request) -> Answer:
    drain_s = _body(request).get("drain_s")
    if drain_s is not None and (not isinstance(drain_s, int | float) or drain_s < 0):
        raise UsageError("`drain_s` is a number of seconds or null")
    queue: asyncio.Queue[Line | None] = asyncio.Queue()

    def tell(text: str) -> None:
        queue.put_nowait(progress_text_line(text, operator.clock.now()))

    async def stop() -> None:
        try:
            await operator.stop(tell, drain_s=drain_s)
            queue.put_nowait(result_line("Stopped; nothing is left running.", 0, at=operator.clock.now()))
        except Exception as error:  # noqa: BLE001 - as for a convergence: the caller is owed a last line
            if not isinstance(error, OperatorError):
                _LOG.error("request.failed", exc_info=error)
            code, next_step = int(of_error(error)), getattr(error, "next_step", "")
            queue.put_nowait(result_line(str(error), code, at=operator.clock.now(), next_step=next_step))
        finally:
            queue.put_nowait(None)

    return Answer(200, _lines_of(queue, operator.spawn(stop())), "application/x-ndjson")


def _told(operator: Operator, work: Callable[[Teller], Awaitable[None]], palette: Palette) -> Answer:
    """The answer that tells a convergence line by line. A reader that leaves does not end the work."""
    queue: asyncio.Queue[Line | None] = asyncio.Queue()

    async def tell() -> None:
        teller = Teller(queue.put_nowait, clock=operator.clock, version=operator.version, palette=palette)
        try:
            await work(teller)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is owed a last line
            if not isinstance(error, OperatorError):
                _LOG.error("request.failed", exc_info=error)
            teller.failed(error)
        finally:
            queue.put_nowait(None)

    return Answer(200, _lines_of(queue, operator.spawn(tell())), "application/x-ndjson")


async def _lines_of(queue: asyncio.Queue[Line | None], work: asyncio.Task[None]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(_HEARTBEAT_S):
                line = await queue.get()
        except TimeoutError:
            yield b"\n"  # still there: the caller gives up on silence only
            continue
        if line is None:
            break
        yield _encoded(line)
    await work


def _agreed(value: Json) -> AgreedPlan | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("fingerprints"), dict):
        raise UsageError("`expected` needs `plan_id` and `fingerprints`")
    fingerprints = {str(name): str(mark) for name, mark in value["fingerprints"].items()}
    return AgreedPlan(_text(value, "plan_id"), fingerprints)


def _palette(request: Request) -> Palette:
    return COLOUR if request.query.get("colour") == "1" else PLAIN


def _body(request: Request) -> Mapping[str, Json]:
    try:
        found = json.loads(request.body or b"{}")
    except ValueError as error:
        raise UsageError(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError("the body is not a JSON object")
    return found


def _text(wish: Mapping[str, Json], name: str) -> str:
    value = wish.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT:
        raise UsageError(f"`{name}` is a text of 1 to {_LONGEST_TEXT} characters")
    return value


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UsageError("`after` is a sequence number")
    return int(text)


def _encoded(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
