"""The runtime's document: read, refused, compared by impact, taken."""

from __future__ import annotations

import copy
from fractions import Fraction

import pytest
from server_builders import spec_document

import schemas
from runtime.control.accepted import Accepted, OlderGeneration
from runtime.spec import SpecRefused, changes_that_need_a_new_process, digest_of, parse_spec


def test_a_document_becomes_values():
    gateways = {"g": {"address": "0x" + "0a" * 20, "video": "800", "reserve": 2}}
    spec = parse_spec(spec_document(gateways=gateways))
    assert (spec.node, spec.version, spec.sessions, spec.preset) == ("n", "0.9.1", 10, "medium")
    assert spec.price == Fraction(11, 20)
    assert spec.gateways[0].address == b"\x0a" * 20
    assert (spec.gateways[0].price, spec.reserved) == (800, {b"\x0a" * 20: 2})
    assert spec.workers["cpu-0"].device == "cpu"
    assert spec.limits.session_idle_s == 70


@pytest.mark.parametrize("document", [None, [], "x", 1, {}, {"format": 2}])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(SpecRefused) as refused:
        parse_spec(document)
    assert refused.value.reasons


def test_all_reasons_come_at_once_with_their_paths():
    document = spec_document()
    document["video"]["sessions"] = -1
    document["log"] = "loud"
    document["video"]["workers"]["cpu-0"]["threads"] = "many"
    with pytest.raises(SpecRefused) as refused:
        parse_spec(document)
    paths = {reason.path for reason in refused.value.reasons}
    assert paths == {"/video/sessions", "/log", "/video/workers/cpu-0/threads"}


def test_one_address_has_one_name():
    gateway = {"address": "0x" + "0a" * 20, "video": None, "reserve": 0}
    with pytest.raises(SpecRefused, match="gateway a too"):
        parse_spec(spec_document(gateways={"a": gateway, "b": gateway}))


def test_equal_documents_have_equal_digests_whatever_their_order():
    document = spec_document()
    assert digest_of(document) == digest_of(dict(reversed(list(document.items()))))
    assert digest_of(document) != digest_of(spec_document(sessions=11))


def fields(schema, path=()):
    for name, part in schema["properties"].items():
        if "x-impact" in part:
            yield (*path, name), part["x-impact"]
        elif "properties" in part:
            yield from fields(part, (*path, name))


FIELDS = dict(fields(schemas.load("runtime-spec")))


def test_every_field_declares_its_impact():
    assert set(FIELDS.values()) == {"none", "replace"}
    assert len(FIELDS) >= 11


@pytest.mark.parametrize("path", FIELDS, ids="/".join)
def test_only_fields_of_impact_replace_need_a_new_process(path):
    old, new = spec_document(), spec_document()
    target = new
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = {"changed": True}
    reasons = changes_that_need_a_new_process(old, new)
    expected = ["/" + "/".join(path)] if FIELDS[path] == "replace" else []
    assert [reason.path for reason in reasons] == expected


def newer(document, **change):
    new = copy.deepcopy(document)
    new.update(change)
    new["generation"] += 1
    return new


def test_a_newer_document_is_taken_and_told_to_listeners():
    accepted, heard = Accepted(parse_spec(spec_document())), []
    accepted.on_change(lambda old, new: heard.append((old.generation, new.generation)))
    taken = accepted.take(newer(spec_document(), log="debug"))
    assert accepted.spec is taken
    assert (taken.log_level, heard) == ("debug", [(1, 2)])


def test_the_same_document_again_changes_nothing():
    accepted, heard = Accepted(parse_spec(spec_document())), []
    accepted.on_change(lambda old, new: heard.append(new))
    assert accepted.take(spec_document()) is accepted.spec
    assert heard == []


def test_an_older_document_and_another_one_of_the_same_generation_are_refused():
    accepted = Accepted(parse_spec(newer(spec_document())))
    for document in (spec_document(), newer(spec_document(), log="debug")):
        with pytest.raises(OlderGeneration):
            accepted.take(document)
    assert accepted.spec.log_level == "info"


def test_a_refused_document_leaves_the_accepted_one():
    accepted = Accepted(parse_spec(spec_document()))
    changed = newer(spec_document(), log="debug")
    changed["paths"]["log"] = "/elsewhere"
    with pytest.raises(SpecRefused):
        accepted.take(changed)
    assert (accepted.spec.generation, accepted.spec.log_level) == (1, "info")
