"""Laws of the settings: whatever changes to whatever, the way is safe and ends where it was declared."""

import asyncio
import itertools
import random
from dataclasses import replace
from fractions import Fraction

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.values import Known
from reconciler.resources.settings.act import SettingsActor
from reconciler.resources.settings.plan import plan_settings
from reconciler.resources.settings.state import SettingsObserved
from reconciler.serving.control import Health, OlderGeneration
from reconciler.serving.instances import Instances
from reconciler.serving.status import RuntimeStatus
from schemas import load
from tests.unit.resources.resources_builders import NOTHING_AROUND, NOW, accepted, terms, video, view, wish

_SCHEMA = jsonschema.Draft202012Validator(load("runtime-spec"))
_ADDRESSES = ["0x" + digit * 40 for digit in "abcd"]
_prices = st.one_of(st.none(), st.fractions(min_value=0, max_value=10_000, max_denominator=1000))


@st.composite
def wishes(draw):
    names = draw(st.lists(st.sampled_from(["daydream", "studio", "third", "fourth"]), unique=True))
    addresses = draw(st.permutations(_ADDRESSES))
    sessions = draw(st.integers(1, 12))
    left = sessions
    gateways = []
    for name, address in zip(sorted(names), addresses, strict=False):
        reserve = draw(st.integers(0, left))
        left -= reserve
        gateways.append(terms(name, address, price=draw(_prices), reserve=reserve))
    return wish(
        video=video(sessions=sessions, workers=draw(st.integers(1, 4))),
        video_wei=draw(_prices),
        gateways=tuple(gateways),
        preset=draw(st.sampled_from(["ultrafast", "veryfast", "slow"])),
        admission=draw(st.sampled_from(["open", "drain", "closed"])),
        log=draw(st.sampled_from(["debug", "info"])),
        service_uri=draw(st.sampled_from(["https://a.example.com:8935", "https://b.example.com:1"])),
        limits=replace(wish().limits, queue=draw(st.integers(0, 9)), drain_s=draw(st.integers(1, 600))),
    )


class StrictRuntime:
    """Takes only documents that are valid, name no address twice and reserve no more than there is."""

    def __init__(self, document):
        self.document = document
        self.taken = 0

    async def health(self):
        return Health(ok=True)

    async def spec(self):
        return self.document

    async def status(self):
        return RuntimeStatus(serving=True)

    async def put(self, document):
        if document["generation"] <= self.document["generation"]:
            raise OlderGeneration
        _SCHEMA.validate(document)
        gateways = document["gateways"].values()
        addresses = [each["address"] for each in gateways]
        assert len(set(addresses)) == len(addresses)
        assert sum(each["reserve"] for each in gateways) <= document["video"]["sessions"]
        self.document, self.taken = document, self.taken + 1


class World:
    def __init__(self, runtime):
        self.runtime = runtime

    def now(self):
        return NOW

    def instances(self):
        return Instances(children=(_Alive(),), routed=(1,))

    def control(self, generation):
        return self.runtime

    async def surroundings(self):
        return NOTHING_AROUND


class _Alive:
    generation, alive = 1, True


def _seen(runtime):
    observed = SettingsObserved(
        process=1, document=runtime.document, status=RuntimeStatus(), surroundings=NOTHING_AROUND
    )
    return Known(observed, NOW)


def _any_order(operations, seed):
    """One of the orders that the dependencies allow."""
    chance, left, done = random.Random(seed), list(operations), set()
    names = {operation.id for operation in operations}
    while left:
        ready = [each for each in left if set(each.depends_on) & names <= done]
        assert ready, "a cycle"
        operation = chance.choice(ready)
        left.remove(operation)
        done.add(operation.id)
        yield operation


@given(before=wishes(), after=wishes(), seed=st.integers())
def test_every_way_from_one_declaration_to_another_is_taken_and_ends_there(before, after, seed):
    runtime = StrictRuntime(accepted(before, generation=1))
    actor = SettingsActor(World(runtime))

    async def walk():
        for operation in _any_order(plan_settings(after, _seen(runtime), view()).operations, seed):
            assert await actor.holds(operation)
            await actor.act(operation, lambda _text: None)
            assert not await actor.holds(operation) or operation.change.before == operation.change.after

    asyncio.run(walk())
    assert plan_settings(after, _seen(runtime), view()).operations == ()
    assert {**runtime.document, "generation": 0} == accepted(after, generation=0)


@given(before=wishes(), after=wishes())
def test_equal_looks_give_equal_plans(before, after):
    first = plan_settings(after, _seen(StrictRuntime(accepted(before))), view())
    assert first == plan_settings(after, _seen(StrictRuntime(accepted(before))), view())


@given(before=wishes(), after=wishes())
def test_every_operation_has_words_and_may_be_taken_back(before, after):
    runtime = _seen(StrictRuntime(accepted(before)))
    for operation in plan_settings(after, runtime, view()).operations:
        assert operation.change.shown
        assert str(operation.cause)
        assert operation.reversible
        assert operation.target.startswith("runtime.")


@given(wanted=wishes())
def test_doing_it_again_changes_nothing(wanted):
    runtime = StrictRuntime(accepted(wish(), generation=1))
    actor = SettingsActor(World(runtime))

    async def twice():
        operations = list(_any_order(plan_settings(wanted, _seen(runtime), view()).operations, 1))
        for operation in operations:
            await actor.act(operation, lambda _text: None)
        taken = runtime.taken
        for operation in itertools.islice((o for o in operations if o.id == o.target), 3):
            await actor.act(operation, lambda _text: None)
        assert runtime.taken == taken

    asyncio.run(twice())


def test_a_share_is_exact():
    assert accepted(wish(video_wei=Fraction(11, 20)))["pricing"] == {"video": "11/20"}
