"""`apply`: the plan, a question, then exactly that plan. A saved one is applied as it is, or not at all."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from reconciler.cli.arguments import add_files, add_force, add_json
from reconciler.cli.terminal import is_conversation, palette_for, say
from reconciler.cli.workplace import Workplace, open_workplace
from reconciler.core.errors import UsageError

DESCRIPTION = """\
Shows the plan, asks, and does exactly what was shown. If the world or the
files move in between, nothing is done and the exit code is 7. With FILE (from
`plan -o FILE`) that plan is applied without a question.
"""

EXAMPLES = """\
examples:
  reconcile apply                      show, ask, do
  reconcile apply --yes                show, do
  reconcile plan -o plan.json && reconcile apply plan.json
"""

_LARGEST_PLAN_BYTES = 32 * 1024 * 1024

Agreement = tuple[str, Mapping[str, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", nargs="?", metavar="FILE", help="a plan saved by `plan -o FILE`")
    add_files(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_force(parser)
    add_json(parser, "what happens, an object per line")


def run(arguments: argparse.Namespace) -> int:
    from reconciler.cli.acting import Wish, converge  # noqa: PLC0415

    saved = read_agreement(Path(arguments.plan)) if arguments.plan else None
    work = open_workplace(arguments)
    agreed = saved or _agree(work, arguments)
    if agreed is None:
        return 0
    wish = Wish(
        verb="apply", force=arguments.force, agreed=agreed, as_json=arguments.json, quiet_plan=saved is None
    )
    return converge(work, wish)


def _agree(work: Workplace, arguments: argparse.Namespace) -> Agreement | None:
    """What the reader said yes to, or nothing where there is nothing to do or the answer was no."""
    from reconciler.cli.acting import agreement  # noqa: PLC0415
    from reconciler.cli.looking import plan_now  # noqa: PLC0415
    from reconciler.report.plan_text import render_plan  # noqa: PLC0415
    from reconciler.report.summary import is_held  # noqa: PLC0415

    plan = plan_now(work, force=arguments.force)
    if not arguments.json:
        print(render_plan(plan, palette=palette_for(sys.stdout)), end="", flush=True)
    if plan.is_empty and not arguments.json:
        return None
    if all(is_held(step) for step in plan.steps):
        return agreement(plan)  # nothing to ask for: what follows says what holds it, and exits 4
    if not arguments.yes and not arguments.json and not _is_wanted():
        say("Nothing was changed.")
        return None
    if arguments.json and not arguments.yes:
        raise UsageError("--json cannot ask", next_step="add --yes, or apply a saved plan")
    return agreement(plan)


def _is_wanted() -> bool:
    if not is_conversation():
        raise UsageError(
            "nobody can be asked: this is no terminal", next_step="add --yes, or apply a saved plan"
        )
    say("Do this? Only `yes` is yes: ")
    return sys.stdin.readline().strip() == "yes"


def read_agreement(path: Path) -> Agreement:
    """Of a saved plan. Raises `UsageError` for what is none, or one of another major version."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST_PLAN_BYTES))
        major = str(found["format_version"]).partition(".")[0]
        plan_id = str(found["plan_id"])
        fingerprints = {str(each["id"]): str(each["fingerprint"]) for each in found["resource_changes"]}
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", next_step="name a file that `plan -o` wrote") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no saved plan", next_step="name a file that `plan -o` wrote") from error
    if major != "1":
        raise UsageError(f"{path} has plan format {major}, this version knows 1", next_step="plan again")
    return plan_id, fingerprints
