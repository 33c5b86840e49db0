"""`diff`: declared against observed values, target by target, as text."""

from __future__ import annotations

import argparse
import sys

from reconciler.cli.arguments import add_detailed_exitcode, add_files
from reconciler.cli.terminal import palette_for
from reconciler.cli.workplace import open_workplace

DESCRIPTION = """\
Shows only values: `-` as observed, `+` as declared. Why, impact and cost are
in `reconcile plan`. Looks, never locks, changes nothing.
"""

EXAMPLES = """\
examples:
  reconcile diff
  reconcile diff --detailed-exitcode   exit 0 no difference, 2 you changed it, 3 the world moved, 4 held back
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_detailed_exitcode(parser)


def run(arguments: argparse.Namespace) -> int:
    from reconciler.cli.looking import plan_now  # noqa: PLC0415
    from reconciler.core.exitcodes import Exit, of_plan  # noqa: PLC0415
    from reconciler.report.diff_text import render_diff  # noqa: PLC0415

    plan = plan_now(open_workplace(arguments))
    print(render_diff(plan, palette=palette_for(sys.stdout)), end="")
    return int(of_plan(plan, detailed=True) if arguments.detailed_exitcode else Exit.OK)
