"""`events`: what happened, from the journal, which anybody may read while the operator writes it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconciler.cli.arguments import add_files, add_json
from reconciler.cli.terminal import palette_for
from reconciler.cli.workplace import locate

if TYPE_CHECKING:
    from reconciler.core.journal import Recollection
    from reconciler.core.values import Event

DESCRIPTION = """\
Shows what was planned, applied, failed, given up, suspended; not acting is
told, too, with its reason. The last 10,000 events are kept.
"""

EXAMPLES = """\
examples:
  reconcile events                     the last 50
  reconcile events --follow --json     from now on, one JSON object per line
  reconcile events --after 1200        all after that sequence number
"""

_PAGE = 1_000
_LOOK_AGAIN_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_json(parser, "each event")
    parser.add_argument("--follow", action="store_true", help="wait for more until interrupted")
    parser.add_argument("--last", type=int, default=50, metavar="N", help="begin N events back (default: 50)")
    parser.add_argument("--after", type=int, metavar="SEQUENCE", help="begin after this sequence number")


def run(arguments: argparse.Namespace) -> int:
    from reconciler.operator.assembly import open_recollection  # noqa: PLC0415
    from reconciler.report.events import event_json, render_event  # noqa: PLC0415

    layout = locate(arguments)
    palette = palette_for(sys.stdout)

    def show(event: Event) -> None:
        text = json.dumps(event_json(event), ensure_ascii=False) if arguments.json else ""
        print(text or render_event(event, palette=palette))

    with open_recollection(layout) as recollection:
        known = deque(events_after(recollection, arguments.after or 0), maxlen=_most(arguments))
    after = known[-1].sequence if known else arguments.after or 0
    for event in known:
        show(event)
    while arguments.follow:
        sys.stdout.flush()
        time.sleep(_LOOK_AGAIN_S)
        with open_recollection(layout) as recollection:
            for event in events_after(recollection, after):
                show(event)
                after = event.sequence
    return 0


def _most(arguments: argparse.Namespace) -> int | None:
    return None if arguments.after is not None else max(0, arguments.last)


def events_after(recollection: Recollection, after: int) -> Iterator[Event]:
    while found := recollection.events(after=after, limit=_PAGE):
        yield from found
        after = found[-1].sequence
