"""YAML and JSON become trees with places, strictly and within bounds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconciler.spec.json_reader import read_json
from reconciler.spec.tree import find, key_at, plain
from reconciler.spec.yaml_reader import MOST_DEPTH, MOST_NODES, read_yaml


def yaml_value(text):
    document, found = read_yaml(text, "x.yaml")
    assert not found, found
    return plain(document.root)


def yaml_findings(text):
    return [(str(one.source), one.source.column, one.summary) for one in read_yaml(text, "x.yaml")[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("0xaaaa", "0xaaaa"),
        ("0o17", "0o17"),
        ("0123", "0123"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("12", 12),
        ("-3", -3),
        ("1.50", Decimal("1.50")),
        ("1e3", Decimal(1000)),
        (".5", Decimal("0.5")),
        ("1e9999", "1e9999"),
        ("'12'", "12"),
        ("~", None),
        ("", None),
        ("=", "="),
        ("-", [None]),
        ("-15%", "-15%"),
        (".", "."),
    ],
)
def test_plain_words_mean_what_they_say(text, value):
    assert yaml_value(f"a: {text}" if text != "-" else "a:\n  -") == {"a": value}


def test_truth_words_stay_words_as_keys():
    assert yaml_value("on: 1\nno: 2\ntrue: 3\n") == {"on": 1, "no": 2, "true": 3}


def test_every_value_keeps_its_place():
    root = read_yaml("a:\n  b: [1, {c: text}]\n", "x.yaml")[0].root
    assert root is not None
    place = find(root, ("a", "b", 1, "c"))
    assert (place.source.line, place.source.column, place.end.column) == (2, 14, 18)
    assert key_at(root, ("a", "b")).source.column == 3
    assert key_at(root, ("a", "b", 1)) is None


def test_columns_count_characters_not_bytes():
    root = read_yaml("ä: {ö: x}\n", "x.yaml")[0].root
    assert find(root, ("ä", "ö")).source.column == 8


def test_anchors_and_merge_keys_work():
    assert yaml_value("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\n")["d"] == {"b": 3, "c": 2}


def test_duplicate_keys_are_all_told_with_their_places():
    assert yaml_findings("a: 1\nb: {c: 1, c: 2}\na: 2\n") == [
        ("x.yaml:2", 11, "duplicate key 'c'"),
        ("x.yaml:3", 1, "duplicate key 'a'"),
    ]


def test_explicit_types_are_refused():
    assert yaml_findings("a: !!python/object:os.system x\n") == [
        ("x.yaml:1", 4, "tag 'tag:yaml.org,2002:python/object:os.system'")
    ]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: [1,\n", 2, "not YAML"),
        ("a:\n\tb: 1\n", 2, "not YAML"),
        ("a: b: c\n", 1, "mapping values"),
        ("a: *nowhere\n", 1, "alias of 'nowhere'"),
        ("a: &x [*x]\n", 1, "alias of 'x'"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: b\x00c\n", 1, "character"),
        ("? [x]\n: 1\n", 1, "as a key"),
        ("a: " + "[" * 100 + "]" * 100, 1, "nested too deeply"),
        ("a: 'open\n", 2, "not YAML"),
    ],
)
def test_what_is_not_sane_yaml_ends_the_file_with_one_finding(text, line, part):
    document, found = read_yaml(text, "x.yaml")
    assert document.root is None
    assert len(found) == 1
    assert part in found[0].summary
    assert found[0].source.line == line


def test_aliases_of_aliases_do_not_explode():
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert "too many values" in read_yaml(bomb, "x.yaml")[1][0].summary
    assert MOST_NODES < 10**6


def test_aliases_do_not_nest_beyond_the_depth_limit():
    ladder = f"a0: &a0 {'[' * 40}{']' * 40}\na1: &a1 {'[' * 20}*a0{']' * 20}\na2: {'[' * 20}*a1{']' * 20}\n"
    assert "nested too deeply" in read_yaml(ladder, "x.yaml")[1][0].summary
    assert MOST_DEPTH < 100


def test_json_keeps_places_and_exact_numbers():
    document, found = read_json(
        '[\n {"price": 0.18, "n": 3, "t": "é\\u00e9", "b": true, "z": null}\n]', "m.json"
    )
    assert not found
    assert plain(document.root) == [{"price": Decimal("0.18"), "n": 3, "t": "éé", "b": True, "z": None}]
    place = find(document.root, (0, "n")).source
    assert (place.line, place.column) == (2, 23)


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("[1,]", 1, 3, "a comma after"),
        ("{a: 1}", 1, 2, "without quotes"),
        ("[1 2]", 1, 4, "no comma"),
        ("// no\n[]", 1, 1, "unexpected"),
        ("[01]", 1, 2, "unexpected"),
        ("[1e999]", 1, 2, "unexpected"),
        ('["open', 1, 2, "does not end"),
        ("[secretword]", 1, 2, "a word without quotes"),
        ("[\n", 2, 1, "ends too early"),
        ("[1] x", 1, 5, "after the end"),
        ('["\\ud800"]', 1, 2, "surrogate"),
        ("[" * 100, 1, 66, "nested"),
        ('{"a" 1}', 1, 6, "no colon"),
    ],
)
def test_what_is_not_json_says_where_and_what(text, line, column, part):
    document, found = read_json(text, "m.json")
    assert document.root is None
    assert part in found[0].summary
    assert (found[0].source.line, found[0].source.column) == (line, column)
    assert "secretword" not in str(found)


def test_duplicate_keys_in_json_are_errors():
    assert read_json('{"a": 1, "a": 2}', "m.json")[1][0].summary == "duplicate key 'a'"
