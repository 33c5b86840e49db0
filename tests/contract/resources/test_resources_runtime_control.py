"""One suite for every `RuntimeControl`: the simulation's, and HTTP to a real runtime."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time

import pytest
import pytest_asyncio

from reconciler.serving.control import (
    ControlUnreachable,
    HttpRuntimeControl,
    OlderGeneration,
    SpecRejected,
)
from tests.simulation.node_hands import FakeControl
from tests.simulation.node_world import Grip, NodeWorld, Process
from tests.unit.resources.resources_builders import NOW, accepted, video, wish


def _document(folder):
    """Generation 7 of a runtime without workers, which starts at once."""
    places = {
        "database": str(folder / "money.db"),
        "renditions": str(folder / "renditions"),
        "log_file": str(folder / "runtime.log"),
    }
    return accepted(wish(video=video(sessions=0), **places))


@contextlib.asynccontextmanager
async def _real(folder):
    (folder / "renditions").mkdir(mode=0o700)
    spec = folder / "spec.json"
    spec.write_text(json.dumps(_document(folder)))
    public, control = folder / "p", folder / "c"
    argv = [
        *(sys.executable, "-m", "runtime"),
        *("--spec", spec),
        *("--public", public),
        *("--control", control),
    ]
    with subprocess.Popen(argv) as process:  # noqa: ASYNC220 - ended below, with a limit
        try:
            await _wait_until_healthy(HttpRuntimeControl(control), process)
            yield HttpRuntimeControl(control)
        finally:
            process.terminate()
            process.wait(20)


async def _wait_until_healthy(control, process):
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ControlUnreachable):
            if (await control.health()).ok:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the runtime does not serve")


@contextlib.asynccontextmanager
async def _fake(folder):
    world = NodeWorld(now=lambda: NOW, cache_file=folder / "presets.json")
    world.processes[1] = Process(
        generation=1, mark=None, started_at=NOW - 9, ready_at=NOW - 8, document=_document(folder)
    )
    yield FakeControl(world, Grip(), 1)


@pytest_asyncio.fixture(params=["fake", "real"])
async def control(request, tmp_path):
    async with (_real if request.param == "real" else _fake)(tmp_path) as found:
        yield found


async def test_every_question_is_answered_and_every_document_taken_or_refused_whole(control, tmp_path):
    document = _document(tmp_path)
    assert (await control.health()).ok
    assert await control.spec() == document
    status = await control.status()
    assert (status.generation, status.serving, status.sessions_limit) == (7, True, 0)

    newer = {**document, "generation": 8, "log": "debug"}
    await control.put(newer)
    await control.put(newer)  # taking the same one again changes nothing
    assert await control.spec() == newer
    assert (await control.status()).generation == 8

    with pytest.raises(OlderGeneration):
        await control.put({**document, "log": "error"})
    with pytest.raises(OlderGeneration):
        await control.put({**newer, "log": "error"})
    assert await control.spec() == newer


async def test_a_refusal_says_where_and_why(tmp_path):
    async with _real(tmp_path) as control:
        document = _document(tmp_path)
        with pytest.raises(SpecRejected, match=r"/log: 'loud' is not one of"):
            await control.put({**document, "generation": 8, "log": "loud"})
        with pytest.raises(SpecRejected, match="/node"):
            await control.put({**document, "generation": 8, "node": {"name": "other", "version": "1.0.0"}})
        assert await control.spec() == document


async def test_nobody_at_the_socket_is_said_with_its_path(tmp_path):
    control = HttpRuntimeControl(tmp_path / "nobody.sock")
    with pytest.raises(ControlUnreachable, match=r"nobody\.sock"):
        await control.health()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "ended in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "ended in the middle"),
        (b"GARBAGE\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{", "GET /spec was answered with 200"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "GET /spec was answered with 500"),
        (None, "no answer to GET /spec in 0.2 s"),
    ],
)
async def test_a_broken_answer_is_unreachable_and_says_how(tmp_path, answer, words):
    gone = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await reader.read()  # until the other side has had enough
        writer.write(answer or b"")
        writer.close()
        gone.set()

    socket = tmp_path / "s"
    server = await asyncio.start_unix_server(serve, socket)
    async with server:
        with pytest.raises(ControlUnreachable, match=words):
            await HttpRuntimeControl(socket, timeout_s=0.2 if answer is None else 5).spec()
        await gone.wait()
