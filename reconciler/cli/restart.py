"""`restart`: a process is replaced by a new one, beside it, without dropping work."""

from __future__ import annotations

import argparse

from reconciler.cli.arguments import add_files, add_json
from reconciler.cli.workplace import open_workplace

DESCRIPTION = """\
Starts a new process beside the old one, moves new work to it once it serves,
and ends the old one when its work is done. Waits until that is so.
"""

EXAMPLES = """\
examples:
  reconcile restart runtime            sessions go on in the new process
  reconcile restart edge               the port is handed over, no connection is refused
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["runtime", "edge"], help="what to replace")
    add_files(parser)
    add_json(parser, "what happens, an object per line")


def run(arguments: argparse.Namespace) -> int:
    from reconciler.cli.acting import Wish, converge  # noqa: PLC0415

    work = open_workplace(arguments)
    return converge(work, Wish(verb="restart", restart=arguments.what, as_json=arguments.json))
