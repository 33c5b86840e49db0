"""Files and children are noticed: saves, replacements, links, bursts; ends of processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import pytest

from reconciler.children import Launch, start_child
from reconciler.layout import Layout
from reconciler.operator import watch_files as files_module
from reconciler.operator.account import refusals_of
from reconciler.operator.watch_children import ChildWatch
from reconciler.operator.watch_files import watch_files

PATIENCE_S = 20.0


@contextlib.asynccontextmanager
async def watching(*files: Path):
    seen: asyncio.Queue[frozenset[Path]] = asyncio.Queue()
    task = asyncio.create_task(watch_files(lambda: frozenset(files), seen.put_nowait))
    await asyncio.sleep(0.5)  # until the kernel watches
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def next_of(seen: asyncio.Queue[frozenset[Path]]) -> frozenset[Path]:
    async with asyncio.timeout(PATIENCE_S):
        return await seen.get()


async def test_a_save_in_place_and_by_renaming_is_noticed(tmp_path):
    file, other = tmp_path / "orchestrator.yaml", tmp_path / "unrelated"
    file.write_text("a")
    async with watching(file) as seen:
        file.write_text("b")
        assert await next_of(seen) == {file}
        other.write_text("x")
        new = tmp_path / ".orchestrator.yaml.new"
        new.write_text("c")
        new.replace(file)
        assert await next_of(seen) == {file}


async def test_a_burst_of_saves_is_one_change(tmp_path):
    file = tmp_path / "orchestrator.yaml"
    file.write_text("a")
    async with watching(file) as seen:
        for number in range(10):
            file.write_text(str(number))
        assert await next_of(seen) == {file}
        await asyncio.sleep(0.6)
        assert seen.empty()


async def test_a_file_behind_a_link_is_watched_where_it_lives(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "o.yaml").write_text("a")
    (tmp_path / "node").mkdir()
    link = tmp_path / "node" / "orchestrator.yaml"
    link.symlink_to(tmp_path / "real" / "o.yaml")
    async with watching(link) as seen:
        (tmp_path / "real" / "o.yaml").write_text("b")
        assert await next_of(seen) == {link}


async def test_every_swap_of_a_link_on_the_way_to_a_file_is_noticed(tmp_path, monkeypatch):
    """Releases and mounted configurations are changed so: by one link, again and again."""
    monkeypatch.setattr(files_module, "_LOOK_WHERE_MS", 200)
    current, mounted = tmp_path / "current", tmp_path / "mounted"
    mounted.mkdir()
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "o.yaml").write_text(str(number))
    current.symlink_to("0")
    (mounted / "..data").symlink_to("../0")
    (mounted / "o.yaml").symlink_to("..data/o.yaml")
    for link, file in ((current, current / "o.yaml"), (mounted / "..data", mounted / "o.yaml")):
        async with watching(file) as seen:
            for number in range(1, 4):
                new = link.with_name("new")
                new.symlink_to(link.parent / os.readlink(link) / ".." / str(number))
                new.replace(link)
                assert await next_of(seen) == {file}
                assert file.read_text() == str(number)


async def test_a_directory_that_was_replaced_is_watched(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "_LOOK_WHERE_MS", 200)
    (tmp_path / "beside").write_text("b")
    file = tmp_path / "node" / "o.yaml"
    file.parent.mkdir()
    file.write_text("a")
    async with watching(file, tmp_path / "beside") as seen:
        file.parent.rename(tmp_path / "old")
        file.parent.mkdir()
        file.write_text("b")
        assert file in await next_of(seen)
        await asyncio.sleep(0.5)
        while not seen.empty():
            seen.get_nowait()
        file.write_text("c")
        assert file in await next_of(seen)


async def test_files_that_join_the_declaration_are_watched_from_then_on(tmp_path):
    (tmp_path / "other").mkdir()
    first, second = tmp_path / "a.yaml", tmp_path / "other" / "b.yaml"
    wanted = {first}
    first.write_text("a")
    second.write_text("b")
    seen: asyncio.Queue[frozenset[Path]] = asyncio.Queue()

    def changed(files: frozenset[Path]) -> None:
        wanted.add(second)
        seen.put_nowait(files)

    task = asyncio.create_task(watch_files(lambda: frozenset(wanted), changed))
    await asyncio.sleep(0.5)
    first.write_text("extends b")
    assert await next_of(seen) == {first}
    await asyncio.sleep(0.5)
    second.write_text("c")
    assert await next_of(seen) == {second}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def layout(tmp_path):
    layout = Layout(data=tmp_path / "data", weights=tmp_path)
    layout.data.mkdir(mode=0o700)
    return layout


async def test_the_end_of_a_child_is_told_once_with_how(layout):
    ended: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    watch = ChildWatch(layout, lambda child, how: ended.put_nowait((child.name, how)))
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    launch = Launch(
        node="t",
        role="runtime",
        generation=1,
        program="p",
        argv=(sys.executable, "-S", "-c", "import time; time.sleep(60)"),
        environment={},
    )
    child = await start_child(layout, launch)
    watch.look()
    await asyncio.sleep(0.1)
    os.kill(child.pid, 9)
    async with asyncio.timeout(PATIENCE_S):
        assert await ended.get() == ("runtime-1", "killed by SIGKILL")
    watch.look()
    await asyncio.sleep(0.1)
    assert ended.empty()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_refusals_of_another_version_are_read_as_far_as_understood():
    account = {
        "refusals": [
            {"reason": "B", "gateway": None, "count": 1, "last_at": 5},
            {"reason": "A", "gateway": "0xaa", "count": 9, "last_at": 7.5, "new": True},
            {"reason": 7},
            "nonsense",
        ]
    }
    assert [(each.reason, each.gateway, each.count) for each in refusals_of(account)] == [
        ("A", "0xaa", 9),
        ("B", "", 1),
    ]
    assert refusals_of({"refusals": 3}) == ()
    assert refusals_of(None) == ()
