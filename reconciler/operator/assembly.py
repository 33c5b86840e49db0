"""Puts a node together from its declared state: layout, journal, observers and, for those who act, actors.

The only place that knows where declarations come from and which kinds there are. `open_survey` hands out
nothing that can change anything; `open_engine` is for whoever holds the operator's lock. Heavy parts load
here, at first use, so that verbs that need none of it start fast.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from reconciler.core.clock import Clock, SystemClock
from reconciler.core.lock import Holder, OperatorLock
from reconciler.layout import Layout

if TYPE_CHECKING:
    from reconciler.core.engine import Announce, Engine
    from reconciler.core.journal import Journal, Recollection
    from reconciler.core.node import Node
    from reconciler.core.survey import Surveyor
    from reconciler.spec.declaration import Declaration


def load_declaration(files: Sequence[Path]) -> Declaration:
    """Raises `ConfigError` with every finding, also for what is valid and not supported yet."""
    from reconciler.spec.load import examine  # noqa: PLC0415
    from reconciler.spec.support import require_support  # noqa: PLC0415

    examined = examine(files)
    declaration = examined.accepted()
    require_support(declaration, examined.library)
    return declaration


def layout_of(declaration: Declaration) -> Layout:
    return Layout(data=declaration.paths.data, weights=declaration.paths.weights)


def build_observing(declaration: Declaration, layout: Layout) -> Node:
    """Observers only: in this process there is nothing that could change the node."""
    from reconciler.registry import build_node  # noqa: PLC0415

    return build_node(declaration, layout, acting=False)


def build_acting(declaration: Declaration, layout: Layout) -> Node:
    from reconciler.registry import build_node  # noqa: PLC0415

    return build_node(declaration, layout, acting=True)


@contextlib.contextmanager
def open_recollection(layout: Layout) -> Iterator[Recollection]:
    """What the operator remembers, read-only; empty where it never ran."""
    from reconciler.core.journal_memory import MemoryJournal  # noqa: PLC0415
    from reconciler.core.journal_sqlite import SqliteJournal  # noqa: PLC0415

    journal = SqliteJournal.open_read_only(layout.operator_database)
    if journal is None:
        yield MemoryJournal()
        return
    with contextlib.closing(journal):
        yield journal


@contextlib.contextmanager
def open_survey(declaration: Declaration, layout: Layout) -> Iterator[Surveyor]:
    from reconciler.core.survey import Surveyor  # noqa: PLC0415

    with open_recollection(layout) as recollection:
        yield Surveyor(build_observing(declaration, layout), recollection, clock=SystemClock())


@contextlib.contextmanager
def holding(layout: Layout, *, verb: str, pid: int, clock: Clock) -> Iterator[None]:
    """Holds the operator's lock; raises `LockHeld`, naming the holder, where somebody else does."""
    layout.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with OperatorLock.acquire(layout.operator_lock, Holder(pid, verb, clock.now())):
        yield


@contextlib.contextmanager
def open_journal(layout: Layout) -> Iterator[Journal]:
    """For the holder of the lock only."""
    from reconciler.core.journal_sqlite import SqliteJournal  # noqa: PLC0415

    with contextlib.closing(SqliteJournal.open(layout.operator_database)) as journal:
        yield journal


def make_engine(node: Node, journal: Journal, *, announce: Announce, clock: Clock) -> Engine:
    from reconciler.core.engine import Engine  # noqa: PLC0415

    return Engine(node, journal, clock=clock, random=Random(), announce=announce)  # noqa: S311 - jitter
