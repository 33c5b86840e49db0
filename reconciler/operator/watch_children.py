"""Notices within milliseconds that a child ended, adopted ones included, and says so to the loop.

Finds children by their identities and waits on each through its own descriptor; looks for new ones after each
run and every few seconds. It starts and ends nothing; what follows from an ending is for the planner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from reconciler.children import Child, observe_children, watch
from reconciler.layout import Layout

_LOOK_AGAIN_S = 5.0

_LOG = logging.getLogger("reconciler.operator.children")

Ended = Callable[[Child, str], None]


class ChildWatch:
    """`ended` hears of each child once, with how it ended (empty where unknown)."""

    def __init__(self, layout: Layout, ended: Ended) -> None:
        self._layout = layout
        self._ended = ended
        self._watched: dict[tuple[str, int, int], asyncio.Task[None]] = {}
        self._look = asyncio.Event()

    def look(self) -> None:
        """There may be new children."""
        self._look.set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._look.clear()
                self._find()
                try:
                    async with asyncio.timeout(_LOOK_AGAIN_S):
                        await self._look.wait()
                except TimeoutError:
                    continue
        finally:
            for task in self._watched.values():
                task.cancel()

    def _find(self) -> None:
        try:
            found = observe_children(self._layout)
        except OSError as error:
            _LOG.warning("children.unseen", extra={"fields": {"reason": str(error)}})
            return
        for child in found:
            key = (child.role, child.generation, child.pid)
            if child.alive and key not in self._watched:
                self._watched[key] = asyncio.create_task(self._wait(key, child))

    async def _wait(self, key: tuple[str, int, int], child: Child) -> None:
        try:
            how = await watch(self._layout, child)
        except OSError as error:
            _LOG.warning("children.unwatched", extra={"fields": {"child": child.name, "reason": str(error)}})
            return
        finally:
            self._watched.pop(key, None)
        self._ended(child, how)
