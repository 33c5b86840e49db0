"""Values for the tests of resource kinds, and plans as text: one line per operation."""

import os
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from reconciler.core.kind import KindPlan, View
from reconciler.core.values import Known, Operation, Source, digest
from reconciler.resources.runtime.state import Mark, Program, RuntimeDesired, RuntimeProcess, RuntimesObserved
from reconciler.resources.settings.state import SettingsObserved
from reconciler.serving.capacity import Machine, VideoWish
from reconciler.serving.control import Health
from reconciler.serving.presets import Measurement, Reached
from reconciler.serving.spec import GatewayTerms, RequestLimits, completed, document
from reconciler.serving.status import RuntimeStatus, WorkerStatus
from reconciler.serving.wish import RuntimeWish, Surroundings

NOW = 1_800_000_000.0
GIB = 1024**3
A, B = "0x" + "a" * 40, "0x" + "b" * 40
PROGRAM = Program(digest="c0de", version="0.1.0", python="3.11.2")
NOTHING_AROUND = Surroundings(gpus=(), cache={})


def video(**changes):
    wish = VideoWish(
        sessions=4,
        workers=None,
        worker_memory_bytes=2 * GIB,
        gpus=(),
        uses_cpu=True,
        software_fallback=False,
    )
    return replace(wish, **changes)


def terms(name, address, *, price=None, reserve=0):
    return GatewayTerms(name=name, address=address, video_wei=price, reserve=reserve)


def wish(**changes):
    found = RuntimeWish(
        node="fra-1",
        version="0.9.1-reconciler.0.1.0",
        log="info",
        service_uri="https://fra.example.com:8935",
        admission="open",
        address=None,
        database="/data/money.db",
        renditions="/dev/shm/fra",
        log_file="/data/logs/runtime.log",
        preset="veryfast",
        video=video(),
        video_wei=Fraction(1200),
        gateways=(),
        limits=RequestLimits(body_bytes=300_000_000, body_idle_s=15, drain_s=60, session_idle_s=70, queue=4),
        machine=Machine(cpu="test", cores=2, memory_bytes=8 * GIB),
        versions="0.1.0, av 18",
        sources={
            "runtime.pricing.video": Source("orchestrator.yaml", 21),
            "runtime.sessions": Source("orchestrator.yaml", 12),
            "runtime.gateways.daydream": Source("orchestrator.yaml", 30),
        },
        relative=frozenset(),
    )
    return replace(found, **changes)


def accepted(of, *, around=NOTHING_AROUND, generation=7):
    """The document that a runtime started for this wish has."""
    return document(completed(of.spec(around), None), generation)


def settings_seen(of, *, sessions=0, around=NOTHING_AROUND, process=3):
    return Known(
        SettingsObserved(
            process=process,
            document=accepted(of, around=around) if process is not None else {},
            status=RuntimeStatus(sessions_live=sessions, serving=True),
            surroundings=around,
        ),
        NOW,
    )


def desired(**changes):
    return RuntimeDesired(
        wish=changes.pop("wish", wish()), program=changes.pop("program", PROGRAM), **changes
    )


def process(generation, *, health="ok", program=PROGRAM.digest, request="", of=None, sessions=0, **more):
    """A living runtime that is as wanted; `health` other than ok is what it says instead."""
    return RuntimeProcess(
        generation=generation,
        mark=Mark(program, request),
        alive=True,
        started_at=more.pop("started_at", NOW - 3600),
        health=Health(ok=health == "ok", reason="" if health == "ok" else health),
        document=accepted(of or wish()),
        status=RuntimeStatus(
            sessions_live=sessions,
            serving=True,
            workers=(WorkerStatus(name="cpu-0", state="ready"),),
            **more,
        ),
    )


def dead(generation, ending="exited 137"):
    return RuntimeProcess(
        generation=generation,
        mark=Mark(PROGRAM.digest),
        alive=False,
        started_at=NOW - 3600,
        ending=ending,
        document=accepted(wish()),
    )


def runtimes(*processes, routed=(), last=None, around=NOTHING_AROUND, stopped=False):
    newest = max((each.generation for each in processes), default=0)
    return Known(
        RuntimesObserved(
            processes=processes,
            routed=tuple(routed),
            surroundings=around,
            last_generation=last or newest,
            crashed=bool(processes) and not processes[-1].alive and not stopped,
        ),
        NOW,
    )


def view(applied=None, requests=None):
    digests = {target: digest(value) for target, value in (applied or {}).items()}
    return View(now=NOW, applied=digests, requests=requests or {})


def measurement(sessions=4, **reached):
    """Of presets and the sessions they hold, the fastest first."""
    reached = reached or {"ultrafast": 9, "fast": 4, "medium": 2}
    return Measurement(
        sessions=sessions,
        reached=tuple(Reached(preset, count) for preset, count in reached.items()),
        summary="on 2 cores",
        at=NOW - 86_400,
    )


def text_of(plan: KindPlan) -> list[str]:
    return [_lines(operation) for operation in plan.operations]


def assert_golden(name: str, plans: Mapping[str, KindPlan]) -> None:
    """Compares with `tests/golden/resources`; `UPDATE_GOLDEN=1` stores it instead (then read the diff)."""
    path = Path(__file__).parents[2] / "golden" / "resources" / f"{name}.txt"
    text = "".join(_section(case, plan) for case, plan in plans.items())
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def _section(case: str, plan: KindPlan) -> str:
    lines = [f"# {case}"]
    for said in plan.diagnostics:
        lines += [f"  {said.severity.value}: {said.summary}", f"    {said.detail}"]
    lines += text_of(plan) or ["  (nothing to do)"]
    return "\n".join(lines) + "\n\n"


def _lines(operation: Operation) -> str:
    impact = operation.impact.value + (f": {operation.impact_note}" if operation.impact_note else "")
    if operation.interrupts:
        impact += f" (interrupts {operation.interrupts})"
    lines = [
        f"  {operation.action.symbol} {operation.target}  {operation.change.shown}",
        f"      {operation.origin.value}: {operation.cause}",
        f"      impact {impact}",
        *(f"      {label} {text}" for label, text in operation.notes),
    ]
    if operation.depends_on:
        lines.append(f"      after {', '.join(operation.depends_on)}")
    return "\n".join(lines)
