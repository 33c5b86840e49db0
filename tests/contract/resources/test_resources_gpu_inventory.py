# ruff: noqa: N802 - the library's own names are played
"""One suite for every `GpuInventory`: NVML's own calls played, and the real NVML where there is a GPU."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from reconciler.resources.gpus.nvml import NvmlInventory, driver_is_loaded
from reconciler.serving.capacity import GpusUnknown
from reconciler.serving.gpus import Gpu, Inventory, reading_of

GIB = 1024**3


class NVMLError(Exception):
    def __init__(self, value):
        super().__init__(f"NVML error {value}")
        self.value = value


@dataclass
class Card:
    uuid: str
    processes: tuple = ()
    lost: bool = False
    silent: bool = False
    encodes: bool = True


@dataclass
class PlayedNvml:
    """The calls of nvidia-ml-py that are used, over cards that can fail as real ones do."""

    cards: list = field(default_factory=list)
    broken: int | None = None
    opened: int = 0

    NVMLError = NVMLError
    NVML_ERROR_UNINITIALIZED = 1
    NVML_ERROR_DRIVER_NOT_LOADED = 9
    NVML_ERROR_GPU_IS_LOST = 15
    NVML_ERROR_NOT_SUPPORTED = 3
    NVML_TEMPERATURE_GPU = 0

    def _check(self, card=None):
        if self.broken is not None:
            raise NVMLError(self.broken)
        if card is not None and card.lost:
            raise NVMLError(self.NVML_ERROR_GPU_IS_LOST)

    def nvmlInit(self):
        self._check()
        self.opened += 1

    def nvmlShutdown(self):
        if self.opened == 0:
            raise NVMLError(self.NVML_ERROR_UNINITIALIZED)

    def nvmlSystemGetDriverVersion(self):
        self._check()
        return b"550.54"

    def nvmlDeviceGetCount(self):
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index):
        card = self.cards[index]
        if card.silent:
            raise NVMLError(self.NVML_ERROR_GPU_IS_LOST)
        return card

    def nvmlDeviceGetUUID(self, card):
        return card.uuid

    def nvmlDeviceGetMemoryInfo(self, card):
        self._check(card)
        return SimpleNamespace(total=24 * GIB, used=GIB)

    def nvmlDeviceGetName(self, card):
        return "RTX 4090"

    def nvmlDeviceGetUtilizationRates(self, card):
        return SimpleNamespace(gpu=42)

    def nvmlDeviceGetEncoderStats(self, card):
        if not card.encodes:
            raise NVMLError(self.NVML_ERROR_NOT_SUPPORTED)
        return [2, 60, 1000]

    def nvmlDeviceGetTemperature(self, card, sensor):
        return 55

    def nvmlDeviceGetComputeRunningProcesses(self, card):
        return [SimpleNamespace(pid=pid, usedGpuMemory=GIB) for pid in card.processes]


def played(*cards, **more):
    nvml = PlayedNvml(cards=list(cards), **more)
    return nvml, NvmlInventory(lambda pid: pid == 1, has_driver=lambda: True, load=lambda: nvml)


class FakeInventory:
    """What simulations use."""

    def __init__(self, found):
        self.found = found

    def look(self):
        return self.found


@pytest.fixture(
    params=[
        pytest.param("fake", id="fake"),
        pytest.param("played", id="played"),
        pytest.param("real", id="real", marks=pytest.mark.gpu),
    ]
)
def inventory(request):
    if request.param == "fake":
        return FakeInventory(Inventory(driver="550", gpus=(Gpu(uuid="GPU-1", name="X", memory_bytes=GIB),)))
    if request.param == "played":
        return played(Card("GPU-2"), Card("GPU-1"))[1]
    if not driver_is_loaded():
        pytest.skip("needs an NVIDIA GPU")
    return NvmlInventory(lambda _pid: False)


# ---- what every inventory promises


def test_it_names_every_gpu_once_and_in_order(inventory):
    found = inventory.look()
    uuids = [gpu.uuid for gpu in found.gpus]
    assert uuids == sorted(set(uuids))
    assert uuids
    assert all(uuid.startswith("GPU-") for uuid in uuids)


def test_it_tells_name_and_memory(inventory):
    for gpu in inventory.look().gpus:
        assert gpu.name
        assert gpu.memory_bytes > 0
        assert gpu.memory_used_bytes is None or gpu.memory_used_bytes <= gpu.memory_bytes


def test_two_looks_tell_of_the_same_gpus(inventory):
    assert [gpu.uuid for gpu in inventory.look().gpus] == [gpu.uuid for gpu in inventory.look().gpus]


def test_it_is_read_as_facts(inventory):
    found = inventory.look()
    assert [fact.uuid for fact in reading_of(found)] == [gpu.uuid for gpu in found.gpus]


# ---- what can go wrong


def test_a_lost_gpu_is_lost_and_the_others_are_seen():
    _, inventory = played(Card("GPU-1", lost=True), Card("GPU-2"))
    assert [(gpu.uuid, gpu.lost) for gpu in inventory.look().gpus] == [("GPU-1", True), ("GPU-2", False)]


def test_a_gpu_without_even_a_name_is_left_out():
    _, inventory = played(Card("GPU-1", silent=True), Card("GPU-2"))
    assert [gpu.uuid for gpu in inventory.look().gpus] == ["GPU-2"]


def test_what_a_card_does_not_give_is_none():
    _, inventory = played(Card("GPU-1", encodes=False))
    (gpu,) = inventory.look().gpus
    assert gpu.encoder_sessions is None
    assert gpu.utilisation == 42


def test_foreign_processes_are_told_from_ours():
    _, inventory = played(Card("GPU-1", processes=(os.getpid(), 1)))
    (gpu,) = inventory.look().gpus
    assert [(each.pid, each.ours) for each in gpu.processes] == [(1, True), (os.getpid(), False)]
    assert gpu.processes[1].name


@pytest.mark.parametrize(
    "error", [PlayedNvml.NVML_ERROR_UNINITIALIZED, PlayedNvml.NVML_ERROR_DRIVER_NOT_LOADED]
)
def test_a_driver_that_goes_is_unknown_and_found_again_when_it_is_back(error):
    nvml, inventory = played(Card("GPU-1"))
    assert inventory.look().gpus
    nvml.broken = error
    assert isinstance(inventory.look(), GpusUnknown)
    assert isinstance(inventory.look(), GpusUnknown)
    nvml.broken = None
    assert [gpu.uuid for gpu in inventory.look().gpus] == ["GPU-1"]
    assert nvml.opened == 2


def test_a_library_that_does_not_load_is_unknown():
    def missing():
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")

    found = NvmlInventory(lambda _pid: False, has_driver=lambda: True, load=missing).look()
    assert isinstance(found, GpusUnknown)
    assert "libnvidia-ml.so.1" in found.reason


def test_without_a_driver_there_is_nothing_and_nothing_is_loaded():
    def never():
        raise AssertionError("loaded")

    found = NvmlInventory(lambda _pid: False, has_driver=lambda: False, load=never).look()
    assert found == Inventory(driver="")


def test_the_library_is_not_loaded_by_importing_us():
    code = "import sys, reconciler.registry; sys.exit('pynvml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
