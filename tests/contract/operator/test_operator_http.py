"""The operator's small HTTP server against clients that are slow, large, wrong or gone."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from reconciler.operator import http as http_module
from reconciler.operator.http import Answer, HttpDoor, Request, json_answer

left = asyncio.Event()


async def answer(request: Request) -> Answer:
    if request.path == "/fault":
        raise ZeroDivisionError("a fault")
    if request.path == "/endless":
        return Answer(200, endless())
    return json_answer({"path": request.path, "query": dict(request.query), "length": len(request.body)})


async def endless():
    try:
        yield b"begun\n"
        await asyncio.sleep(1e6)
    finally:
        left.set()


@pytest.fixture
async def door(tmp_path):
    door = HttpDoor(answer)
    await door.open_unix(tmp_path / "run" / "d.sock")
    yield tmp_path / "run" / "d.sock"
    await door.close()


async def exchange(path, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_unix_connection(path)
    whole = b""
    with contextlib.suppress(ConnectionError):  # turned away
        writer.write(request)
        async with asyncio.timeout(20):
            whole = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    head, _, body = whole.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


async def test_path_query_and_body_arrive(door):
    status, body = await exchange(
        door, b"POST /a?b=c%20d&e=f HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert status == 200
    assert json.loads(body) == {"path": "/a", "query": {"b": "c d", "e": "f"}, "length": 3}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"a" * 70_000, 413),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /fault HTTP/1.1\r\nHost: x\r\n\r\n", 500),
    ],
)
async def test_what_is_wrong_gets_its_status(door, request_bytes, status):
    assert (await exchange(door, request_bytes))[0] == status


@pytest.mark.parametrize("target", [b"http://[", b"/?" + b"a=b&" * 30])
async def test_a_target_that_cannot_be_read_is_dropped(door, target, caplog):
    assert (await exchange(door, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 0
    assert (await exchange(door, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 200
    assert not caplog.records


async def test_a_request_that_never_ends_is_dropped(door, monkeypatch):
    monkeypatch.setattr(http_module, "READ_TIMEOUT_S", 0.1)
    assert (await exchange(door, b"GET / HTTP/1.1\r\nHost: x\r\n"))[0] == 0


async def test_too_many_connections_are_turned_away(door, monkeypatch):
    monkeypatch.setattr(http_module, "MOST_CONNECTIONS", 1)
    _reader, writer = await asyncio.open_unix_connection(door)
    await asyncio.sleep(0.05)
    assert (await exchange(door, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 0
    writer.close()
    await writer.wait_closed()


async def test_a_long_answer_ends_when_its_reader_is_gone(door):
    left.clear()
    reader, writer = await asyncio.open_unix_connection(door)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(20):
        while b"begun" not in await reader.read(4096):
            pass
        writer.close()
        await left.wait()
    await writer.wait_closed()


async def test_a_dead_operators_socket_file_is_replaced(tmp_path):
    path = tmp_path / "d.sock"
    first, second = HttpDoor(answer), HttpDoor(answer)
    await first.open_unix(path)
    await second.open_unix(path)
    assert (await exchange(path, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 200
    await first.close()
    await second.close()
    assert not path.exists()
