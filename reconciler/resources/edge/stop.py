"""Ends the edge on purpose: `reconcile stop` and nothing else.

Clients are asked to finish (GOAWAY, `connection: close`), those that keep a request get the time given,
then every Envoy of the node ends. Idempotent: a stopped edge is left stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from reconciler.children import end_child, keep_ending, observe_children
from reconciler.layout import Layout
from reconciler.resources.edge.admin import AdminSilent, EdgeAdmin
from reconciler.resources.edge.state import BASE_ID_ATTEMPTS, ROLE, STOPPED, base_id

_LOOK_EVERY_S = 0.1
_END_WITHIN_S = 5.0
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Envoy itself puts it


async def stop_edge(layout: Layout, admin: EdgeAdmin, *, drain_s: float) -> str:
    """Returns what was ended. Requests in flight get `drain_s`."""
    living = [child for child in observe_children(layout) if child.role == ROLE and child.alive]
    if not living:
        _forget_shared_memory(layout)
        return "the edge was not running"
    sockets = [layout.run / f"edge-{child.generation}.sock" for child in living]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(drain_s):
            await asyncio.gather(*(_drain(admin, socket) for socket in sockets))
    ending = (end_child(layout, child, grace_s=_END_WITHIN_S) for child in reversed(living))
    for child, gone in zip(reversed(living), await asyncio.gather(*ending), strict=True):
        if gone:
            keep_ending(layout, child, STOPPED)  # it is nobody's child: no one else would ever know
    _forget_shared_memory(layout)
    return f"the edge has ended (pid {', '.join(str(child.pid) for child in living)})"


async def _drain(admin: EdgeAdmin, socket: Path) -> None:
    """Until nobody is connected. A silent one (a handed-over parent) drains by itself already."""
    with contextlib.suppress(AdminSilent):
        await admin.drain(socket)
        while True:
            if not (await admin.look(socket)).connections:
                return
            await asyncio.sleep(_LOOK_EVERY_S)


def _forget_shared_memory(layout: Layout) -> None:
    """What hot restarts shared. Envoy itself removes it only when it starts again."""
    for attempt in range(BASE_ID_ATTEMPTS):
        number = base_id(layout.identity, attempt) * 10
        (_SHARED_MEMORY / f"envoy_shared_memory_{number}").unlink(missing_ok=True)
