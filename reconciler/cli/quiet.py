"""An engine without any kind: for verbs that only leave a note in the journal where no operator runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from reconciler.core.clock import SystemClock
from reconciler.core.engine import Engine
from reconciler.core.node import Node
from reconciler.core.values import Revision
from reconciler.layout import Layout
from reconciler.operator.assembly import holding, make_engine, open_journal


@contextlib.contextmanager
def quiet_engine(layout: Layout, *, verb: str) -> Iterator[Engine]:
    """Holds the operator's lock. There is nothing in it that could act on the node."""
    clock = SystemClock()
    nobody = Node(name="", revision=Revision(""), kinds=(), observers={})
    with holding(layout, verb=verb, pid=os.getpid(), clock=clock), open_journal(layout) as journal:
        yield make_engine(nobody, journal, announce=lambda _event: None, clock=clock)
