"""The published schemas explain every key, agree with the units that are read, and hold valid examples."""

from __future__ import annotations

import re

import pytest
from jsonschema import Draft202012Validator

import schemas
from reconciler.spec.hints import is_read
from reconciler.spec.vocabulary import MODELS, ORCHESTRATOR, resolved, schema_at

EXPLAINED_BY_WHAT_IS_BELOW = "object"


def keys_of(name):
    """(dotted name, resolved schema) of every key, through references."""
    root = schemas.load(name)

    def below(schema, path):
        schema = resolved(schema, root)
        for key, child in schema.get("properties", {}).items():
            yield f"{path}{key}", resolved(child, root)
            yield from below(child, f"{path}{key}.")
        for word in ("additionalProperties", "items"):
            if isinstance(schema.get(word), dict):
                yield from below(schema[word], f"{path}*.")

    return list(below(root, ""))


KEYS = [(name, path, schema) for name in (ORCHESTRATOR, MODELS) for path, schema in keys_of(name)]


@pytest.mark.parametrize("name", [ORCHESTRATOR, MODELS])
def test_the_schemas_are_valid_json_schema(name):
    Draft202012Validator.check_schema(schemas.load(name))


def test_the_vocabulary_has_not_shrunk():
    assert len(KEYS) > 120


@pytest.mark.parametrize(("name", "path", "schema"), KEYS, ids=[f"{row[0]}:{row[1]}" for row in KEYS])
def test_every_key_is_explained_to_an_editor(name, path, schema):
    assert schema.get("title"), path
    assert schema.get("description"), path
    if schema.get("type") != EXPLAINED_BY_WHAT_IS_BELOW:
        assert {"default", "examples", "enum", "const"} & set(schema), path


def examples():
    for name, path, schema in KEYS:
        validator = Draft202012Validator({**schema, "$defs": schemas.load(name).get("$defs", {})})
        shown = schema.get("examples", []) + ([schema["default"]] if "default" in schema else [])
        for value in shown:
            yield pytest.param(validator, schema, value, id=f"{path}={value}")


@pytest.mark.parametrize(("validator", "schema", "value"), list(examples()))
def test_every_example_and_default_is_valid_and_readable(validator, schema, value):
    validator.validate(value)
    if isinstance(value, str) and "x-unit" in schema:
        assert is_read(schema["x-unit"], value)


PATTERNED = {
    "price": ["1200 wei", "1200wei", "0.5 gwei / 1e6 pixels", "1 USD / pixel", "1e12 wei", "0 ETH"],
    "priceOrPercent": ["800 wei", "-15%", "+2.5 %"],
    "aiPrice": ["0.18 USD / 1e6 tokens", "4 wei", "-15%"],
    "wei": ["0.3 ETH", "8 gwei"],
    "lpt": ["15000 LPT", "0.5LPT"],
    "percent": ["0%", "100%", "2.5 %", "99.999%"],
    "duration": ["48h", "1h30m", "2.5s", "250ms", "1d2h3m4s5ms"],
    "size": ["4 GiB", "300MB", "0 B"],
    "vram": ["auto", "4 GiB"],
}
REFUSED = {
    "price": ["1200", "wei", "-1 wei", "1,2 wei", "1 wei / 2 tokens", "1 EUR", "1e100 wei"],
    "priceOrPercent": ["15%", "-15", "--1%"],
    "aiPrice": ["4", "1 wei / 3 frames"],
    "wei": ["1 USD", "1"],
    "lpt": ["1 ETH", "-1 LPT"],
    "percent": ["101%", "-1%", "10", "100.1%"],
    "duration": ["", "30", "1 h", "m", "30m1h"],
    "size": ["4", "4 gib", "GiB"],
    "vram": ["none"],
}


@pytest.mark.parametrize(
    ("name", "text", "is_taken"),
    [(name, text, True) for name, texts in PATTERNED.items() for text in texts]
    + [(name, text, False) for name, texts in REFUSED.items() for text in texts],
)
def test_what_an_editor_accepts_is_what_is_read(name, text, is_taken):
    schema = schemas.load(ORCHESTRATOR)["$defs"][name]
    assert bool(re.search(schema["pattern"], text)) is is_taken
    if name != "percent" or is_taken:
        assert is_read(schema["x-unit"], text) is is_taken


def test_secrets_are_marked_wherever_they_stand():
    for path in (
        ("service", "tls", "key"),
        ("runner", "env", "ANY"),
        ("workers", "secrets", 0),
        ("joins", "secret"),
        ("chain", "rpc", 1),
        ("chain", "keys", "node", "password"),
        ("notify", "to", 0),
        ("notify", "heartbeat"),
        ("source", "git", "url"),
    ):
        assert schema_at(ORCHESTRATOR, path)["x-secret"], path
    assert schema_at(MODELS, (0, "token"))["x-secret"]
    assert schema_at(ORCHESTRATOR, ("nowhere",)) is None
