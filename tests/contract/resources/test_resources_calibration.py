"""The measuring program as the operator runs it."""

import os

import pytest

from reconciler.children import child_environment
from reconciler.core.errors import Transient
from reconciler.resources.presets.act import CalibrationProgram
from tests.unit.resources.resources_builders import NOW


def _program():
    return CalibrationProgram(lambda: NOW, child_environment(os.environ))


async def test_a_measurement_names_presets_and_what_they_hold():
    found = await _program().measure(999, 60)  # so many that the fastest preset settles it
    assert found.reached[0].preset == "ultrafast"
    assert found.reached[0].sessions >= 0
    assert found.choose(999).holds is False
    assert "frames/s" in found.summary


async def test_a_measurement_that_takes_too_long_is_ended():
    with pytest.raises(Transient, match=r"more than 0\.05 s"):
        await _program().measure(1, 0.05)
    children = [pid for pid in os.listdir("/proc") if pid.isdigit() and _is_ours(pid)]
    assert children == []


def _is_ours(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file, open(f"/proc/{pid}/stat") as stat:
            parent = int(stat.read().rpartition(")")[2].split()[1])
            return b"calibrate" in file.read() and parent == os.getpid()
    except (OSError, ValueError):
        return False


async def test_a_measurement_that_fails_says_its_last_words():
    program = CalibrationProgram(lambda: NOW, {"PATH": "/usr/bin", "PYTHONHOME": "/nowhere"})
    with pytest.raises(Transient, match="measuring presets failed"):
        await program.measure(1, 30)
