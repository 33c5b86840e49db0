"""Opens the operator's doors and keeps them as declared: socket, local port, metrics port.

At the start a port that is taken ends the operator, since nobody could see it otherwise; later, while it
holds a node, it keeps the door it has and says so. Called by the daemon at start and after each reading of
the files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.core.errors import OperatorError
from reconciler.operator.declared import DeclaredNode
from reconciler.operator.doors import control_door, local_door, metrics_door
from reconciler.operator.http import Handler, HttpDoor
from reconciler.operator.service import Operator
from reconciler.spec.declaration import Endpoint

_LAST_ANSWERS_S = 2.0

_LOG = logging.getLogger("reconciler.operator.listening")


@dataclass(slots=True)
class Doors:
    """All that the operator listens on."""

    operator: Operator
    declared: DeclaredNode
    _socket: HttpDoor | None = None
    _ports: dict[str, tuple[Endpoint, HttpDoor]] = field(default_factory=dict)

    async def open(self) -> None:
        """Raises `OperatorError` where an address is taken."""
        self._socket = HttpDoor(control_door(self.operator))
        await self._socket.open_unix(self.operator.layout.operator_socket)
        for name, endpoint, make in self._wanted():
            if endpoint is not None:
                await self._open(name, endpoint, make)

    async def follow(self) -> None:
        """Moves the ports to where they are declared now."""
        for name, endpoint, make in self._wanted():
            former = self._ports.get(name)
            if (former[0] if former else None) == endpoint:
                continue
            try:
                if endpoint is not None:
                    await self._open(name, endpoint, make)
                else:
                    del self._ports[name]
            except OperatorError as error:
                _LOG.warning("door.kept", extra={"fields": {"door": name, "reason": str(error)}})
                continue
            if former is not None:
                await former[1].close()

    async def close(self) -> None:
        for door in (self._socket, *(door for _endpoint, door in self._ports.values())):
            if door is not None:
                await door.close(grace_s=_LAST_ANSWERS_S)

    def _wanted(self) -> tuple[tuple[str, Endpoint | None, Callable[[Operator], Handler]], ...]:
        return (("cli", self.declared.cli, local_door), ("metrics", self.declared.metrics, metrics_door))

    async def _open(self, name: str, endpoint: Endpoint, make: Callable[[Operator], Handler]) -> None:
        door = HttpDoor(make(self.operator))
        try:
            await door.open_tcp(endpoint.host, endpoint.port)
        except OSError as error:
            raise OperatorError(
                f"cannot listen on {endpoint}: {error.strerror}",
                next_step=f"end what holds it, or declare another address in service.listen.{name}",
            ) from error
        self._ports[name] = (endpoint, door)
