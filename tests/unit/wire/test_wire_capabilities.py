"""Bit strings, versions and the compatibility test, with the network's own examples."""

from __future__ import annotations

import pytest

from livepeer.wire import capabilities as caps
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.capabilities import Capabilities, Capability, ModelConstraint, is_compatible

SOFTWARE_TRANSCODER = (caps.DEFAULT | caps.OPTIONAL) - {15, 16, 18}


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (caps.DEFAULT, [67133439]),
        (caps.LEGACY, [4095]),
        (caps.DEFAULT | {35}, [34426871807]),
        (SOFTWARE_TRANSCODER, [94487339007]),
        ({0, 1, 12}, [4099]),
        ({0, 1, 9, 11, 12}, [6659]),
        ({0, 1, 12, 14}, [20483]),
        ({0, 1, 12, 26}, [67112963]),
        ({64}, [0, 1]),
        (set(), []),
    ],
)
def test_capabilities_make_the_known_bit_strings(numbers: set[int], words: list[int]) -> None:
    assert caps.to_bits(numbers) == tuple(words)
    assert caps.from_bits(words) == numbers


def test_the_default_set_is_the_known_number() -> None:
    assert caps.to_bits(caps.DEFAULT) == (0x4005FFF,)


@pytest.mark.parametrize(
    ("wanted", "offered", "mandatories", "fits"),
    [
        ([], [], [], True),
        ([2], [], [], False),
        ([2], [4], [], False),
        ([2], [6], [], True),
        ([2], [14], [8], False),
        ([8], [14], [8], True),
        ([10], [14], [8], True),
        ([4099], [67133439], [], True),
        ([4099, 0], [67133439], [], False),
        ([20483], [67133439], [], True),
        ([32768], [67133439], [], False),
    ],
)
def test_compatibility(wanted: list[int], offered: list[int], mandatories: list[int], fits: bool) -> None:
    node = Capabilities(bitstring=tuple(offered), mandatories=tuple(mandatories))
    assert is_compatible(Capabilities(bitstring=tuple(wanted)), node) is fits


@pytest.mark.parametrize(
    ("minimum", "version", "enough"),
    [
        ("0.4.1", "0.4.1-b3278dce-dirty", True),
        ("0.4.2", "0.4.1", False),
        ("", "anything", True),
        ("0.4.0", "undefined", False),
        ("0.4.0", "", False),
        ("junk", "0.4.1", True),
        ("0.4.1", "junk", False),
        ("0.9.1", "0.10.0", True),
        ("0.9.1-rc2", "0.9.1", True),
    ],
)
def test_the_version_rule(minimum: str, version: str, enough: bool) -> None:
    assert caps.is_version_enough(minimum, version) is enough
    assert is_compatible(Capabilities(min_version=minimum), Capabilities(version=version)) is enough


def test_a_node_that_offers_nothing_does_what_the_legacy_set_covers() -> None:
    assert is_compatible(Capabilities(bitstring=caps.to_bits({0, 1, 11})), None)
    assert not is_compatible(Capabilities(bitstring=caps.to_bits({0, 1, 12})), None)


def _models(**models: ModelConstraint) -> Capabilities:
    return Capabilities(models={27: models})


@pytest.mark.parametrize(
    ("wanted", "offered", "fits"),
    [
        (_models(a=ModelConstraint()), _models(a=ModelConstraint(warm=True)), True),
        (_models(a=ModelConstraint(warm=True)), _models(a=ModelConstraint()), False),
        (_models(b=ModelConstraint()), _models(a=ModelConstraint()), False),
        (_models(a=ModelConstraint()), Capabilities(), True),
        (
            _models(a=ModelConstraint(runner_version="0.2")),
            _models(a=ModelConstraint(runner_version="0.3.1")),
            True,
        ),
        (
            _models(a=ModelConstraint(runner_version="0.4")),
            _models(a=ModelConstraint(runner_version="0.3.1")),
            False,
        ),
    ],
)
def test_models_are_compared_where_the_node_lists_the_capability(
    wanted: Capabilities, offered: Capabilities, fits: bool
) -> None:
    assert is_compatible(wanted, offered) is fits


def test_the_wire_form_is_the_known_one() -> None:
    message = pb.Capabilities(bitstring=[4099], capacities={0: 1})
    assert message.SerializeToString().hex() == "0a0283201a0408001001"
    assert caps.from_wire(message) == Capabilities(bitstring=(4099,), capacities={0: 1})


def test_constraints_are_sent_even_when_empty() -> None:
    assert caps.to_wire(Capabilities()).HasField("constraints")


def test_every_capability_has_a_name_and_13_is_gone() -> None:
    assert set(caps.NAMES) == set(Capability)
    assert {int(capability) for capability in Capability} == set(range(38)) - {13}
    assert len(set(caps.NAMES.values())) == len(caps.NAMES)
    assert Capability.H264_CONSTRAINED_HIGH.shown == "H264 Constrained, Contained High profile"


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("live-video-to-video", Capability.LIVE_VIDEO_TO_VIDEO),
        ("text-to-image", Capability.TEXT_TO_IMAGE),
        ("llm", Capability.LLM),
        ("segment-anything-2", Capability.SEGMENT_ANYTHING_2),
        ("no-such-thing", None),
        ("", None),
    ],
)
def test_pipelines_are_found_by_name(name: str, capability: Capability | None) -> None:
    assert caps.of_pipeline(name) is capability
