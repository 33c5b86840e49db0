"""The node's directories on a real file system, and what is said of disks and clocks."""

import asyncio
import os
from dataclasses import replace

import pytest

from reconciler.core.errors import Terminal
from reconciler.core.values import Known, Unknown
from reconciler.layout import Layout
from reconciler.resources.data_directory.act import DataActor
from reconciler.resources.data_directory.clock import ClockWatch, KernelClock, ask_kernel
from reconciler.resources.data_directory.observe import DataObserver
from reconciler.resources.data_directory.plan import applied_data, conditions_data, plan_data
from reconciler.resources.data_directory.state import (
    DataDesired,
    DataObserved,
    Directory,
    Room,
    SeenClock,
    SeenDirectory,
    SeenRoom,
)
from tests.unit.resources.resources_builders import GIB, NOW, view

SYNCED = KernelClock(state=0, status=0x2001, maxerror_us=20_000)


def wanted(tmp_path):
    layout = Layout(data=tmp_path / "data", weights=tmp_path)
    return DataDesired(
        directories=(
            Directory(name="data", path=layout.data, inside=(layout.children, layout.logs)),
            Directory(name="renditions", path=tmp_path / "shm"),
        ),
        rooms=(Room(name="data", path=layout.data, least_bytes=GIB),),
    )


def observer(desired):
    return DataObserver(desired, ClockWatch(kernel=lambda: SYNCED), lambda: NOW)


async def _apply(desired):
    found = await observer(desired).observe()
    for operation in plan_data(desired, found, view()).operations:
        assert await DataActor().holds(operation)
        await DataActor().act(operation, lambda _text: None)


async def test_from_nothing_to_private_directories_to_an_empty_plan(tmp_path):
    desired = wanted(tmp_path)
    await _apply(desired)
    assert {oct(os.stat(p).st_mode & 0o777) for d in desired.directories for p in d.paths} == {"0o700"}
    assert plan_data(desired, await observer(desired).observe(), view()).operations == ()


async def test_others_are_shut_out_again(tmp_path):
    desired = wanted(tmp_path)
    await _apply(desired)
    (tmp_path / "data" / "logs").chmod(0o755)
    (operation,) = plan_data(
        desired, await observer(desired).observe(), view(applied=applied_data(desired, Unknown("", NOW)))
    ).operations
    assert (operation.verb, operation.origin.value) == ("protect", "drift")
    assert operation.change.shown == f"{tmp_path}/data/logs  0755 -> 0700"
    await _apply(desired)
    assert (tmp_path / "data" / "logs").stat().st_mode & 0o777 == 0o700


async def test_a_directory_that_only_the_lock_made_is_as_good_as_none(tmp_path):
    desired = wanted(tmp_path)
    before, *_ = plan_data(desired, await observer(desired).observe(), view()).operations
    (tmp_path / "data").mkdir(mode=0o700)
    after, *_ = plan_data(desired, await observer(desired).observe(), view()).operations
    assert (after.action, after.cause, after.change.shown) == (
        before.action,
        before.cause,
        before.change.shown,
    )
    await _apply(desired)
    assert plan_data(desired, await observer(desired).observe(), view()).operations == ()


async def test_a_lost_part_is_made_again_and_named(tmp_path):
    desired = wanted(tmp_path)
    await _apply(desired)
    (tmp_path / "data" / "children").rmdir()
    (operation,) = plan_data(desired, await observer(desired).observe(), view()).operations
    assert operation.change.shown == f"{tmp_path}/data, missing: children"
    await _apply(desired)
    assert (tmp_path / "data" / "children").is_dir()


async def test_a_link_in_place_of_a_directory_is_never_used(tmp_path):
    desired = wanted(tmp_path)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "shm").symlink_to(tmp_path / "elsewhere")
    found = await observer(desired).observe()
    assert isinstance(found, Unknown)
    assert "symbolic link" in found.reason
    (condition,) = conditions_data(desired, found, view())
    assert (condition.type, condition.status.value) == ("DataDirectoryUsable", "False")


async def test_a_file_in_place_of_a_directory_is_named(tmp_path):
    (tmp_path / "shm").write_text("")
    found = await observer(wanted(tmp_path)).observe()
    assert isinstance(found, Unknown)
    assert found.reason == f"{tmp_path}/shm is not a directory; remove it"


@pytest.mark.root
async def test_somebody_elses_directory_is_never_used(tmp_path):
    (tmp_path / "shm").mkdir(mode=0o700)
    os.chown(tmp_path / "shm", 12_345, -1)
    found = await observer(wanted(tmp_path)).observe()
    assert isinstance(found, Unknown)
    assert "belongs to user 12345" in found.reason


async def test_a_link_that_appears_between_looking_and_acting_is_not_followed(tmp_path):
    desired = wanted(tmp_path)
    found = await observer(desired).observe()
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "shm").symlink_to(tmp_path / "elsewhere")
    *_, operation = plan_data(desired, found, view()).operations
    with pytest.raises(Terminal, match="symbolic link"):
        await DataActor().act(operation, lambda _text: None)
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o755


async def test_an_operation_whose_world_has_moved_does_not_hold(tmp_path):
    desired = wanted(tmp_path)
    found = await observer(desired).observe()
    (tmp_path / "data").mkdir(mode=0o700)
    operation = plan_data(desired, found, view()).operations[0]
    assert not await DataActor().holds(operation)


# ---- disks


def _seen(room=None, clock=None):
    directories = (SeenDirectory(name="data", modes=()), SeenDirectory(name="renditions", modes=()))
    room = room or SeenRoom(name="data", free_bytes=9 * GIB, total_bytes=10 * GIB, free_files=10**6)
    seen = DataObserved(directories=directories, rooms=(room,), clock=clock or SeenClock(disciplined=True))
    return Known(seen, NOW)


def _conditions(tmp_path, **more):
    found = conditions_data(wanted(tmp_path), _seen(**more), view())
    return {each.type: (each.status.value, each.reason, each.message) for each in found}


def test_a_full_disk_is_told_before_it_is_full(tmp_path):
    room = SeenRoom(name="data", free_bytes=GIB // 2, total_bytes=10 * GIB, free_files=10**6)
    found = _conditions(tmp_path, room=room)["DiskSpace"]
    assert found == ("False", "Low", f"data: 0.5 GiB of 10.0 GiB left at {tmp_path}/data")
    (warning,) = plan_data(wanted(tmp_path), _seen(room=room), view()).diagnostics
    assert "0.5 GiB of 10.0 GiB left" in warning.summary


def test_a_disk_without_room_for_files_is_full_too(tmp_path):
    room = SeenRoom(name="data", free_bytes=9 * GIB, total_bytes=10 * GIB, free_files=12)
    assert "room for 12 more files" in _conditions(tmp_path, room=room)["DiskSpace"][2]


def test_enough_room_is_enough(tmp_path):
    assert _conditions(tmp_path)["DiskSpace"][:2] == ("True", "Enough")


# ---- clocks


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (SeenClock(disciplined=True, error_s=0.02), ("True", "InSync")),
        (SeenClock(disciplined=True, error_s=1.5), ("False", "LargeError")),
        (SeenClock(disciplined=False), ("Unknown", "NotMeasurable")),
        (SeenClock(reason="no adjtimex here"), ("Unknown", "NotMeasurable")),
        (SeenClock(disciplined=True, error_s=0.0, stepped_s=-3.0), ("False", "Stepped")),
    ],
)
def test_a_clock_is_judged_so(tmp_path, clock, expected):
    assert _conditions(tmp_path, clock=clock)["ClockInSync"][:2] == expected


class Clocks:
    wall = 1_800_000_000.0
    boot = 1_000.0

    def pass_by(self, seconds, *, set_by=0.0):
        self.boot += seconds
        self.wall += seconds + set_by


def test_a_clock_that_is_set_is_noticed_and_told_for_a_while():
    clocks = Clocks()
    watch = ClockWatch(kernel=lambda: SYNCED, wall=lambda: clocks.wall, boot=lambda: clocks.boot)
    assert watch.look().stepped_s is None
    clocks.pass_by(3600, set_by=0.4)  # within what a discipline may slew
    assert watch.look().stepped_s is None
    clocks.pass_by(10, set_by=30.0)
    assert watch.look().stepped_s == pytest.approx(30.0)
    clocks.pass_by(300)
    assert watch.look().stepped_s == pytest.approx(30.0)
    clocks.pass_by(400)
    assert watch.look().stepped_s is None


def test_a_kernel_that_does_not_tell_is_said():
    def refuse():
        raise OSError(38, "adjtimex")

    assert "does not tell" in ClockWatch(kernel=refuse).look().reason


def test_the_kernel_of_this_machine_answers():
    assert ask_kernel().state in range(6)


def test_an_undisciplined_clock_has_no_known_error():
    seen = ClockWatch(kernel=lambda: replace(SYNCED, state=5, status=0x40)).look()
    assert (seen.disciplined, seen.error_s) == (False, None)


def test_the_observers_answer_is_quick(tmp_path):
    assert isinstance(asyncio.run(observer(wanted(tmp_path)).observe()), Known)
