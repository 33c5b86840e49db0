"""The keyed queue, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.core.clock import run_virtual
from reconciler.core.queue import KeyedQueue


def test_marks_collapse_and_keep_their_reasons():
    async def story():
        queue = KeyedQueue()
        queue.mark("a", "child ended", urgent=True)
        queue.mark("a", "resync", urgent=False)
        queue.mark("a", "resync", urgent=False)
        assert queue.depth == 1
        return await queue.take()

    batch = run_virtual(story())
    assert batch.keys == {"a"}
    assert batch.reasons == ("a: child ended", "a: resync")


def test_a_key_is_never_handed_out_twice_at_once_and_marks_meanwhile_run_once_afterwards():
    async def story():
        queue = KeyedQueue()
        queue.mark("a", "one", urgent=True)
        first = await queue.take()
        queue.mark("a", "two", urgent=True)
        queue.mark("a", "three", urgent=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await queue.take()
        queue.done(first.keys)
        second = await queue.take()
        queue.done(second.keys)
        return second, queue.depth

    second, depth = run_virtual(story())
    assert second.reasons == ("a: three", "a: two")
    assert depth == 0


def test_urgent_keys_go_first_and_the_rest_together():
    async def story():
        queue = KeyedQueue()
        for key in "abc":
            queue.mark(key, "resync", urgent=False)
        queue.mark("b", "child ended", urgent=True)
        return [(await queue.take()).keys, (await queue.take()).keys]

    assert run_virtual(story()) == [{"b"}, {"a", "c"}]


def test_nobody_is_overtaken_for_ever():
    async def story():
        queue = KeyedQueue()
        queue.mark("slow", "resync", urgent=False)
        taken = []
        for _ in range(20):
            queue.mark("busy", "again", urgent=True)
            batch = await queue.take()
            queue.done(batch.keys)
            taken.append(batch.keys)
            await asyncio.sleep(1)
        return taken

    assert {"slow", "busy"} in run_virtual(story())


def test_a_key_put_off_waits_until_its_moment_or_a_sooner_mark():
    async def story():
        loop = asyncio.get_running_loop()
        queue = KeyedQueue()
        queue.mark("a", "backoff", urgent=False, delay_s=50)
        queue.mark("b", "backoff", urgent=False, delay_s=70)
        times = []
        batch = await queue.take()
        queue.done(batch.keys)
        times.append((sorted(batch.keys), loop.time()))
        loop.call_later(5, lambda: queue.mark("b", "something happened", urgent=True))
        batch = await queue.take()
        times.append((sorted(batch.keys), loop.time()))
        return times

    assert run_virtual(story()) == [(["a"], 50.0), (["b"], 55.0)]


def test_a_mark_while_somebody_waits_wakes_him_at_once():
    async def story():
        queue = KeyedQueue()
        waiting = asyncio.ensure_future(queue.take())
        await asyncio.sleep(3)
        queue.mark("a", "now", urgent=False)
        batch = await waiting
        return batch.keys, batch.waited_s, asyncio.get_running_loop().time()

    assert run_virtual(story()) == ({"a"}, 0.0, 3.0)


def test_a_cancelled_wait_loses_no_key():
    async def story():
        queue = KeyedQueue()
        waiting = asyncio.ensure_future(queue.take())
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait({waiting})
        queue.mark("a", "now", urgent=True)
        return (await queue.take()).keys

    assert run_virtual(story()) == {"a"}
