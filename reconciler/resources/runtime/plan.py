"""Which runtime processes to start, route to and retire. PURE.

Level-triggered: it looks at what runs now and assumes nothing about how that came to be, so a swap that an
operator's death interrupted is simply gone on with. Requests go to exactly one process, and that one serves
before the route moves; the others end only after it moved. Called by the core's planner through the registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.kind import KindPlan, View
from reconciler.core.values import (
    Action,
    Cause,
    Change,
    Impact,
    Known,
    Observation,
    Operation,
    OperationId,
    Origin,
)
from reconciler.resources.runtime.state import (
    KIND,
    PROCESS,
    ROUTE,
    ROUTED,
    RuntimeDesired,
    RuntimeProcess,
    RuntimesObserved,
    Unfit,
    is_ready,
    judge,
    wanted_process,
)
from reconciler.resources.runtime.words import (
    drain_words,
    ended_words,
    generation_words,
    running_words,
    size_words,
    start_impact_words,
)
from reconciler.serving.spec import drain_seconds

LANE = "runtime"
START = OperationId("runtime.process:start")
_PREREQUISITES = (
    OperationId("data_directory.data"),
    OperationId("data_directory.run"),
    OperationId("data_directory.renditions"),
)
_KILL_WAIT_S = 30.0


def plan_runtime(desired: RuntimeDesired, observed: Observation, view: View) -> KindPlan:
    if not isinstance(observed, Known) or not isinstance(observed.value, RuntimesObserved):
        return KindPlan()
    decision = _Decision.of(desired, observed.value, view)
    operations = decision.operations()
    touched = {operation.target for operation in operations}
    return KindPlan(
        operations=operations,
        unchanged=len({PROCESS, ROUTE} - touched),
        running=running_words(observed.value),
    )


@dataclass(frozen=True, slots=True)
class _Decision:
    """What the look came to. `current` is the living process that stays; None: a new one is needed."""

    desired: RuntimeDesired
    seen: RuntimesObserved
    view: View
    current: RuntimeProcess | None
    faults: dict[int, Unfit]

    @classmethod
    def of(cls, desired: RuntimeDesired, seen: RuntimesObserved, view: View) -> _Decision:
        request = view.requests.get(PROCESS, "")
        verdicts = {
            process.generation: judge(
                process, desired, request=request, routed=process.generation in seen.routed, now=view.now
            )
            for process in seen.alive
        }
        fit = [process for process in seen.alive if verdicts[process.generation] is None]
        ready = [process for process in fit if is_ready(process)]
        routed = [process for process in ready if process.generation in seen.routed]
        current = next((group[-1] for group in (routed, ready, fit) if group), None)
        faults = {generation: verdict for generation, verdict in verdicts.items() if verdict}
        return cls(desired, seen, view, current, faults)

    @property
    def next_generation(self) -> int:
        return self.seen.last_generation + 1

    @property
    def target_generation(self) -> int:
        return self.current.generation if self.current else self.next_generation

    @property
    def replaced(self) -> RuntimeProcess | None:
        """The process whose work the new one takes over."""
        return None if self.current else self.seen.present

    def operations(self) -> tuple[Operation, ...]:
        found: list[Operation] = []
        if self.current is None:
            found.append(self._start())
        if self.seen.routed != (self.target_generation,):
            found.append(self._route())
        others = [process for process in self.seen.alive if process is not self.current]
        return (*found, *(self._retire(process) for process in others))

    def _start(self) -> Operation:
        replaced = self.replaced
        fault = self.faults.get(replaced.generation) if replaced else None
        dead = next(reversed(self.seen.processes), None) if not replaced else None
        ended = ended_words(dead, crashed=self.seen.crashed) if dead else None
        wanted = wanted_process(self.desired)
        limit = self.desired.start_limit_s
        request = self.view.requests.get(PROCESS, "")
        return Operation(
            id=START,
            kind=KIND,
            verb="start",
            target=PROCESS,
            action=Action.RESTART if self.seen.crashed else Action.CREATE,
            origin=self._origin(fault),
            cause=Cause(fault.reason if fault else ended or "declared, and none is running"),
            # Without a generation: however many starts fail, it stays the same difference. A new wish is not.
            change=Change(
                before=fault.reason if fault else None,
                after={"process": wanted, "request": request or None},
                shown=generation_words(self.next_generation, replaced, dead if self.seen.crashed else None),
            ),
            lane=LANE,
            impact=Impact.REPLACE if replaced else Impact.NONE,
            impact_note=start_impact_words(replaced, crashed=self.seen.crashed),
            depends_on=_PREREQUISITES,
            precondition={
                "alive": [process.generation for process in self.seen.alive],
                "failing": replaced.generation if replaced and fault and fault.moved else None,
            },
            arguments={"generation": self.next_generation, "request": request},
            notes=(
                ("program", str(self.desired.program)),
                ("video", size_words(self.desired.wish, self.seen.surroundings)),
            ),
            timeout_s=limit + _KILL_WAIT_S,
        )

    def _origin(self, fault: Unfit | None) -> Origin:
        if fault is not None and fault.requested:
            return Origin.REQUEST
        if fault is not None and fault.moved:
            return Origin.DRIFT
        return self.view.origin(PROCESS, wanted_process(self.desired))

    def _route(self) -> Operation:
        starts = self.current is None
        former = self.seen.routed
        return Operation(
            id=OperationId(ROUTE),
            kind=KIND,
            verb="route",
            target=ROUTE,
            action=Action.UPDATE if former else Action.CREATE,
            origin=self._start().origin if starts else self._route_origin(),
            cause=Cause(self._route_cause()),
            change=Change(
                before=list(former),
                after="new" if starts else [self.target_generation],
                shown=_route_words(former, self.target_generation),
            ),
            lane=LANE,
            impact_note="requests in flight end where they are" if self.seen.alive and former else "",
            depends_on=(START,) if starts else (),
            precondition={"routed": list(former)},
            arguments={"generation": self.target_generation},
            timeout_s=self.desired.start_limit_s + _KILL_WAIT_S,
        )

    def _route_origin(self) -> Origin:
        faults = [self.faults[number] for number in self.seen.routed if number in self.faults]
        return self._origin(faults[0]) if faults else self.view.origin(ROUTE, ROUTED)

    def _route_cause(self) -> str:
        former = self.seen.routed
        if not former:
            return "the edge has nobody to send requests to"
        alive = {process.generation for process in self.seen.alive}
        gone = [number for number in former if number not in alive]
        if gone:
            return f"generation {', '.join(map(str, gone))} is gone"
        bad = next((self.faults[number].reason for number in former if number in self.faults), "")
        return f"generation {former[-1]}: {bad}" if bad else "exactly one process gets new requests"

    def _retire(self, process: RuntimeProcess) -> Operation:
        limit = drain_seconds(process.document, self.desired.wish.limits.drain_s)
        fault = self.faults.get(process.generation)
        routed = process.generation in self.seen.routed
        reason = fault.reason if fault else f"generation {self.target_generation} is the one that serves"
        moves = self.seen.routed != (self.target_generation,)
        return Operation(
            id=OperationId(f"{PROCESS}:retire-{process.generation}"),
            kind=KIND,
            verb="retire",
            target=PROCESS,
            action=Action.DELETE,
            origin=self._start().origin if self.current is None else self._origin(fault),
            cause=Cause(reason),
            change=Change(before=process.generation, shown=f"generation {process.generation}"),
            lane=f"runtime-{process.generation}",
            impact=Impact.DRAIN if routed else Impact.NONE,
            impact_note=drain_words(process, limit) if routed else "it gets no requests",
            depends_on=(OperationId(ROUTE),) if moves else (),
            precondition={"alive": process.generation},
            arguments={"generation": process.generation, "grace_s": limit},
            timeout_s=limit + _KILL_WAIT_S,
        )


def _route_words(former: tuple[int, ...], target: int) -> str:
    after = f"generation {target}"
    return f"generation {' + '.join(map(str, former))} -> {after}" if former else f"new requests to {after}"
