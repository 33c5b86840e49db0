"""Laws of the declared state: merging groups freely, units round-trip, order and layout do not matter."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.values import Severity, Source
from reconciler.spec.json_reader import read_json
from reconciler.spec.load import check, examine, load
from reconciler.spec.overlay import merge, merge_all, settle
from reconciler.spec.prices import Currency, Price
from reconciler.spec.tree import Entry, Mapped, Scalar, Sequence, plain
from reconciler.spec.units import (
    read_duration,
    read_percent,
    read_price,
    read_size,
    read_wei,
    render_duration,
    render_percent,
    render_price,
    render_size,
    render_wei,
)
from reconciler.spec.yaml_reader import read_yaml

SOURCE = Source("x", 1)
KEYS = st.sampled_from(["a", "b", "name", "list"])
LEAVES = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["x", "y"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.dictionaries(KEYS, inner, max_size=3)
        | st.lists(inner, max_size=2)
        | st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("xyz"), "a": inner}),
            max_size=3,
            unique_by=lambda item: item["name"],
        )
    ),
    max_leaves=12,
)
LAYERS = st.dictionaries(KEYS, VALUES, max_size=4)


def tree(value):
    match value:
        case dict():
            entries = {
                key: Entry(Scalar(key, key, SOURCE, SOURCE), tree(item)) for key, item in value.items()
            }
            return Mapped(entries, SOURCE)
        case list():
            return Sequence(tuple(tree(item) for item in value), SOURCE)
        case _:
            return Scalar(value, str(value), SOURCE, SOURCE)


def settled(node):
    return plain(settle(node))


@given(LAYERS, LAYERS, LAYERS)
def test_grouping_layers_never_matters(one, two, three):
    a, b, c = tree(one), tree(two), tree(three)
    assert settled(merge(merge(a, b), c)) == settled(merge(a, merge(b, c)))


@given(LAYERS)
def test_a_layer_over_itself_or_over_nothing_changes_nothing(layer):
    node = tree(layer)
    assert settled(merge(node, node)) == settled(node)
    assert merge(None, node) == merge(node, None) == node
    assert settled(merge(tree({}), node)) == settled(node)


@given(LAYERS, LAYERS)
def test_the_later_layer_wins_and_null_removes(under, over):
    merged = settled(merge_all([tree(under), tree(over)]))
    for key, value in over.items():
        if value is None:
            assert key not in merged
        elif not isinstance(value, dict | list):
            assert merged[key] == value
    for key in set(under) - set(over):
        assert merged.get(key) == settled(tree(under)).get(key)


@given(st.fractions(0, 10**30))
def test_prices_in_wei_round_trip(amount):
    text = render_price(Price(amount, Currency.WEI))
    if len(text) < 40:
        assert read_price(text) == Price(amount, Currency.WEI)


@given(st.integers(0, 10**18))
def test_prices_in_dollars_round_trip(millionths):
    price = Price(Fraction(millionths, 10**18), Currency.USD)
    assert read_price(render_price(price)) == price


@given(st.integers(0, 10**30))
def test_amounts_of_ether_round_trip(amount):
    assert read_wei(render_wei(amount)) == amount


@given(st.integers(0, 2**60))
def test_sizes_round_trip(amount):
    assert read_size(render_size(amount)) == amount


@given(st.integers(-(10**9), 10**9))
def test_percentages_round_trip(millionths):
    value = Fraction(millionths, 10**8)
    assert read_percent(render_percent(value)) == value
    assert read_percent(render_percent(value, signed=True)) == value


@given(st.integers(0, 10**15))
def test_durations_round_trip(nanoseconds):
    value = Fraction(nanoseconds, 10**9)
    assert read_duration(render_duration(value)) == value


@given(st.text(max_size=80))
def test_any_text_is_read_or_explained(text):
    document, found = read_yaml(text, "x.yaml")
    assert all(one.source.line <= text.count("\n") + 2 for one in found)
    if document.root is None and not found:
        assert yaml.compose(text, Loader=yaml.CSafeLoader) is None
    document, found = read_json(text, "x.json")
    assert (document.root is None) == any(one.severity is Severity.ERROR for one in found)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab ", max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_json_reads_what_json_writes(value):
    document, found = read_json(json.dumps(value), "x.json")
    assert not found
    assert plain(document.root) == value


NODE = {
    "name": "a",
    "service": {"uri": "https://a.example:8935", "admission": "drain", "limits": {"queue": 3}},
    "gpus": {"x": {"uuid": "GPU-1234", "video": True}, "y": {"uuid": "GPU-5678", "ai": True}},
    "video": {"preset": "fast", "sessions": 4},
    "pricing": {"video": "1200 wei"},
    "gateways": {
        "p": {"address": "0x" + "a" * 40, "video": "-15%"},
        "q": {"address": "0x" + "b" * 40, "reserve": {"video": 2}},
    },
}


def shuffled(value, order):
    if not isinstance(value, dict):
        return value
    keys = list(value)
    order.shuffle(keys)
    return {key: shuffled(value[key], order) for key in keys}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("declared")


def loaded(directory: Path, value, name="node.yaml"):
    path = directory / name
    path.write_text(yaml.safe_dump(value, sort_keys=False), "utf-8")
    return load([path])


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_keys_does_not_matter(directory, order: random.Random):
    one, other = loaded(directory, NODE), loaded(directory, shuffled(NODE, order))
    assert one.revision == other.revision
    assert one.service == other.service
    assert set(one.gateways) == set(other.gateways)
    assert set(one.gpus.devices) == set(other.gpus.devices)


@given(st.sets(st.sampled_from(sorted(NODE))))
@settings(max_examples=20)
def test_how_content_is_spread_over_files_does_not_matter(directory, moved):
    base = directory / "base.yaml"
    base.write_text(yaml.safe_dump({"log": "info", **{key: NODE[key] for key in moved}}), "utf-8")
    rest = {"extends": "base.yaml", **{key: value for key, value in NODE.items() if key not in moved}}
    assert (
        loaded(directory, rest, "spread.yaml").revision == loaded(directory, {"log": "info", **NODE}).revision
    )


@given(st.randoms(use_true_random=False))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_to_a_declaration_ends_the_check(directory, chance: random.Random):
    path = directory / "damaged.yaml"
    path.write_text(yaml.safe_dump(damaged(NODE, chance), sort_keys=False), "utf-8")
    declaration, found = check([path])
    assert (declaration is None) == any(one.severity is Severity.ERROR for one in found)
    again = examine([path])
    assert again.diagnostics == found
    assert len(found) == len(set(found))
    assert all(one.summary and one.detail.startswith("rule: ") for one in found)


def damaged(value, chance: random.Random):
    """The value with some parts replaced, renamed or removed."""
    if chance.random() < 0.12:
        return chance.choice(
            [None, 5, -1, "", "x", [], {}, [1], {"a": {}}, True, Decimal(1).to_eng_string(), 1.5]
        )
    if not isinstance(value, dict):
        return value
    out = {}
    for key, item in value.items():
        roll = chance.random()
        if roll > 0.05:
            out[key if roll > 0.1 else f"{key}x"] = damaged(item, chance)
    return out
