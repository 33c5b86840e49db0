"""The bare command: converge once, or with `--dry-run` only say what that would do."""

from __future__ import annotations

import argparse

from reconciler.cli.arguments import add_detailed_exitcode, add_files, add_force, add_json

DESCRIPTION = """\
Makes this node what its files declare: looks, plans, acts, looks again.
Without an operator running it takes the node's lock, converges once and leaves
the children serving; with one running it asks that one, and waits.
"""

EXAMPLES = """\
examples:
  reconcile --dry-run                  what would be done, why, and what it costs
  reconcile                            do it
  reconcile -f base.yaml -f fra-1.yaml files on top of each other, later ones win
  reconcile run                        do it, and keep it so
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the plan and change nothing")
    add_force(parser)
    add_json(parser, "what happens, an object per line (with --dry-run: the plan)")
    add_detailed_exitcode(parser)
    parser.add_argument("--version", action="store_true", help="print the version")


def run(arguments: argparse.Namespace) -> int:
    if arguments.version:
        from reconciler.cli.version import version  # noqa: PLC0415

        print(f"reconcile {version()}")
        return 0
    from reconciler.cli.workplace import open_workplace  # noqa: PLC0415

    work = open_workplace(arguments)
    if arguments.dry_run:
        from reconciler.cli.plan import show_plan  # noqa: PLC0415

        return show_plan(work, arguments)
    from reconciler.cli.acting import Wish, converge  # noqa: PLC0415

    return converge(work, Wish(verb="", force=arguments.force, as_json=arguments.json))
