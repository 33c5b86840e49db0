"""`history`: past runs by revision and result; equal ones in a row are one line with a count."""

from __future__ import annotations

import argparse
import json

from reconciler.cli.arguments import add_files, add_json
from reconciler.cli.workplace import locate

DESCRIPTION = """\
Shows which declared states were converged, with what result, when and how long
it took. Newest first.
"""

EXAMPLES = """\
examples:
  reconcile history
  reconcile history --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_json(parser, "the runs")


def run(arguments: argparse.Namespace) -> int:
    from reconciler.operator.assembly import open_recollection  # noqa: PLC0415
    from reconciler.report.status_json import run_json  # noqa: PLC0415
    from reconciler.report.status_text import render_runs  # noqa: PLC0415

    with open_recollection(locate(arguments)) as recollection:
        runs = recollection.runs()
    if arguments.json:
        print(json.dumps([run_json(each) for each in runs], indent=2))
    else:
        print("\n".join(render_runs(runs)) or "No runs yet.")
    return 0
