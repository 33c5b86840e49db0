"""Backoff, figures, virtual time."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest

from reconciler.core.backoff import FAILURES, REPAIRS, REPAIRS_FORGOTTEN_S, Backoff, spread
from reconciler.core.clock import SystemClock, VirtualClock, run_virtual
from reconciler.core.tally import SECONDS_BUCKETS, Histogram


class Middle(Random):
    """Never jitters."""

    def random(self):
        return 0.5


def test_waits_double_up_to_the_limit():
    waits = [Backoff(base_s=1.0, limit_s=10.0).delay_s(count, Middle()) for count in range(1, 7)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_the_first_repairs_are_free():
    assert [REPAIRS.delay_s(count, Middle()) for count in range(1, 8)] == [0, 0, 0, 0, 1.0, 2.0, 4.0]


def test_waits_never_overflow_and_are_forgotten_only_after_the_longest():
    assert FAILURES.delay_s(10**6, Middle()) == FAILURES.limit_s
    assert REPAIRS.limit_s * (1 + REPAIRS.jitter) < REPAIRS_FORGOTTEN_S


def test_jitter_spreads_evenly_around_the_wait():
    random = Random(1)
    waits = [spread(100.0, 0.1, random) for _ in range(2000)]
    assert min(waits) >= 90.0
    assert max(waits) <= 110.0
    assert sum(waits) / len(waits) == pytest.approx(100.0, abs=0.5)


def test_a_histogram_counts_in_the_first_bucket_that_holds_it():
    histogram = Histogram()
    for seconds in (SECONDS_BUCKETS[0], 0.06, 1e9):
        histogram = histogram.with_one(seconds)
    assert histogram.counts[0] == 1
    assert histogram.counts[SECONDS_BUCKETS.index(0.1)] == 1
    assert histogram.counts[-1] == 1
    assert sum(histogram.counts) == 3


def test_virtual_time_passes_without_waiting_and_in_order():
    async def story():
        clock = VirtualClock(epoch=1000.0)
        order = []

        async def one(name, seconds):
            await clock.sleep(seconds)
            order.append((name, clock.now()))

        await asyncio.gather(one("late", 7200), one("early", 60), one("at once", 0))
        return order

    began = time.monotonic()
    assert run_virtual(story()) == [("at once", 1000.0), ("early", 1060.0), ("late", 8200.0)]
    assert time.monotonic() - began < 30


async def test_the_real_clock_is_unix_time():
    clock = SystemClock()
    before = time.time()
    await clock.sleep(0)
    assert before <= clock.now() <= time.time()
