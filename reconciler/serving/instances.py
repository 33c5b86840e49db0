"""Which runtime processes there are, and which of them gets new requests.

Read from the children's identities and from the endpoints file that the edge follows; nothing else is
believed. Called by the observers and actors of the kinds `runtime`, `settings` and `presets`. It changes
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reconciler.children import Child, observe_children
from reconciler.layout import Layout
from reconciler.routes import parse_endpoints

ROLE = "runtime"
_ENDED_ON_PURPOSE = "exited 0"
_SOCKET = re.compile(r"runtime-([0-9]{1,10})\.sock")
_LONGEST_ROUTES_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """The runtime's children by generation; the generations that the edge sends requests to, ascending.

    `with_socket` are generations whose control socket is there: one that ends on purpose takes it along.
    """

    children: tuple[Child, ...]
    routed: tuple[int, ...]
    with_socket: frozenset[int] = frozenset()

    @property
    def alive(self) -> tuple[Child, ...]:
        return tuple(child for child in self.children if child.alive)

    @property
    def serving(self) -> int | None:
        """The generation that serves: the newest living one with a route, else the newest living one."""
        alive = [child.generation for child in self.alive]
        return max((number for number in alive if number in self.routed), default=max(alive, default=None))

    @property
    def crashed(self) -> bool:
        """Whether the last one died and did not end on purpose."""
        last = next(reversed(self.children), None)
        if last is None or last.alive or last.ending == _ENDED_ON_PURPOSE:
            return False
        return bool(last.ending) or last.generation in self.with_socket


def look_at_instances(layout: Layout) -> Instances:
    """Raises OSError where it cannot look; files that are not there mean that there is nothing."""
    children = tuple(child for child in observe_children(layout) if child.role == ROLE)
    with_socket = (
        child.generation for child in children if layout.runtime_control(child.generation).exists()
    )
    return Instances(children=children, routed=routed_generations(layout), with_socket=frozenset(with_socket))


def routed_generations(layout: Layout) -> tuple[int, ...]:
    """Of the endpoints file. One that cannot be understood routes to nobody, and is written anew."""
    try:
        with open(layout.edge_routes, "rb") as file:
            sockets = parse_endpoints(file.read(_LONGEST_ROUTES_BYTES))
    except (FileNotFoundError, ValueError):
        return ()
    found = {number for socket in sockets if (number := _generation(layout, socket)) is not None}
    return tuple(sorted(found))


def _generation(layout: Layout, socket: Path) -> int | None:
    match = _SOCKET.fullmatch(socket.name)
    return int(match[1]) if match and socket.parent == layout.run else None
