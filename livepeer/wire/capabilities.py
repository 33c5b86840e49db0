"""What nodes say they can do, and whether that is enough for a job.

Capability numbers are the network's and never change. `Capabilities` is the value; `from_wire` and `to_wire`
cross to protobuf. `is_compatible` is the one test that gateways, orchestrators and transcoders all apply.
Words of a bit string are kept as they came, because the test compares their number. Pure; called by both
servers and clients; decides nothing about what this node can do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from livepeer.wire import lp_rpc_pb2 as pb

_WORD_BITS = 64
_VERSION = re.compile(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")


class Capability(IntEnum):
    """The numbers. 13 was scene classification and is never used again."""

    H264 = 0
    MPEGTS = 1
    MP4 = 2
    FRACTIONAL_FRAMERATES = 3
    STORAGE_DIRECT = 4
    STORAGE_S3 = 5
    STORAGE_GCS = 6
    H264_BASELINE = 7
    H264_MAIN = 8
    H264_HIGH = 9
    H264_CONSTRAINED_HIGH = 10
    GOP = 11
    AUTH_TOKEN = 12
    MPEG7_SIGNATURE = 14
    HEVC_DECODE = 15
    HEVC_ENCODE = 16
    VP8_DECODE = 17
    VP9_DECODE = 18
    VP8_ENCODE = 19
    VP9_ENCODE = 20
    H264_DECODE_444_8BIT = 21
    H264_DECODE_422_8BIT = 22
    H264_DECODE_444_10BIT = 23
    H264_DECODE_422_10BIT = 24
    H264_DECODE_420_10BIT = 25
    SEGMENT_SLICING = 26
    TEXT_TO_IMAGE = 27
    IMAGE_TO_IMAGE = 28
    IMAGE_TO_VIDEO = 29
    UPSCALE = 30
    AUDIO_TO_TEXT = 31
    SEGMENT_ANYTHING_2 = 32
    LLM = 33
    IMAGE_TO_TEXT = 34
    LIVE_VIDEO_TO_VIDEO = 35
    TEXT_TO_SPEECH = 36
    BYOC = 37

    @property
    def shown(self) -> str:
        """The name that go-livepeer's own tools show."""
        return NAMES[self]


NAMES: Mapping[Capability, str] = {
    Capability.H264: "H.264",
    Capability.MPEGTS: "MPEGTS",
    Capability.MP4: "MP4",
    Capability.FRACTIONAL_FRAMERATES: "Fractional framerates",
    Capability.STORAGE_DIRECT: "Storage direct",
    Capability.STORAGE_S3: "Storage S3",
    Capability.STORAGE_GCS: "Storage GCS",
    Capability.H264_BASELINE: "H264 Baseline profile",
    Capability.H264_MAIN: "H264 Main profile",
    Capability.H264_HIGH: "H264 High profile",
    Capability.H264_CONSTRAINED_HIGH: "H264 Constrained, Contained High profile",
    Capability.GOP: "GOP",
    Capability.AUTH_TOKEN: "Auth token",
    Capability.MPEG7_SIGNATURE: "MPEG7 signature",
    Capability.HEVC_DECODE: "HEVC decode",
    Capability.HEVC_ENCODE: "HEVC encode",
    Capability.VP8_DECODE: "VP8 decode",
    Capability.VP9_DECODE: "VP9 decode",
    Capability.VP8_ENCODE: "VP8 encode",
    Capability.VP9_ENCODE: "VP9 encode",
    Capability.H264_DECODE_444_8BIT: "H264 Decode YUV444 8-bit",
    Capability.H264_DECODE_422_8BIT: "H264 Decode YUV422 8-bit",
    Capability.H264_DECODE_444_10BIT: "H264 Decode YUV444 10-bit",
    Capability.H264_DECODE_422_10BIT: "H264 Decode YUV422 10-bit",
    Capability.H264_DECODE_420_10BIT: "H264 Decode YUV420 10-bit",
    Capability.SEGMENT_SLICING: "Segment slicing",
    Capability.TEXT_TO_IMAGE: "Text to image",
    Capability.IMAGE_TO_IMAGE: "Image to image",
    Capability.IMAGE_TO_VIDEO: "Image to video",
    Capability.UPSCALE: "Upscale",
    Capability.AUDIO_TO_TEXT: "Audio to text",
    Capability.SEGMENT_ANYTHING_2: "Segment anything 2",
    Capability.LLM: "Llm",
    Capability.IMAGE_TO_TEXT: "Image to text",
    Capability.LIVE_VIDEO_TO_VIDEO: "Live video to video",
    Capability.TEXT_TO_SPEECH: "Text to speech",
    Capability.BYOC: "byoc",
}

LEGACY = frozenset(Capability(number) for number in range(12))
"""What an orchestrator that says nothing about capabilities is taken to have."""

DEFAULT = LEGACY | {Capability.AUTH_TOKEN, Capability.MPEG7_SIGNATURE, Capability.SEGMENT_SLICING}
"""What every orchestrator advertises, one that only does AI included: gateways filter by it."""

OPTIONAL = (
    frozenset(Capability)
    - DEFAULT
    - frozenset(
        {
            Capability.VP8_ENCODE,
            Capability.VP9_ENCODE,
            Capability.LLM,
            Capability.LIVE_VIDEO_TO_VIDEO,
            Capability.BYOC,
        }
    )
)


@dataclass(frozen=True, slots=True)
class ModelConstraint:
    """One model of an AI capability: offered by an orchestrator, or wanted by a gateway."""

    warm: bool = False
    capacity: int = 0
    runner_version: str = ""
    capacity_in_use: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a node offers, or a job needs. `models` maps an AI capability's number to its models."""

    bitstring: tuple[int, ...] = ()
    mandatories: tuple[int, ...] = ()
    capacities: Mapping[int, int] = field(default_factory=dict)
    version: str = ""
    min_version: str = ""
    models: Mapping[int, Mapping[str, ModelConstraint]] = field(default_factory=dict)

    @property
    def numbers(self) -> frozenset[int]:
        return from_bits(self.bitstring)


def to_bits(numbers: Iterable[int]) -> tuple[int, ...]:
    """The words of a bit string, without surplus zero words at its end."""
    total = 0
    for number in numbers:
        total |= 1 << number
    words = []
    while total:
        words.append(total & (1 << _WORD_BITS) - 1)
        total >>= _WORD_BITS
    return tuple(words)


def from_bits(words: Iterable[int]) -> frozenset[int]:
    return frozenset(
        index * _WORD_BITS + bit
        for index, word in enumerate(words)
        for bit in range(_WORD_BITS)
        if word >> bit & 1
    )


def offering(numbers: Iterable[int], *, version: str) -> Capabilities:
    """What an orchestrator advertises for these capabilities, each with a capacity of one."""
    kept = frozenset(numbers)
    return Capabilities(
        bitstring=to_bits(kept), capacities={int(n): 1 for n in sorted(kept)}, version=version
    )


def from_wire(message: pb.Capabilities) -> Capabilities:
    return Capabilities(
        bitstring=tuple(message.bitstring),
        mandatories=tuple(message.mandatories),
        capacities=dict(message.capacities),
        version=message.version,
        min_version=message.constraints.minVersion,
        models={
            number: {name: _model_from_wire(model) for name, model in constraints.models.items()}
            for number, constraints in message.constraints.PerCapability.items()
        },
    )


def _model_from_wire(model: pb.Capabilities.CapabilityConstraints.ModelConstraint) -> ModelConstraint:
    return ModelConstraint(model.warm, model.capacity, model.runnerVersion, model.capacityInUse)


def to_wire(value: Capabilities) -> pb.Capabilities:
    """The message. `constraints` is always there, even empty: AI gateways read it unchecked."""
    message = pb.Capabilities(
        bitstring=value.bitstring,
        mandatories=value.mandatories,
        capacities=value.capacities,
        version=value.version,
    )
    message.constraints.SetInParent()
    message.constraints.minVersion = value.min_version
    for number, models in value.models.items():
        entry = message.constraints.PerCapability[number]
        for name, model in models.items():
            entry.models[name].CopyFrom(
                pb.Capabilities.CapabilityConstraints.ModelConstraint(
                    warm=model.warm,
                    capacity=model.capacity,
                    runnerVersion=model.runner_version,
                    capacityInUse=model.capacity_in_use,
                )
            )
    return message


def is_compatible(wanted: Capabilities, offered: Capabilities | None) -> bool:
    """Whether a node that offers this can do a job that wants that.

    A node that offers nothing at all (an old one) can do what uses the legacy set only.
    """
    if offered is None:
        return _contains(to_bits(LEGACY), wanted.bitstring)
    return (
        is_version_enough(wanted.min_version, offered.version)
        and _contains(wanted.bitstring, offered.mandatories)
        and _models_suffice(wanted, offered)
        and _contains(offered.bitstring, wanted.bitstring)
    )


def _contains(words: tuple[int, ...], part: tuple[int, ...]) -> bool:
    """More words are too many, even where they are zero: that is how peers compare."""
    return len(part) <= len(words) and all(bits & words[i] == bits for i, bits in enumerate(part))


def _models_suffice(wanted: Capabilities, offered: Capabilities) -> bool:
    return all(
        name in offered.models[number] and _model_suffices(model, offered.models[number][name])
        for number, models in wanted.models.items()
        if number in offered.models  # one that the node does not list is left to the bit string
        for name, model in models.items()
    )


def _model_suffices(wanted: ModelConstraint, offered: ModelConstraint) -> bool:
    if wanted.warm and not offered.warm:
        return False
    return is_version_enough(wanted.runner_version, offered.runner_version)


def is_version_enough(minimum: str, version: str) -> bool:
    """Compares releases; what stands after a dash is ignored. An unreadable minimum asks for nothing."""
    if not minimum:
        return True
    if version in ("", "undefined"):
        return False
    needed = parse_version(minimum)
    if needed is None:
        return True
    present = parse_version(version)
    return present is not None and present >= needed


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Major, minor and patch, or None for what is no version. Missing parts count as zero."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    major, minor, patch = match.groups()
    return int(major), int(minor or 0), int(patch or 0)


def of_pipeline(name: str) -> Capability | None:
    """The capability behind an AI pipeline's name: `live-video-to-video` is number 35."""
    shown = name[:1].upper() + name[1:].replace("-", " ")
    return _BY_NAME.get(shown)


_BY_NAME: Mapping[str, Capability] = {name: capability for capability, name in NAMES.items()}
