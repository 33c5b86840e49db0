"""Declared GPUs against those that are there: what is missing, lost, or used by others. PURE.

It plans no operations: a GPU comes and goes by other hands. What it says is why the runtime's workers change.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.kind import KindPlan, View
from reconciler.core.values import (
    Condition,
    Diagnostic,
    Json,
    Known,
    Observation,
    Severity,
    TargetId,
    Truth,
    Unknown,
)
from reconciler.resources.gpus.state import DeclaredGpu, GpusDesired
from reconciler.serving.gpus import Gpu, Inventory

CONDITION = "GpusPresent"
_GIB = 1024**3


def plan_gpus(
    desired: GpusDesired,
    observed: Observation,
    view: View,  # noqa: ARG001 - part of the Protocol
) -> KindPlan:
    inventory = _inventory(observed)
    if inventory is None:
        return KindPlan()
    missing, used = _missing(desired, inventory), _used(desired, inventory)
    return KindPlan(
        unchanged=len(used),
        diagnostics=(
            *(_missing_words(gpu, inventory) for gpu in missing),
            *(_lost_words(gpu) for gpu in inventory.gpus if gpu.lost and desired.declared is None),
            *(words for gpu in used if (words := _foreign_words(gpu))),
        ),
    )


def applied_gpus(desired: GpusDesired, observed: Observation) -> Mapping[TargetId, Json]:
    inventory = _inventory(observed)
    if inventory is None:
        return {}
    return {TargetId(f"gpus.{_name(desired, gpu)}"): gpu.uuid for gpu in _used(desired, inventory)}


def conditions_gpus(desired: GpusDesired, observed: Observation, view: View) -> tuple[Condition, ...]:
    if isinstance(observed, Unknown):
        return (view.condition(CONDITION, Truth.UNKNOWN, "NotObserved", observed.reason),)
    inventory = _inventory(observed)
    if inventory is None:
        return ()
    missing = _missing(desired, inventory)
    if missing:
        names = ", ".join(f"{gpu.name} ({gpu.uuid})" for gpu in missing)
        return (view.condition(CONDITION, Truth.FALSE, "Missing", f"declared and not usable: {names}"),)
    lost = [gpu for gpu in inventory.gpus if gpu.lost]
    if lost and desired.declared is None:
        names = ", ".join(gpu.uuid for gpu in lost)
        return (view.condition(CONDITION, Truth.FALSE, "Lost", f"fell off the bus: {names}"),)
    message = "; ".join(_gpu_words(desired, gpu) for gpu in _used(desired, inventory))
    return (view.condition(CONDITION, Truth.TRUE, "Present", message or "none found, none declared"),)


def _missing(desired: GpusDesired, inventory: Inventory) -> tuple[DeclaredGpu, ...]:
    usable = {gpu.uuid for gpu in inventory.gpus if not gpu.lost}
    return tuple(gpu for gpu in desired.declared or () if gpu.uuid not in usable)


def _used(desired: GpusDesired, inventory: Inventory) -> tuple[Gpu, ...]:
    declared = None if desired.declared is None else {gpu.uuid for gpu in desired.declared}
    return tuple(gpu for gpu in inventory.gpus if not gpu.lost and (declared is None or gpu.uuid in declared))


def _missing_words(declared: DeclaredGpu, inventory: Inventory) -> Diagnostic:
    lost = any(gpu.uuid == declared.uuid for gpu in inventory.gpus)
    found = ", ".join(f"{gpu.uuid} ({gpu.name})" for gpu in inventory.gpus if not gpu.lost) or "none"
    return Diagnostic(
        Severity.ERROR,
        f"GPU {declared.name} ({declared.uuid}) {'fell off the bus' if lost else 'is not in this machine'}",
        "Its work is neither served nor advertised; everything else is. "
        + (
            "Reset the GPU or the machine; `nvidia-smi` and `dmesg | grep Xid` say more."
            if lost
            else f"Found: {found}. Correct its uuid, or remove it from `gpus`."
        ),
        declared.source,
    )


def _lost_words(gpu: Gpu) -> Diagnostic:
    return Diagnostic(
        Severity.ERROR,
        f"GPU {gpu.uuid} fell off the bus",
        "Its work is neither served nor advertised; everything else is. "
        "Reset the GPU or the machine; `dmesg | grep Xid` says more.",
    )


def _foreign_words(gpu: Gpu) -> Diagnostic | None:
    foreign = [process for process in gpu.processes if not process.ours]
    if not foreign:
        return None
    names = ", ".join(
        f"{process.name or 'a process'} (pid {process.pid}{_memory(process.memory_bytes)})"
        for process in foreign
    )
    return Diagnostic(
        Severity.WARNING,
        f"GPU {gpu.uuid} is used by others: {names}",
        "Memory and encoders that they take are missing to jobs. End them, or declare a smaller `vram`.",
    )


def _memory(size: int | None) -> str:
    return "" if size is None else f", {size / _GIB:.1f} GiB"


def _name(desired: GpusDesired, gpu: Gpu) -> str:
    return next((each.name for each in desired.declared or () if each.uuid == gpu.uuid), gpu.uuid)


def _gpu_words(desired: GpusDesired, gpu: Gpu) -> str:
    name = _name(desired, gpu)
    text = f"{name} {gpu.name}" if name != gpu.uuid else gpu.name
    if gpu.memory_used_bytes is not None:
        text += f", {gpu.memory_used_bytes / _GIB:.1f} of {gpu.memory_bytes / _GIB:.1f} GiB used"
    if gpu.encoder_sessions:
        text += f", {gpu.encoder_sessions} encoder sessions"
    return text


def _inventory(observed: Observation) -> Inventory | None:
    return observed.value if isinstance(observed, Known) and isinstance(observed.value, Inventory) else None
