"""`status`: how the node is. Asks the running operator, or looks by itself where none runs."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING

from reconciler.cli.arguments import add_files, add_json
from reconciler.cli.terminal import palette_for
from reconciler.cli.version import version
from reconciler.cli.workplace import Workplace, locate, open_workplace
from reconciler.layout import Layout
from reconciler.report.palette import PLAIN

if TYPE_CHECKING:
    from reconciler.report.status import OperatorProcess

DESCRIPTION = """\
Shows conditions, processes, what differs, what waits and until when, what was
given up and why, who suspended it. Never locks. With a running operator
it works even while the files have errors.
"""

EXAMPLES = """\
examples:
  reconcile status
  reconcile status --json | jq -r '.conditions[] | select(.status != "True") | .message'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_json(parser, "the status document")


def run(arguments: argparse.Namespace) -> int:
    from reconciler.operator.client import operator_client  # noqa: PLC0415

    palette = palette_for(sys.stdout)
    client = operator_client(locate(arguments))
    if client is None:
        return _look(open_workplace(arguments), as_json=arguments.json)
    if arguments.json:
        print(json.dumps(client.get("/status"), indent=2, ensure_ascii=False))
    else:
        colour = "0" if palette is PLAIN else "1"
        print(client.get_text("/status", format="text", colour=colour), end="")
    return 0


def _holder(layout: Layout) -> OperatorProcess | None:
    """An operator that holds the node without serving its socket: it is starting, or it hangs."""
    from reconciler.core.lock import read_holder  # noqa: PLC0415
    from reconciler.report.status import OperatorProcess  # noqa: PLC0415

    holder = read_holder(layout.operator_lock)
    return None if holder is None else OperatorProcess(pid=max(1, holder.pid), started_at=holder.since)


def _look(work: Workplace, *, as_json: bool) -> int:
    from reconciler.cli.narrator import Narrator  # noqa: PLC0415
    from reconciler.operator.account import node_status  # noqa: PLC0415
    from reconciler.operator.assembly import open_survey  # noqa: PLC0415
    from reconciler.report.status import NodeStatus  # noqa: PLC0415
    from reconciler.report.status_json import status_json  # noqa: PLC0415
    from reconciler.report.status_text import render_status  # noqa: PLC0415

    async def look() -> NodeStatus:
        core = await surveyor.status()
        return await node_status(core, work.layout, version=version(), operator=_holder(work.layout))

    with Narrator() as narrator, open_survey(work.declaration, work.layout) as surveyor:
        narrator.begin("look", "looking at the node")
        status = asyncio.run(look())
        narrator.end("look")
    if as_json:
        print(json.dumps(status_json(status), indent=2, ensure_ascii=False))
    else:
        print(render_status(status, palette=palette_for(sys.stdout)), end="")
    return 0
