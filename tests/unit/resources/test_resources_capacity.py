"""What `auto` comes to, and what happens to it when GPUs go, come, or cannot be seen."""

from dataclasses import replace

import jsonschema
import pytest

from reconciler.serving.capacity import (
    GpuFact,
    GpusUnknown,
    GpuWish,
    Machine,
    automatic_name,
    missing_gpus,
    size_video,
)
from reconciler.serving.presets import Choice
from reconciler.serving.spec import completed, document
from reconciler.serving.status import RuntimeStatus, WorkerStatus
from reconciler.serving.wish import Surroundings
from schemas import load
from tests.unit.resources.resources_builders import GIB, NOTHING_AROUND, accepted, measurement, video, wish

X, Y = "GPU-aaaaaaaa-1", "GPU-bbbbbbbb-2"
SMALL = Machine(cpu="test", cores=2, memory_bytes=8 * GIB)
LARGE = Machine(cpu="test", cores=16, memory_bytes=64 * GIB)
UNSEEN = GpusUnknown("NVML does not answer")


def gpu(uuid, memory=24 * GIB, *, lost=False):
    return GpuFact(uuid=uuid, name="RTX", memory_bytes=memory, lost=lost)


def declared(name, uuid, **more):
    return GpuWish(name=name, uuid=uuid, **more)


def _said(size):
    slots = None if size.workers is None else [f"{slot.name}:{slot.device}" for slot in size.workers]
    return size.sessions, slots


AUTO_GPUS = video(sessions=None, gpus=None)
TWO_GPUS = video(sessions=None, gpus=(declared("a", X), declared("b", Y, sessions=2)), uses_cpu=False)

CASES = {
    "cpu, auto, two cores": (video(sessions=None), SMALL, (), (2, ["cpu-0:cpu", "cpu-1:cpu"])),
    "cpu, auto, little memory": (
        video(sessions=None),
        Machine(cpu="test", cores=16, memory_bytes=3 * GIB),
        (),
        (3, ["cpu-0:cpu", "cpu-1:cpu", "cpu-2:cpu"]),
    ),
    "cpu, more sessions than cores": (video(sessions=5), SMALL, (), (5, ["cpu-0:cpu", "cpu-1:cpu"])),
    "cpu, declared workers": (video(sessions=5, workers=1), SMALL, (), (5, ["cpu-0:cpu"])),
    "no video": (video(sessions=0), SMALL, (), (0, [])),
    "auto finds no GPU and takes the CPU": (AUTO_GPUS, SMALL, (), (2, ["cpu-0:cpu", "cpu-1:cpu"])),
    "auto finds one": (
        AUTO_GPUS,
        SMALL,
        (gpu(X),),
        (10, [f"gpu-aaaaaaaa-{index}:{X}" for index in range(4)]),
    ),
    "auto finds a small one": (
        AUTO_GPUS,
        SMALL,
        (gpu(X, 2 * GIB),),
        (2, [f"gpu-aaaaaaaa-{i}:{X}" for i in (0, 1)]),
    ),
    "auto does not use a lost one": (AUTO_GPUS, SMALL, (gpu(X, lost=True),), (2, ["cpu-0:cpu", "cpu-1:cpu"])),
    "auto cannot look": (AUTO_GPUS, SMALL, UNSEEN, (None, None)),
    "two declared, both there": (
        TWO_GPUS,
        SMALL,
        (gpu(X), gpu(Y)),
        (12, [*(f"a-{i}:{X}" for i in range(4)), f"b-0:{Y}", f"b-1:{Y}"]),
    ),
    "two declared, one missing": (TWO_GPUS, SMALL, (gpu(Y),), (2, [f"b-0:{Y}", f"b-1:{Y}"])),
    "two declared, one lost": (TWO_GPUS, SMALL, (gpu(X, lost=True), gpu(Y)), (2, [f"b-0:{Y}", f"b-1:{Y}"])),
    "two declared, none can be seen: both are kept": (
        TWO_GPUS,
        SMALL,
        UNSEEN,
        (12, [*(f"a-{i}:{X}" for i in range(4)), f"b-0:{Y}", f"b-1:{Y}"]),
    ),
    "all declared are missing": (TWO_GPUS, SMALL, (), (0, [])),
    "software in the place of a missing one": (
        video(sessions=None, gpus=(declared("a", X),), uses_cpu=False, software_fallback=True),
        SMALL,
        (),
        (2, ["cpu-0:cpu", "cpu-1:cpu"]),
    ),
    "a declared memory budget": (
        video(sessions=None, gpus=(declared("a", X, vram_bytes=3 * GIB),), uses_cpu=False),
        SMALL,
        (gpu(X),),
        (3, [f"a-{i}:{X}" for i in range(3)]),
    ),
    "a total below what the GPUs could": (
        video(sessions=1, gpus=(declared("a", X),), uses_cpu=False),
        SMALL,
        (gpu(X),),
        (1, [f"a-0:{X}"]),
    ),
}


@pytest.mark.parametrize(("wanted", "machine", "gpus", "expected"), CASES.values(), ids=CASES.keys())
def test_video_is_sized_so(wanted, machine, gpus, expected):
    assert _said(size_video(wanted, machine, gpus)) == expected


@pytest.mark.parametrize(("sessions", "threads"), [(1, 5), (2, 2), (4, 1), (16, 1)])
def test_three_renditions_of_each_worker_fill_the_cores(sessions, threads):
    assert {slot.threads for slot in size_video(video(sessions=sessions), LARGE, ()).workers} == {threads}


def test_software_takes_the_place_of_a_failing_gpu_only_where_it_is_declared():
    both = (gpu(X), gpu(Y))
    failing = frozenset({X})
    assert size_video(TWO_GPUS, SMALL, both, failing) == size_video(TWO_GPUS, SMALL, both)
    size = size_video(replace(TWO_GPUS, software_fallback=True), SMALL, both, failing)
    assert _said(size) == (
        4,
        [*(f"a-{i}:{X}" for i in range(4)), f"b-0:{Y}", f"b-1:{Y}", "cpu-0:cpu", "cpu-1:cpu"],
    )


def test_a_device_fails_when_none_of_its_workers_comes_up():
    def said(*workers):
        return RuntimeStatus(workers=workers).failing_devices

    unfit = WorkerStatus(name="a-0", state="failed", device=X, reason="no NVENC")
    trying = WorkerStatus(name="a-1", state="starting", device=X, reason="no NVENC")
    fresh = WorkerStatus(name="a-1", state="starting", device=X)
    crashed = WorkerStatus(name="a-1", state="starting", device=X, reason="worker lost", restarts=1)
    well = WorkerStatus(name="b-0", state="ready", device=Y, reason="from earlier")
    assert said(unfit, trying, well) == {X}
    assert said(unfit, fresh) == frozenset()
    assert said(unfit, crashed) == frozenset()
    assert said(well) == frozenset()


def test_a_missing_gpu_is_named_and_an_unseen_one_is_not_missing():
    assert [each.name for each in missing_gpus(TWO_GPUS, (gpu(Y),))] == ["a"]
    assert missing_gpus(TWO_GPUS, UNSEEN) == ()


def test_automatic_names_do_not_depend_on_order():
    assert automatic_name("GPU-8F3A12bc-9999") == "gpu-8f3a12bc"


# ---- the document


def test_every_size_makes_a_valid_document():
    validator = jsonschema.Draft202012Validator(load("runtime-spec"))
    for wanted, _, gpus, _ in CASES.values():
        around = Surroundings(gpus=gpus, cache={})
        spec = completed(wish(video=wanted).spec(around), None)
        validator.validate(document(spec, 1))


def test_an_unmeasured_preset_is_the_present_one_else_the_safest():
    spec = wish(preset=None).spec(NOTHING_AROUND)
    assert spec.preset is None
    assert completed(spec, None).preset == "ultrafast"
    assert completed(spec, accepted(wish(preset="faster"))).preset == "faster"


def test_a_measurement_gives_the_preset_for_any_number_of_sessions():
    around = Surroundings(gpus=(), cache={wish().measurement_key: measurement()})
    presets = {
        sessions: wish(preset=None, video=video(sessions=sessions)).spec(around).preset
        for sessions in (1, 2, 3, 4, 5, 9, 10)
    }
    assert presets == {
        1: "medium",
        2: "medium",
        3: "fast",
        4: "fast",
        5: "ultrafast",
        9: "ultrafast",
        10: "ultrafast",
    }
    assert wish(preset=None, versions="0.2.0, av 18").spec(around).preset is None


def test_a_choice_says_whether_it_holds_and_whether_slower_ones_were_tried():
    found = measurement()
    assert found.choose(4) == Choice("fast", holds=True, up_to=4, surely_slowest=True)
    assert found.choose(3) == Choice("fast", holds=True, up_to=4, surely_slowest=True)
    assert found.choose(1) == Choice("medium", holds=True, up_to=2, surely_slowest=False)
    assert found.choose(10) == Choice("ultrafast", holds=False, up_to=9, surely_slowest=True)
    assert measurement(fast=9, veryslow=3).choose(1).surely_slowest


def test_workers_that_cannot_be_known_stay_as_they_are():
    running = accepted(wish(video=AUTO_GPUS), around=Surroundings(gpus=(gpu(X),), cache={}))
    spec = completed(wish(video=AUTO_GPUS).spec(Surroundings(gpus=UNSEEN, cache={})), running)
    assert document(spec, 7) == running


def test_nothing_is_measured_where_no_cpu_encodes():
    assert not wish(preset=None, video=TWO_GPUS).wants_measurement(
        Surroundings(gpus=(gpu(X), gpu(Y)), cache={})
    )
    assert wish(preset=None, video=TWO_GPUS).spec(Surroundings(gpus=(gpu(X),), cache={})).preset == "veryfast"
    assert wish(preset=None).wants_measurement(NOTHING_AROUND)
    assert not wish(preset="slow").wants_measurement(NOTHING_AROUND)
