"""`refusals`: work that the node refused, counted by reason and gateway, as the runtime counts it."""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from reconciler.cli.arguments import add_files, add_json
from reconciler.cli.workplace import locate
from reconciler.core.errors import Unreachable

DESCRIPTION = """\
Every refused job is money not earned: this shows why, how often, and to whom.
Counted since the serving runtime started.
"""

EXAMPLES = """\
examples:
  reconcile refusals
  reconcile refusals --json | jq '.[] | select(.reason == "capped") | .count'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_json(parser, "the counts")


def run(arguments: argparse.Namespace) -> int:
    from reconciler.operator.account import refusals_of, runtime_account  # noqa: PLC0415
    from reconciler.report.status_json import refusal_json  # noqa: PLC0415
    from reconciler.report.status_text import render_refusals  # noqa: PLC0415

    account = asyncio.run(runtime_account(locate(arguments)))
    if account is None:
        raise Unreachable("no runtime answers", next_step="`reconcile status` says what runs")
    refusals = refusals_of(account)
    if arguments.json:
        print(json.dumps([refusal_json(each) for each in refusals], indent=2))
    else:
        print("\n".join(render_refusals(refusals, time.time())) or "Nothing was refused.")
    return 0
