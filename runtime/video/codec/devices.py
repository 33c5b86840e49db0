"""What a worker decodes and encodes on: the processor, or one NVIDIA GPU.

The difference is confined to this value: how a source is opened and which encoders are named. GPU frames are
downloaded after decoding and scaled by the processor, because the shipped FFmpeg has no CUDA scaler. A GPU is
chosen by the worker's environment (`CUDA_VISIBLE_DEVICES`), so here it is always the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

from av.codec.hwaccel import HWAccel

from runtime.video.jobs import WorkerSlot

CPU = "cpu"
_GPU_PIXEL_FORMATS = frozenset({"yuv420p", "yuvj420p"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """`threads` is for each encoder in software; 0 lets it choose."""

    name: str
    threads: int

    @classmethod
    def of(cls, slot: WorkerSlot) -> Device:
        return cls(name=slot.device, threads=slot.threads)

    @property
    def is_hardware(self) -> bool:
        return self.name != CPU

    def decoding(self) -> HWAccel | None:
        """How to open a source; None decodes in software."""
        if not self.is_hardware:
            return None
        return HWAccel("cuda", device="0", allow_software_fallback=False)

    def takes(self, pixel_format: str) -> bool:
        return not self.is_hardware or pixel_format in _GPU_PIXEL_FORMATS
