"""Settings: what a change of the declared state is planned as, word by word."""

from dataclasses import replace
from fractions import Fraction

import pytest

from reconciler.core.values import Unknown
from reconciler.resources.settings.plan import applied_settings, plan_settings
from reconciler.resources.settings.state import FIELDS, MAPS, settings_of, value_at
from reconciler.resources.settings.words import wei
from schemas import load
from tests.unit.resources.resources_builders import (
    GIB,
    NOW,
    A,
    B,
    accepted,
    assert_golden,
    settings_seen,
    terms,
    text_of,
    video,
    view,
    wish,
)

DAYDREAM = terms("daydream", A, price=Fraction(800), reserve=1)

CASES = {
    "price up, sessions running": ({}, {"video_wei": Fraction(1400)}, 12),
    "price down to a fraction": ({}, {"video_wei": Fraction(11, 20)}, 1),
    "a first price": ({"video_wei": None}, {}, 0),
    "a gateway's price": (
        {"gateways": (DAYDREAM,)},
        {"gateways": (replace(DAYDREAM, video_wei=Fraction(900)),)},
        0,
    ),
    "a gateway's reservation and price at once": (
        {"gateways": (DAYDREAM,)},
        {"gateways": (replace(DAYDREAM, video_wei=None, reserve=2),)},
        3,
    ),
    "a gateway more": ({}, {"gateways": (DAYDREAM,)}, 0),
    "a gateway less": ({"gateways": (DAYDREAM,)}, {}, 0),
    "fewer sessions than run": ({}, {"video": video(sessions=2)}, 3),
    "a worker more": ({"video": video(workers=1)}, {"video": video(workers=2)}, 0),
    "another preset": ({}, {"preset": "faster"}, 2),
    "drain": ({}, {"admission": "drain"}, 2),
    "closing ends sessions": ({}, {"admission": "closed"}, 2),
    "log level": ({}, {"log": "debug"}, 0),
    "another address": ({}, {"service_uri": "https://new.example.com:8935"}, 1),
    "a body limit": ({}, {"limits": replace(wish().limits, body_bytes=100 * 1024**2)}, 1),
    "what only a new process takes is left to the runtime": ({}, {"node": "fra-2"}, 0),
}


def test_each_change_reads_as_recorded():
    plans = {
        name: plan_settings(wish(**after), settings_seen(wish(**before), sessions=sessions), view())
        for name, (before, after, sessions) in CASES.items()
    }
    assert_golden("settings", plans)


@pytest.mark.parametrize("after", [case[1] for case in CASES.values()], ids=CASES.keys())
def test_once_accepted_nothing_is_left(after):
    plan = plan_settings(wish(**after), settings_seen(wish(**after)), view())
    assert plan.operations == ()
    assert plan.unchanged == len(settings_of(accepted(wish(**after))))


def test_a_common_price_names_those_who_do_not_follow_it():
    gateways = (DAYDREAM, terms("studio", B, price=Fraction(950)), terms("plain", "0x" + "c" * 40))
    (operation,) = plan_settings(
        wish(gateways=gateways, video_wei=Fraction(1400)), settings_seen(wish(gateways=gateways)), view()
    ).operations
    assert operation.notes == (("note", "daydream 800 wei, studio 950 wei: unchanged (negotiated)"),)


def test_without_a_runtime_there_is_nothing_to_set():
    assert plan_settings(wish(), settings_seen(wish(), process=None), view()).operations == ()
    assert plan_settings(wish(), Unknown("silent", NOW), view()).operations == ()


def test_a_value_that_was_applied_and_differs_now_is_drift():
    changed = settings_seen(wish(video_wei=Fraction(1)))
    plan = plan_settings(wish(), changed, view(applied={"runtime.pricing.video": "1200"}))
    (operation,) = plan.operations
    assert operation.origin.value == "drift"
    assert str(operation.cause) == "the runtime holds another value than the files"


def test_a_gateway_that_was_never_declared_is_drift():
    plan = plan_settings(
        wish(), settings_seen(wish(gateways=(DAYDREAM,))), view(applied={"runtime.log": "info"})
    )
    assert [operation.origin.value for operation in plan.operations] == ["drift"]


def test_a_relative_price_says_that_it_follows():
    cheap = terms("daydream", A, price=Fraction(1020))
    dear = terms("daydream", A, price=Fraction(1190))
    plan = plan_settings(
        wish(gateways=(dear,), relative=frozenset({"daydream"})),
        settings_seen(wish(gateways=(cheap,))),
        view(),
    )
    assert "changed, or the common price that it is a share of" in text_of(plan)[0]


def _order(before, after):
    plan = plan_settings(wish(**after), settings_seen(wish(**before)), view())
    return {operation.id: operation.depends_on for operation in plan.operations}


def test_a_limit_rises_before_reservations_grow():
    more = replace(DAYDREAM, reserve=6)
    order = _order({"gateways": (DAYDREAM,)}, {"gateways": (more,), "video": video(sessions=8)})
    assert order["runtime.gateways.daydream"] == ("runtime.sessions",)
    assert order["runtime.sessions"] == ()


def test_a_limit_falls_after_reservations_shrink():
    much = replace(DAYDREAM, reserve=4)
    order = _order({"gateways": (much,)}, {"gateways": (DAYDREAM,), "video": video(sessions=1)})
    assert order["runtime.sessions"] == ("runtime.gateways.daydream",)
    assert order["runtime.gateways.daydream"] == ()


def test_two_gateways_may_swap_their_addresses():
    before = {"gateways": (terms("one", A), terms("two", B))}
    after = {"gateways": (terms("one", B), terms("two", A))}
    order = _order(before, after)
    leave = {"runtime.gateways.one:leave", "runtime.gateways.two:leave"}
    assert order.keys() == leave | {"runtime.gateways.one", "runtime.gateways.two"}
    assert set(order["runtime.gateways.one"]) == leave
    assert all(order[name] == () for name in leave)


def test_every_field_that_a_serving_runtime_takes_is_a_setting():
    """Held against the published schema's impact classes."""

    def taken(schema, path):
        for name, part in schema.get("properties", {}).items():
            if part.get("x-impact") in {"none", "reload"}:
                inside = [*part.get("properties", {})]
                yield from ([(*path, name, each) for each in inside] or [(*path, name)])
            elif "x-impact" not in part:
                yield from taken(part, (*path, name))

    known = set(FIELDS.values()) | set(MAPS.values())
    for path in taken(load("runtime-spec"), ()):
        assert path in known or path[:-1] in known, path


def test_the_applied_values_are_those_of_the_document():
    found = applied_settings(wish(), settings_seen(wish()))
    assert found["runtime.sessions"] == 4
    assert found["runtime.workers.cpu-0"] == {"device": "cpu", "threads": 1, "memoryBytes": 2 * GIB}
    assert value_at(accepted(wish()), ("video", "sessions")) == 4


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("1200", "1200 wei"),
        ("11/20", "0.55 wei"),
        ("1/3", "1/3 wei"),
        ("1/1000", "0.001 wei"),
        (None, "no price"),
    ],
)
def test_prices_are_shown_exactly(price, expected):
    assert wei(price) == expected
