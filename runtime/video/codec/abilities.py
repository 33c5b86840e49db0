"""Which of the network's capabilities a device really serves, and why the others are withheld.

Only what the codec decides is here: containers, codecs, profiles, key frames, slicing, signatures. Storage
and tokens are the server's. A worker answers this once, after its device passed the test (`selftest`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import av.codec

from livepeer.wire.capabilities import Capability
from runtime.video.codec.devices import Device

_ALWAYS = frozenset(
    {
        Capability.H264,
        Capability.MPEGTS,
        Capability.MP4,
        Capability.FRACTIONAL_FRAMERATES,
        Capability.H264_BASELINE,
        Capability.H264_MAIN,
        Capability.H264_HIGH,
        Capability.H264_CONSTRAINED_HIGH,
        Capability.GOP,
        Capability.SEGMENT_SLICING,
    }
)
_UNUSUAL_H264 = frozenset(
    {
        Capability.H264_DECODE_444_8BIT,
        Capability.H264_DECODE_422_8BIT,
        Capability.H264_DECODE_444_10BIT,
        Capability.H264_DECODE_422_10BIT,
        Capability.H264_DECODE_420_10BIT,
    }
)
_DECODERS: Mapping[Capability, str] = {
    Capability.HEVC_DECODE: "hevc",
    Capability.VP8_DECODE: "vp8",
    Capability.VP9_DECODE: "vp9",
}
_UNSCALED = "go-livepeer leaves renditions of this codec unscaled, which no gateway can price"
_SLOW = "libx265 does not hold real time on processors; a GPU serves it"
_GPU_FORMATS = "the GPU decodes 8-bit 4:2:0 only"


@dataclass(frozen=True, slots=True)
class Abilities:
    """Every capability that concerns the codec is in exactly one of both."""

    served: frozenset[Capability]
    withheld: Mapping[Capability, str]


def abilities(device: Device) -> Abilities:
    """MPEG7 signatures are always served: gateways discover with that bit, and a missing hash is allowed."""
    withheld = {Capability.VP8_ENCODE: _UNSCALED, Capability.VP9_ENCODE: _UNSCALED}
    served = {*_ALWAYS, Capability.MPEG7_SIGNATURE}
    for capability, decoder in _DECODERS.items():
        if decoder in av.codec.codecs_available:
            served.add(capability)
        else:
            withheld[capability] = f"this FFmpeg has no {decoder} decoder"
    if device.is_hardware:
        served.add(Capability.HEVC_ENCODE)
        withheld |= dict.fromkeys(_UNUSUAL_H264, _GPU_FORMATS)
    else:
        served |= _UNUSUAL_H264
        withheld[Capability.HEVC_ENCODE] = _SLOW
    return Abilities(frozenset(served), withheld)
