"""Measuring presets: when, when not, and what is kept of it."""

import json

import pytest

from reconciler.children import Child
from reconciler.core.values import Known, Unknown
from reconciler.resources.presets.observe import may_measure
from reconciler.resources.presets.plan import applied_presets, conditions_presets, plan_presets
from reconciler.resources.presets.state import PresetsDesired, PresetsObserved
from reconciler.serving.instances import Instances
from reconciler.serving.presets import read_cache, write_cache
from reconciler.serving.wish import Surroundings
from tests.unit.resources.resources_builders import NOW, assert_golden, measurement, video, view, wish

AUTO = PresetsDesired(wish=wish(preset=None))
FEW = PresetsDesired(wish=wish(preset=None, video=video(sessions=1)))
KEY = AUTO.wish.measurement_key


def seen(cache=None, *, free=True, serving=None):
    around = Surroundings(gpus=(), cache=cache or {})
    return Known(PresetsObserved(surroundings=around, may_measure=free, serving_preset=serving), NOW)


CASES = {
    "never measured": (AUTO, seen()),
    "measured": (AUTO, seen({KEY: measurement()})),
    "measured on another machine": (AUTO, seen({"other": measurement()})),
    "measured for more, and it serves": (FEW, seen({KEY: measurement()}, free=False, serving="fast")),
    "measured for more, and nothing serves": (FEW, seen({KEY: measurement()})),
    "not measured, and it serves": (AUTO, seen(free=False, serving="faster")),
    "declared": (PresetsDesired(wish=wish(preset="slow")), seen()),
}


def test_each_situation_reads_as_recorded():
    plans = {name: plan_presets(wanted, found, view()) for name, (wanted, found) in CASES.items()}
    assert_golden("presets", plans)


def test_nothing_is_measured_while_it_serves():
    assert plan_presets(AUTO, seen(free=False), view()).operations == ()
    assert plan_presets(AUTO, Unknown("x", NOW), view()).operations == ()


def test_conditions_say_what_was_measured_or_that_nothing_was():
    (good,) = conditions_presets(AUTO, seen({KEY: measurement()}), view())
    assert good.status.value == "True"
    assert good.message == "fast holds 4 of 4 sessions wanted; measured: on 2 cores"
    (slow,) = conditions_presets(AUTO, seen({KEY: measurement(ultrafast=3)}), view())
    assert (slow.status.value, slow.reason) == ("False", "TooSlow")
    (few,) = conditions_presets(FEW, seen({KEY: measurement()}), view())
    assert "a slower one may do" in few.message
    (bad,) = conditions_presets(AUTO, seen(free=False, serving="faster"), view())
    assert (bad.status.value, bad.reason) == ("False", "NotMeasured")
    assert bad.message.startswith("faster is kept")
    assert conditions_presets(PresetsDesired(wish=wish(preset="slow")), seen(), view()) == ()


def test_the_applied_value_is_the_key():
    assert applied_presets(AUTO, seen()) == {"presets.measured": KEY}


def child(generation, *, alive=False, ending=""):
    return Child(
        role="runtime",
        generation=generation,
        pid=1,
        start_time=1,
        program="",
        started_at=NOW,
        alive=alive,
        ending=ending,
    )


@pytest.mark.parametrize(
    ("children", "sockets", "free"),
    [
        ((), (), True),
        ((child(1, alive=True),), (1,), False),
        ((child(1, ending="exited 0"),), (), True),
        ((child(1, ending="exited 137"),), (), False),
        ((child(1),), (), True),
        ((child(1),), (1,), False),
        ((child(1, ending="exited 137"), child(2, ending="exited 0")), (), True),
        ((child(1, ending="exited 0"), child(2, ending="killed by SIGKILL")), (), False),
    ],
)
def test_a_crashed_runtime_is_not_kept_waiting_by_a_measurement(children, sockets, free):
    instances = Instances(children=children, routed=(), with_socket=frozenset(sockets))
    assert may_measure(instances) is free


def test_the_cache_survives_being_written_and_read(tmp_path):
    path = tmp_path / "presets.json"
    write_cache(path, {KEY: measurement()})
    assert read_cache(path) == {KEY: measurement()}


def test_the_cache_is_bounded(tmp_path):
    path = tmp_path / "presets.json"
    write_cache(path, {str(number): measurement() for number in range(100)})
    assert len(read_cache(path)) == 16


@pytest.mark.parametrize("content", ["", "{", "[]", '{"measured": 3}', '{"measured": {"k": {"preset": 1}}}'])
def test_a_damaged_cache_is_an_empty_one(tmp_path, content):
    path = tmp_path / "presets.json"
    path.write_text(content)
    assert read_cache(path) == {}
    assert read_cache(tmp_path / "missing.json") == {}


def test_the_cache_is_json_for_people(tmp_path):
    path = tmp_path / "presets.json"
    write_cache(path, {KEY: measurement()})
    assert json.loads(path.read_text())["measured"][KEY]["presets"][1] == {"preset": "fast", "sessions": 4}
