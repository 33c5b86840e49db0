"""`stop`: no new work, then the runtime, the edge and the operator end. Nothing is left running."""

from __future__ import annotations

import argparse
import asyncio
import os
import time

from reconciler.cli.arguments import add_files
from reconciler.cli.narrator import Narrator
from reconciler.cli.workplace import locate
from reconciler.core.clock import SystemClock
from reconciler.core.errors import OperatorError, UsageError
from reconciler.core.lock import read_holder
from reconciler.layout import Layout
from reconciler.operator.client import OperatorClient, operator_client
from reconciler.report.stream import progress_text_line

DESCRIPTION = """\
Refuses new sessions, lets the running ones end for as long as the declaration
says, then ends the runtime, the edge and the operator. Keys, databases and
logs stay. Works with and without a running operator, and also while the files
have errors.
"""

EXAMPLES = """\
examples:
  reconcile stop
  reconcile stop --drain 10s           give running sessions ten seconds
  reconcile stop --now                 end sessions now; requests in flight still end
"""

_OPERATOR_ENDS_WITHIN_S = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument("--drain", metavar="DURATION", help="how long running sessions may go on: 30s, 5m")
    ending.add_argument("--now", action="store_true", help="do not wait for running sessions")


def run(arguments: argparse.Namespace) -> int:
    drain_s = 0.0 if arguments.now else _seconds(arguments.drain)
    layout = locate(arguments)
    client = operator_client(layout)
    with Narrator() as narrator:
        if client is None:
            return _stop_here(layout, narrator, drain_s)
        return _stop_operator(client, layout, narrator, drain_s)


def _stop_operator(client: OperatorClient, layout: Layout, narrator: Narrator, drain_s: float | None) -> int:
    from reconciler.cli.acting import follow  # noqa: PLC0415

    code = follow(client, "/stop", {"drain_s": drain_s}, hear=narrator.hear)
    ends_at = time.monotonic() + _OPERATOR_ENDS_WITHIN_S
    narrator.begin("operator", "waiting for the operator to end")
    while holder := read_holder(layout.operator_lock):
        if time.monotonic() > ends_at:
            raise OperatorError(f"{holder} has not ended", next_step="look at it; SIGTERM ends it by force")
        time.sleep(0.05)
    return code


def _stop_here(layout: Layout, narrator: Narrator, drain_s: float | None) -> int:
    from reconciler.operator.assembly import holding, open_journal  # noqa: PLC0415
    from reconciler.operator.stopping import Stopping, forget_serving  # noqa: PLC0415

    if not layout.data.exists():
        print("Nothing to stop: this node never ran.")
        return 0
    clock = SystemClock()
    with holding(layout, verb="stop", pid=os.getpid(), clock=clock):
        stopping = Stopping(
            layout=layout,
            clock=clock,
            tell=lambda text: narrator.hear(progress_text_line(text, clock.now())),
            drain_s=drain_s,
        )
        asyncio.run(stopping.run())
        if layout.operator_database.exists():
            with open_journal(layout) as journal:
                forget_serving(journal)
    print("Stopped; nothing is left running.")
    return 0


def _seconds(text: str | None) -> float | None:
    from reconciler.spec.units import UnitError, read_duration  # noqa: PLC0415

    if text is None:
        return None
    try:
        return float(read_duration(text))
    except UnitError as error:
        raise UsageError(f"--drain {text}: {error}", next_step="write 30s or 5m") from error
