"""Converges the node for the verbs that change it: through the running operator, or here under its lock.

Both ways tell the same lines to the same listener, so a verb does not know which one it was. Never waits
for a lock: somebody else's is an error that names the holder.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex

from reconciler.children import observe_children
from reconciler.cli.narrator import Narrator
from reconciler.cli.terminal import palette_for, say
from reconciler.cli.version import version
from reconciler.cli.workplace import Workplace, caller
from reconciler.core.clock import SystemClock
from reconciler.core.errors import OperatorError
from reconciler.core.values import Json, Plan
from reconciler.operator.client import OperatorClient, operator_client
from reconciler.report.palette import PLAIN

UNSUPERVISED = (
    "The children serve on unsupervised; `reconcile run` supervises them, `reconcile stop` ends them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to converge. `agreed` is a plan somebody said yes to, as plan id and fingerprints by operation."""

    verb: str
    force: bool = False
    restart: str | None = None
    agreed: tuple[str, Mapping[str, str]] | None = None
    as_json: bool = False
    quiet_plan: bool = False


@dataclass(frozen=True, slots=True)
class Agreed:
    plan_id: str
    fingerprints: Mapping[str, str]


def agreement(plan: Plan) -> tuple[str, Mapping[str, str]]:
    return plan.plan_id, {str(operation.id): operation.fingerprint for operation in plan.operations}


def converge(work: Workplace, wish: Wish) -> int:
    """Returns the exit code of the last line told."""
    client = operator_client(work.layout)
    with Narrator(show_plan=not wish.quiet_plan) as narrator:
        hear = _print_line if wish.as_json else narrator.hear
        code = _through(client, work, wish, hear) if client else _here(work, wish, hear)
    if client is None and not wish.as_json and any(child.alive for child in observe_children(work.layout)):
        say(UNSUPERVISED)
    return code


def _print_line(line: dict[str, Json]) -> None:
    if line.get("type") != "plan_text":
        print(json.dumps(line, ensure_ascii=False), flush=True)


def _through(
    client: OperatorClient, work: Workplace, wish: Wish, hear: Callable[[dict[str, Json]], None]
) -> int:
    body: dict[str, Json] = {
        "force": wish.force,
        "by": caller(),
        "colour": palette_for(sys.stdout) is not PLAIN,
        "restart": wish.restart,
        "revision": work.declaration.revision,
        "expected": None
        if wish.agreed is None
        else {"plan_id": wish.agreed[0], "fingerprints": dict(wish.agreed[1])},
    }
    return follow(client, "/reconcile", body, hear=hear)


def follow(
    client: OperatorClient,
    path: str,
    body: Mapping[str, Json],
    *,
    hear: Callable[[dict[str, Json]], None],
) -> int:
    """Hears everything the operator tells; returns the exit code of its last line."""
    code: int | None = None
    for line in client.post_lines(path, body):
        hear(line)
        found = line.get("exit_code") if line.get("type") == "result" else None
        code = found if isinstance(found, int) else code
    if code is None:
        raise OperatorError(
            "the operator ended before it was done", next_step="`reconcile status` shows how far it came"
        )
    return code


def _here(work: Workplace, wish: Wish, hear: Callable[[dict[str, Json]], None]) -> int:
    from reconciler.cli.looking import plan_now  # noqa: PLC0415
    from reconciler.operator.assembly import build_acting, holding, make_engine, open_journal  # noqa: PLC0415
    from reconciler.operator.convergence import converge_to_the_end, insist_on_agreed  # noqa: PLC0415
    from reconciler.operator.service import restart_target  # noqa: PLC0415
    from reconciler.operator.telling import Teller  # noqa: PLC0415

    clock = SystemClock()
    agreed = None if wish.agreed is None else Agreed(*wish.agreed)
    if agreed is not None and not work.layout.data.exists():
        # The lock makes the data directory, which the agreed plan wanted to make: compare before that.
        insist_on_agreed(agreed, plan_now(work, force=wish.force))
        agreed = None
    with (
        holding(work.layout, verb=wish.verb, pid=os.getpid(), clock=clock),
        open_journal(work.layout) as journal,
    ):
        node = build_acting(work.declaration, work.layout)
        engine = make_engine(node, journal, announce=lambda _event: None, clock=clock)
        if wish.restart is not None:
            engine.request(restart_target(wish.restart), token_hex(8), by=caller())
        suspension = journal.memory().suspension
        held = suspension if suspension and suspension.holds(clock.now()) else None
        teller = Teller(hear, clock=clock, version=version(), palette=palette_for(sys.stdout))
        return asyncio.run(
            converge_to_the_end(
                engine,
                teller,
                force=wish.force,
                expected=agreed,
                suspension=held,
            )
        )
