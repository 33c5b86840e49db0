"""Looks at the edge: its processes, what they say of themselves, the files they read, who has the port.

Changes nothing. Answers `Unknown` where looking failed. A process that lives but whose admin is silent is
observed with an empty state: it serves for all we know, so nobody acts on it.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.children import Child, observe_children
from reconciler.core.clock import Clock
from reconciler.core.values import Known, Observation, Unknown
from reconciler.layout import Layout
from reconciler.resources.edge.admin import AdminSilent, EdgeAdmin
from reconciler.resources.edge.config import DOCUMENTS, facts_of, version_of
from reconciler.resources.edge.ports import find_holder, may_bind
from reconciler.resources.edge.state import ROLE, DocumentSeen, EdgeDesired, EdgeObserved, EdgeProcess

_LONGEST_DOCUMENT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class EdgeObserver:
    """`Observer` of the edge of one node."""

    desired: EdgeDesired
    layout: Layout
    admin: EdgeAdmin
    clock: Clock

    async def observe(self) -> Observation:
        at = self.clock.now()
        try:
            return Known(await self.look(), at)
        except OSError as error:
            return Unknown(f"the edge could not be observed: {error}", at)

    async def look(self) -> EdgeObserved:
        children = [child for child in observe_children(self.layout) if child.role == ROLE]
        living = [await self._ask(observe_process(child)) for child in children if child.alive]
        newest = children[-1] if children else None
        own = {process.pid for process in living}
        return EdgeObserved(
            processes=tuple(living),
            documents=tuple(seen for name in DOCUMENTS if (seen := _read(self.desired.directory / name))),
            last_generation=newest.generation if newest else 0,
            last_ending=newest.ending if newest else "",
            port_holder=find_holder(self.desired.host, self.desired.port, own),
            may_bind=may_bind(self.desired.port),
        )

    async def _ask(self, process: EdgeProcess) -> EdgeProcess:
        try:
            answer = await self.admin.look(self.desired.admin_socket(process.generation))
        except AdminSilent:
            return process
        return replace(process, state=answer.state, connections=answer.connections, accepted=answer.accepted)


def observe_process(child: Child) -> EdgeProcess:
    """Epoch and base id stand on its command line, so they need no file that could be lost."""
    words = _command_line(child.pid)
    return EdgeProcess(
        generation=child.generation,
        pid=child.pid,
        start_time=child.start_time,
        started_at=child.started_at,
        program=child.program,
        epoch=_option(words, "--restart-epoch"),
        base_id=_option(words, "--base-id"),
    )


def _command_line(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(65_536).decode(errors="replace").split("\0")
    except OSError:
        return []


def _option(words: list[str], name: str) -> int:
    for option, value in itertools.pairwise(words):
        if option == name and value.isdecimal():
            return int(value)
    return 0


def _read(path: Path) -> DocumentSeen | None:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_DOCUMENT_BYTES)
    except FileNotFoundError:
        return None
    try:
        document = json.loads(content)
        return DocumentSeen(name=path.name, version=version_of(document), facts=facts_of(path.name, document))
    except (ValueError, KeyError, TypeError, IndexError):
        return DocumentSeen(name=path.name, version="", facts=None)  # torn or edited: it will be written anew
