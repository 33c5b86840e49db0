"""`drift`: what moved although nobody changed the files. No actor exists in its process: it cannot act."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from reconciler.cli.arguments import add_files, add_json
from reconciler.cli.terminal import palette_for
from reconciler.cli.workplace import open_workplace

DESCRIPTION = """\
Compares the world with what was applied last. Changes nothing and cannot: it
is handed observers only. Exits 0 where nothing moved, 3 where something did.
"""

EXAMPLES = """\
examples:
  reconcile drift
  reconcile drift --json | jq '.resource_drift[].address'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_json(parser, "the drift, in the format of plans")


def run(arguments: argparse.Namespace) -> int:
    from reconciler.cli.looking import plan_now  # noqa: PLC0415
    from reconciler.core.exitcodes import of_drift  # noqa: PLC0415
    from reconciler.core.values import Origin  # noqa: PLC0415
    from reconciler.report.plan_json import plan_json  # noqa: PLC0415
    from reconciler.report.plan_text import render_drift  # noqa: PLC0415

    plan = plan_now(open_workplace(arguments))
    moved = replace(plan, steps=plan.of(Origin.DRIFT))
    if arguments.json:
        print(json.dumps(plan_json(moved), indent=2, ensure_ascii=False))
    else:
        print(render_drift(moved, palette=palette_for(sys.stdout)), end="")
    return int(of_drift(moved))
