"""NVML as a `GpuInventory`: the driver's own library, loaded only where a driver is.

Initialised once and kept (opening it can take a second); after an error of the library as a whole it is
closed and opened again at the next look, so an upgraded driver is found without a restart. A value that a
card does not give is None, a card that does not answer is lost, and a library that does not answer is
`GpusUnknown`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from reconciler.serving.capacity import GpusUnknown
from reconciler.serving.gpus import Gpu, GpuProcess, Inventory

DRIVER_SIGNS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
"""Any of these means that a driver is loaded (the last: Windows' one, seen from WSL)."""

_MOST_PROCESSES = 256
_T = TypeVar("_T")


def driver_is_loaded() -> bool:
    return any(os.path.exists(path) for path in DRIVER_SIGNS)


def load_nvml() -> Any:
    import pynvml  # noqa: PLC0415 - only machines with a driver pay for it

    return pynvml


class NvmlInventory:
    """`is_ours` says whether a process belongs to this node."""

    def __init__(
        self,
        is_ours: Callable[[int], bool],
        *,
        has_driver: Callable[[], bool] = driver_is_loaded,
        load: Callable[[], Any] = load_nvml,
    ) -> None:
        self._is_ours = is_ours
        self._has_driver = has_driver
        self._load = load
        self._nvml: Any = None

    def look(self) -> Inventory | GpusUnknown:
        if self._nvml is None and not self._has_driver():
            return Inventory(driver="")
        try:
            nvml = self._opened()
        except Exception as error:  # noqa: BLE001 - a foreign library: whatever it raises, it could not look
            return GpusUnknown(f"NVIDIA's driver is loaded but NVML does not open: {error}")
        try:
            return self._read(nvml)
        except nvml.NVMLError as error:
            self._close(nvml)
            return GpusUnknown(f"NVML does not answer: {error}")

    def _opened(self) -> Any:
        if self._nvml is None:
            nvml = self._load()
            nvml.nvmlInit()
            self._nvml = nvml
        return self._nvml

    def _close(self, nvml: Any) -> None:
        self._nvml = None
        try:
            nvml.nvmlShutdown()
        except nvml.NVMLError:
            return  # it was not open any more

    def _read(self, nvml: Any) -> Inventory:
        driver = _text(nvml.nvmlSystemGetDriverVersion())
        found = [self._gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
        return Inventory(driver=driver, gpus=tuple(sorted((g for g in found if g), key=lambda gpu: gpu.uuid)))

    def _gpu(self, nvml: Any, index: int) -> Gpu | None:
        """None for a card that does not even give its name: a declared one then shows as missing."""
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid = _text(nvml.nvmlDeviceGetUUID(handle))
        except nvml.NVMLError as error:
            if _concerns_all(nvml, error):
                raise
            return None
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            return Gpu(
                uuid=uuid,
                name=_text(nvml.nvmlDeviceGetName(handle)),
                memory_bytes=int(memory.total),
                memory_used_bytes=int(memory.used),
                utilisation=_given(nvml, lambda: int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
                encoder_sessions=_given(nvml, lambda: int(nvml.nvmlDeviceGetEncoderStats(handle)[0])),
                temperature_c=_given(
                    nvml, lambda: int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
                ),
                processes=self._processes(nvml, handle),
            )
        except nvml.NVMLError as error:
            if _concerns_all(nvml, error):
                raise
            return Gpu(uuid=uuid, name="", memory_bytes=0, lost=True)

    def _processes(self, nvml: Any, handle: Any) -> tuple[GpuProcess, ...]:
        running = _given(nvml, lambda: list(nvml.nvmlDeviceGetComputeRunningProcesses(handle)))
        return tuple(
            GpuProcess(
                pid=each.pid,
                name=_process_name(each.pid),
                memory_bytes=None if each.usedGpuMemory is None else int(each.usedGpuMemory),
                ours=self._is_ours(each.pid),
            )
            for each in sorted(running or (), key=lambda each: each.pid)[:_MOST_PROCESSES]
        )


def _concerns_all(nvml: Any, error: Any) -> bool:
    """Whether the library as a whole is gone, not one card."""
    return error.value in {nvml.NVML_ERROR_UNINITIALIZED, nvml.NVML_ERROR_DRIVER_NOT_LOADED}


def _given(nvml: Any, read: Callable[[], _T]) -> _T | None:
    """The value, or None where this card does not give it. A lost card is not hidden by that."""
    try:
        return read()
    except nvml.NVMLError as error:
        if error.value == nvml.NVML_ERROR_GPU_IS_LOST or _concerns_all(nvml, error):
            raise
        return None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _process_name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read(64).decode(errors="replace").strip()
    except OSError:
        return ""
