"""`plan`: what would be done now, as text, JSON or Markdown. Looks, never locks, changes nothing."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reconciler.cli.arguments import add_detailed_exitcode, add_files, add_force, add_json
from reconciler.cli.terminal import palette_for, say
from reconciler.cli.workplace import Workplace, open_workplace

DESCRIPTION = """\
Shows every operation with its cause, its impact on running jobs, what it costs
and whether it can be undone. What the world changed and what you changed stand
apart. Works beside a running operator and without one.
"""

EXAMPLES = """\
examples:
  reconcile plan
  reconcile plan --detailed-exitcode   exit 0 nothing to do, 2 you changed it, 3 the world moved, 4 held back
  reconcile plan --json | jq .summary
  reconcile plan --markdown            for a pull request's comment
  reconcile plan -o plan.json && reconcile apply plan.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_json(parser, "the plan")
    parser.add_argument("--markdown", action="store_true", help="print the plan as Markdown")
    parser.add_argument("-o", "--out", metavar="FILE", help="also write the plan to FILE, for `apply FILE`")
    add_detailed_exitcode(parser)
    add_force(parser)


def run(arguments: argparse.Namespace) -> int:
    return show_plan(open_workplace(arguments), arguments)


def show_plan(work: Workplace, arguments: argparse.Namespace) -> int:
    """Also what `reconcile --dry-run` does."""
    from reconciler.cli.looking import plan_now  # noqa: PLC0415
    from reconciler.core.exitcodes import of_plan  # noqa: PLC0415
    from reconciler.report.plan_json import plan_json  # noqa: PLC0415

    plan = plan_now(work, force=arguments.force)
    out = getattr(arguments, "out", None)
    if out:
        Path(out).write_text(json.dumps(plan_json(plan), indent=2, ensure_ascii=False) + "\n")
        say(f"Saved as {out}; `reconcile apply {out}` does exactly this, or nothing.")
    if arguments.json:
        print(json.dumps(plan_json(plan), indent=2, ensure_ascii=False))
    elif getattr(arguments, "markdown", False):
        from reconciler.report.plan_markdown import render_plan_markdown  # noqa: PLC0415

        print(render_plan_markdown(plan), end="")
    else:
        from reconciler.report.plan_text import render_plan  # noqa: PLC0415

        print(render_plan(plan, palette=palette_for(sys.stdout), dry_run=True), end="")
    return int(of_plan(plan, detailed=arguments.detailed_exitcode))
