"""Capacity, reservations, refreshes: who may have a session."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from server_builders import spec_document

from livepeer.wire import auth
from runtime.control.accepted import Accepted
from runtime.server.admission import Admission, Refused
from runtime.server.capacity import UNKNOWN_ADDRESS, Capacity, fits
from runtime.server.refusals import Refusal
from runtime.server.sessions import SessionFacts, Sessions
from runtime.spec import parse_spec

A, B, C = (bytes([n]) * 20 for n in (1, 2, 3))
NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("sender", "live", "limit", "reserved", "expected"),
    [
        (A, [], 0, {}, False),
        (A, [], 1, {}, True),
        (A, [B], 1, {}, False),
        (A, [], 1, {B: 1}, False),
        (B, [], 1, {B: 1}, True),
        (A, [B], 2, {B: 1}, True),
        (B, [B], 2, {B: 1}, True),
        (B, [B], 2, {B: 1, C: 1}, False),
        (C, [B], 2, {B: 1, C: 1}, True),
        (B, [A, A], 2, {B: 1}, False),
        (A, [A], 4, {B: 2}, True),
        (A, [A, A], 4, {B: 2}, False),
    ],
)
def test_reserved_sessions_are_kept_free(sender, live, limit, reserved, expected):
    assert fits(sender, live, Capacity(limit, reserved)) is expected


def test_strangers_never_take_what_is_reserved_in_any_order():
    capacity = Capacity(3, {B: 1, C: 1})
    for arrivals in itertools.product((A, B, C), repeat=5):
        live = []
        for sender in arrivals:
            if fits(sender, live, capacity):
                live.append(sender)
        assert len(live) <= 3
        assert live.count(A) <= 1
        for gateway in (B, C):
            if gateway not in live:
                assert fits(gateway, live, capacity)


class World:
    def __init__(self, **service):
        self.now = NOW
        self.has_worker = True
        self.remembered = {}
        self.ended = []
        self.accepted = Accepted(parse_spec(spec_document(**service)))
        self.sessions = Sessions(on_end=lambda session, why: self.ended.append((session.facts.id, why)))
        self.admission = Admission(
            accepted=self.accepted,
            sessions=self.sessions,
            has_worker=lambda: self.has_worker,
            recall=self.remembered.get,
            clock=lambda: self.now,
        )

    def facts(self, name, sender=UNKNOWN_ADDRESS, stream=b"s", left_s=auth.LIFETIME_S):
        return SessionFacts(id=name, sender=sender, stream=stream, token_expires_at=self.now + left_s)

    def take(self, **change):
        document = spec_document(**change)
        document["generation"] = self.accepted.spec.generation + 1
        self.accepted.take(document)


async def test_a_new_stream_at_full_capacity_is_refused_before_and_after_discovery():
    world = World(sessions=1)
    world.admission.session(world.facts("one"))
    assert world.admission.refuse_discovery(UNKNOWN_ADDRESS) is Refusal.CAPPED
    assert world.admission.refuse_segment(world.facts("two", stream=b"t")) is Refusal.CAPPED
    with pytest.raises(Refused, match="OrchestratorCapped"):
        world.admission.session(world.facts("two", stream=b"t"))


async def test_the_limit_binds_where_a_session_begins():
    world = World(sessions=1)
    first, second = world.facts("one"), world.facts("two", stream=b"t")
    assert world.admission.refuse_segment(first) is None
    assert world.admission.refuse_segment(second) is None, "both fit until one of them begins"
    world.admission.session(first)
    with pytest.raises(Refused):
        world.admission.session(second)


async def test_a_stream_moves_to_its_refreshed_token_at_full_capacity():
    world = World(sessions=1)
    world.admission.session(world.facts("old", sender=A))
    world.now += auth.LIFETIME_S - auth.REFRESH_BEFORE_S
    assert world.admission.refuse_discovery(A) is None
    assert world.admission.refuse_discovery(B) is Refusal.CAPPED
    new = world.facts("new", sender=A)
    assert world.admission.refuse_segment(new) is None
    world.admission.session(new)
    assert len(world.sessions) == 1, "the slot moved with the stream"
    assert world.admission.refuse_segment(world.facts("old", sender=A)) is None, "what is under way ends well"
    other = world.facts("other", sender=A)
    assert world.admission.refuse_segment(other) is Refusal.CAPPED, "a slot moves once per refresh"


async def test_a_refresh_serves_its_own_stream_only():
    world = World(sessions=1)
    world.admission.session(world.facts("old", sender=A, stream=b"mine", left_s=100))
    assert world.admission.refuse_segment(world.facts("new", sender=A, stream=b"other")) is Refusal.CAPPED
    assert world.admission.refuse_segment(world.facts("new", sender=B, stream=b"mine")) is Refusal.CAPPED


async def test_draining_refuses_new_streams_and_lets_refreshes_through():
    world = World()
    world.admission.session(world.facts("old", left_s=100))
    world.take(admission="drain")
    assert world.admission.refuse_discovery(A) is Refusal.DRAINING
    assert world.admission.refuse_discovery(UNKNOWN_ADDRESS) is None
    assert world.admission.refuse_segment(world.facts("new")) is None
    assert world.admission.refuse_segment(world.facts("new", stream=b"t")) is Refusal.DRAINING


async def test_what_a_predecessor_served_goes_on_at_full_capacity_and_while_draining():
    world = World(sessions=0, admission="drain")
    facts = world.facts("theirs")
    assert world.admission.refuse_segment(facts) is Refusal.DRAINING
    world.remembered["theirs"] = facts
    assert world.admission.refuse_segment(facts) is None
    assert world.admission.session(facts).facts is facts


async def test_closed_refuses_everything():
    world = World()
    world.admission.session(world.facts("one"))
    world.take(admission="closed")
    assert world.admission.refuse_discovery(A) is Refusal.CLOSED
    assert world.admission.refuse_ai() is Refusal.CLOSED
    assert world.admission.refuse_segment(world.facts("one")) is Refusal.CLOSED


async def test_no_worker_means_no_offer():
    world = World()
    world.has_worker = False
    assert world.admission.refuse_discovery(A) is Refusal.NO_WORKER
    assert world.admission.refuse_ai() is None


async def test_a_reservation_is_told_apart_from_a_full_node():
    world = World(sessions=1, gateways={"g": {"address": "0x" + B.hex(), "video": None, "reserve": 1}})
    assert world.admission.refuse_discovery(A) is Refusal.RESERVED
    assert world.admission.refuse_discovery(B) is None


async def test_a_segment_revives_a_session_that_was_about_to_end():
    world = World()
    session = world.admission.session(world.facts("one"))
    async with world.sessions.turn(session, queue=4, idle_s=70):
        world.sessions.end("one")
        world.admission.session(world.facts("one"))
    assert world.ended == []
    world.sessions.end("one")
    assert world.ended == [("one", "ended")]
    await asyncio.sleep(0)
