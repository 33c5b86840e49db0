"""`suspend`: acting off, watching and serving on. Who, why and until when is on record."""

from __future__ import annotations

import argparse
from datetime import datetime

from reconciler.cli.arguments import add_files
from reconciler.cli.workplace import caller, locate
from reconciler.core.clock import SystemClock
from reconciler.core.errors import UsageError

DESCRIPTION = """\
Stops acting on the node: nothing is started, changed or ended by the operator,
whatever moves, until `resume` or the given moment. Jobs go on, and the status
says who suspended it and why.
"""

EXAMPLES = """\
examples:
  reconcile suspend --reason "moving racks" --for 2h
  reconcile suspend --reason "debugging" --until 2026-12-01T08:00:00Z
  reconcile resume
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    parser.add_argument(
        "--reason", required=True, metavar="TEXT", help="why; shown in the status and the events"
    )
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument("--for", dest="span", metavar="DURATION", help="for so long: 30m, 2h, 1d")
    ending.add_argument("--until", metavar="TIME", help="until this moment, RFC 3339")


def run(arguments: argparse.Namespace) -> int:
    from reconciler.operator.client import operator_client  # noqa: PLC0415
    from reconciler.report.quantities import render_clock  # noqa: PLC0415

    if not arguments.reason.strip():
        raise UsageError("--reason is empty", next_step="say why: whoever finds the node suspended reads it")
    until = end_of(arguments.span, arguments.until, now=SystemClock().now())
    layout = locate(arguments)
    client = operator_client(layout)
    if client is not None:
        client.post("/suspend", {"reason": arguments.reason, "by": caller(), "until": until})
    else:
        from reconciler.cli.quiet import quiet_engine  # noqa: PLC0415

        with quiet_engine(layout, verb="suspend") as engine:
            engine.suspend(reason=arguments.reason, by=caller(), until=until)
    ending = render_clock(until) if until is not None else "`reconcile resume`"
    print(f"Suspended until {ending}. What runs goes on.")
    return 0


def end_of(span: str | None, until: str | None, *, now: float) -> float | None:
    """The moment meant, in unix seconds. Raises `UsageError` for one that has passed or makes no sense."""
    if span is not None:
        from reconciler.spec.units import UnitError, read_duration  # noqa: PLC0415

        try:
            return now + float(read_duration(span))
        except UnitError as error:
            raise UsageError(f"--for {span}: {error}", next_step="write 30m, 2h or 1d") from error
    if until is None:
        return None
    try:
        moment = datetime.fromisoformat(until)
    except ValueError as error:
        raise UsageError(f"--until {until}: {error}", next_step="write 2026-12-01T08:00:00Z") from error
    if moment.tzinfo is None:
        raise UsageError(f"--until {until}: no time zone", next_step="write Z or an offset after the time")
    if moment.timestamp() <= now:
        raise UsageError(f"--until {until}: that has passed")
    return moment.timestamp()
