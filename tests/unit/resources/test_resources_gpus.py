"""GPUs declared and GPUs found: what is said of the difference."""

from reconciler.core.values import Known, Source, Unknown
from reconciler.resources.gpus.plan import applied_gpus, conditions_gpus, plan_gpus
from reconciler.resources.gpus.state import DeclaredGpu, GpusDesired
from reconciler.serving.gpus import Gpu, GpuProcess, Inventory
from tests.unit.resources.resources_builders import GIB, NOW, assert_golden, view

X, Y = "GPU-aaaaaaaa-1", "GPU-bbbbbbbb-2"
BOTH = GpusDesired(
    declared=(
        DeclaredGpu(name="a", uuid=X, source=Source("orchestrator.yaml", 9)),
        DeclaredGpu(name="b", uuid=Y),
    )
)
AUTO = GpusDesired(declared=None)


def gpu(uuid, **more):
    return Gpu(uuid=uuid, name="RTX 4090", memory_bytes=24 * GIB, memory_used_bytes=9 * GIB, **more)


def seen(*gpus):
    return Known(Inventory(driver="550.54", gpus=gpus), NOW)


STRANGER = GpuProcess(pid=7, name="blender", memory_bytes=5 * GIB, ours=False)
OURS = GpuProcess(pid=8, name="python", memory_bytes=GIB, ours=True)

CASES = {
    "all declared are there": (BOTH, seen(gpu(X), gpu(Y))),
    "one is missing": (BOTH, seen(gpu(Y))),
    "one fell off the bus": (BOTH, seen(gpu(X, lost=True), gpu(Y))),
    "a stranger uses one": (BOTH, seen(gpu(X, processes=(STRANGER, OURS)), gpu(Y))),
    "undeclared ones are nobody's business": (BOTH, seen(gpu(X), gpu(Y), gpu("GPU-cccccccc-3"))),
    "auto finds none": (AUTO, seen()),
    "auto finds one lost": (AUTO, seen(gpu(X, lost=True), gpu(Y))),
}


def test_each_finding_reads_as_recorded():
    assert_golden("gpus", {name: plan_gpus(wanted, found, view()) for name, (wanted, found) in CASES.items()})


def _condition(wanted, found):
    (condition,) = conditions_gpus(wanted, found, view())
    return condition.status.value, condition.reason, condition.message


def test_conditions():
    assert _condition(BOTH, seen(gpu(X), gpu(Y, encoder_sessions=3))) == (
        "True",
        "Present",
        "a RTX 4090, 9.0 of 24.0 GiB used; b RTX 4090, 9.0 of 24.0 GiB used, 3 encoder sessions",
    )
    assert _condition(BOTH, seen(gpu(Y)))[:2] == ("False", "Missing")
    assert _condition(AUTO, seen(gpu(X, lost=True)))[:2] == ("False", "Lost")
    assert _condition(AUTO, seen())[:2] == ("True", "Present")


def test_gpus_that_cannot_be_seen_are_unknown_and_never_absent():
    unseen = Unknown("NVML does not answer", NOW)
    assert plan_gpus(BOTH, unseen, view()).diagnostics == ()
    assert _condition(BOTH, unseen) == ("Unknown", "NotObserved", "NVML does not answer")
    assert applied_gpus(BOTH, unseen) == {}


def test_what_is_used_is_remembered_by_its_declared_name():
    assert applied_gpus(BOTH, seen(gpu(X))) == {"gpus.a": X}
