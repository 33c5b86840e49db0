"""Strangers choose names and sizes: what they fill is bounded all the same."""

from __future__ import annotations

import time

import pytest

from runtime.server.sessions import SessionFacts
from runtime.video.room import Room
from runtime.video.storage import KEPT_DIRECTORIES, OwnStore


def test_a_session_may_hold_two_of_the_largest_segments():
    room = Room(1_000)
    with room.held("a", largest=100) as one, room.held("a", largest=100) as two:
        one(100)
        two(100)
        with pytest.raises(OSError, match="hold all the room"):
            one(1)
    with room.held("a", largest=100) as again:
        again(200)


def test_all_sessions_together_hold_no_more_than_the_room():
    room = Room(250)
    with room.held("a", largest=100) as one, room.held("b", largest=100) as two:
        one(200)
        two(50)
        with pytest.raises(OSError, match="hold all the room"):
            two(1)
    with room.held("c", largest=200) as later:
        later(250)


def test_new_names_for_every_segment_do_not_fill_the_store(tmp_path):
    store = OwnStore(tmp_path / "r", clock=time.time)
    store.begin(SessionFacts(id="abc", sender=bytes(20), stream=b"s", token_expires_at=7))
    for number in range(3 * KEPT_DIRECTORIES):
        made = tmp_path / "new"
        made.write_bytes(b"x")
        store.put("abc", f"name-{number}/{number}.ts", made)
    kept = [n for n in range(3 * KEPT_DIRECTORIES) if store.find("abc", f"name-{n}/{n}.ts").exists()]
    assert KEPT_DIRECTORIES - 1 <= len(kept) <= KEPT_DIRECTORIES
    assert kept[-1] == 3 * KEPT_DIRECTORIES - 1
    assert store.recall("abc", idle_s=60) is not None
