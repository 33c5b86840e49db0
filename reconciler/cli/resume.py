"""`resume`: act again."""

from __future__ import annotations

import argparse

from reconciler.cli.arguments import add_files
from reconciler.cli.workplace import caller, locate

DESCRIPTION = """\
Ends a suspension. A running operator converges at once.
"""

EXAMPLES = """\
examples:
  reconcile resume
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)


def run(arguments: argparse.Namespace) -> int:
    from reconciler.operator.client import operator_client  # noqa: PLC0415

    layout = locate(arguments)
    client = operator_client(layout)
    if client is not None:
        client.post("/resume", {"by": caller()})
        print("Resumed; the operator acts again.")
        return 0
    from reconciler.cli.quiet import quiet_engine  # noqa: PLC0415

    with quiet_engine(layout, verb="resume") as engine:
        engine.resume(by=caller())
    print("Resumed; no operator runs (`reconcile run` starts it).")
    return 0
