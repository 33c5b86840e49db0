"""Directories to make or to close to others, and what is said of disks and clock. PURE.

A directory that is not ours to use (another owner, a symbolic link, a file) is no difference to heal: the
observer answers `Unknown` with the reason, and whatever stands on it waits. Called through the registry.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.kind import NOT_MEASURABLE, KindPlan, View
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Condition,
    Diagnostic,
    Impact,
    Json,
    Known,
    Observation,
    Operation,
    OperationId,
    Severity,
    TargetId,
    Truth,
    Unknown,
)
from reconciler.resources.data_directory.state import (
    KIND,
    PRIVATE,
    DataDesired,
    DataObserved,
    Directory,
    SeenClock,
    SeenDirectory,
)

LANE = "data"
_GIB = 1024**3
_MIB = 1024**2
_FEW_FILES = 1_000
_LARGE_CLOCK_ERROR_S = 0.5


def plan_data(desired: DataDesired, observed: Observation, view: View) -> KindPlan:
    seen = _seen(observed)
    if seen is None:
        return KindPlan()
    directories = {directory.name: directory for directory in seen.directories}
    operations = tuple(
        _operation(directory, directories[directory.name], desired, view)
        for directory in desired.directories
        if directories[directory.name].wrong
    )
    return KindPlan(
        operations=operations,
        unchanged=len(desired.directories) - len(operations),
        diagnostics=_tight_rooms(desired, seen),
    )


def applied_data(desired: DataDesired, _observed: Observation) -> Mapping[TargetId, Json]:
    return {directory.target: _wanted(directory) for directory in desired.directories}


def conditions_data(desired: DataDesired, observed: Observation, view: View) -> tuple[Condition, ...]:
    if isinstance(observed, Unknown):
        return (view.condition("DataDirectoryUsable", Truth.FALSE, "NotUsable", observed.reason),)
    seen = _seen(observed)
    if seen is None:
        return ()
    return (
        view.condition("DataDirectoryUsable", Truth.TRUE, "Private", "ours alone"),
        _disk_condition(desired, seen, view),
        _clock_condition(seen.clock, view),
    )


def _operation(directory: Directory, seen: SeenDirectory, desired: DataDesired, view: View) -> Operation:
    base = desired.directories[0]
    origin = view.origin(directory.target, _wanted(directory))
    wrong = dict(seen.wrong)
    missing = _is_new(directory, seen)
    open_to_others = any(mode is not None for mode in wrong.values())
    return Operation(
        id=OperationId(directory.target),
        kind=KIND,
        verb="create" if missing else "protect",
        target=directory.target,
        action=Action.CREATE if missing else Action.UPDATE,
        origin=origin,
        cause=Cause(
            "nothing is there yet"
            if missing
            else "others may enter"
            if open_to_others
            else "a part is missing",
            desired.source if directory is base else None,
        ),
        change=Change(
            before=None if missing else wrong, after=_wanted(directory), shown=_words(directory, seen)
        ),
        lane=LANE,
        impact=Impact.NONE,
        depends_on=() if directory is base else (OperationId(base.target),),
        precondition={"wrong": wrong},
        arguments={"paths": [str(path) for path in directory.paths]},
    )


def _is_new(directory: Directory, seen: SeenDirectory) -> bool:
    """Not there, or an empty one of ours: whoever takes the operator's lock makes it for that."""
    wrong = dict(seen.wrong)
    inside = [wrong.get(str(path), PRIVATE) is None for path in directory.inside]
    return wrong.get(str(directory.path), PRIVATE) is None or (
        bool(inside) and all(inside) and str(directory.path) not in wrong
    )


def _words(directory: Directory, seen: SeenDirectory) -> str:
    """`/data, with children, edge, …`, or what is wrong with which part."""
    if _is_new(directory, seen):
        names = ", ".join(path.name for path in directory.inside)
        return f"{directory.path}{f', with {names}' if names else ''}"
    parts = [f"{path}  {mode:04o} -> {PRIVATE:04o}" for path, mode in seen.wrong if mode is not None]
    missing = ", ".join(path.removeprefix(f"{directory.path}/") for path, mode in seen.wrong if mode is None)
    return ", ".join([*parts, *([f"{directory.path}, missing: {missing}"] if missing else [])])


def _wanted(directory: Directory) -> Json:
    return {"paths": [str(path) for path in directory.paths], "mode": PRIVATE}


def _tight_rooms(desired: DataDesired, seen: DataObserved) -> tuple[Diagnostic, ...]:
    return tuple(
        Diagnostic(
            Severity.WARNING,
            f"{words}",
            "Jobs fail and tickets cannot be kept once it is full. Free some, or move `paths.data`.",
            desired.source,
        )
        for words in _tight_words(desired, seen)
    )


def _tight_words(desired: DataDesired, seen: DataObserved) -> list[str]:
    least = {room.name: room for room in desired.rooms}
    found = []
    for room in seen.rooms:
        wanted = least.get(room.name)
        if wanted is None:
            continue
        if room.free_bytes < wanted.least_bytes:
            found.append(
                f"{room.name}: {_size(room.free_bytes)} of {_size(room.total_bytes)} left at {wanted.path}"
            )
        elif room.free_files < _FEW_FILES:
            found.append(f"{room.name}: room for {room.free_files} more files at {wanted.path}")
    return found


def _disk_condition(desired: DataDesired, seen: DataObserved, view: View) -> Condition:
    tight = _tight_words(desired, seen)
    if tight:
        return view.condition("DiskSpace", Truth.FALSE, "Low", "; ".join(tight))
    message = ", ".join(f"{room.name} {_size(room.free_bytes)} free" for room in seen.rooms)
    return view.condition("DiskSpace", Truth.TRUE, "Enough", message)


def _clock_condition(clock: SeenClock, view: View) -> Condition:
    name = "ClockInSync"
    if clock.stepped_s is not None:
        message = f"the clock was set by {clock.stepped_s:+.1f} s while the operator ran"
        return view.condition(name, Truth.FALSE, "Stepped", message)
    if clock.reason:
        return view.condition(name, Truth.UNKNOWN, NOT_MEASURABLE, clock.reason)
    if not clock.disciplined:
        message = "nobody keeps this machine's clock, so its error is not known; install an NTP client"
        return view.condition(name, Truth.UNKNOWN, NOT_MEASURABLE, message)
    error_s = clock.error_s or 0.0
    message = f"kept by NTP or the like, at most {error_s * 1000:.0f} ms off"
    if error_s > _LARGE_CLOCK_ERROR_S:
        return view.condition(name, Truth.FALSE, "LargeError", message)
    return view.condition(name, Truth.TRUE, "InSync", message)


def _size(size: int) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB / 10 else f"{size / _MIB:.0f} MiB"


def _seen(observed: Observation) -> DataObserved | None:
    if isinstance(observed, Known) and isinstance(observed.value, DataObserved):
        return observed.value
    return None
