"""A running operator over a synthetic node: doors, loop and clock are real, the resource means nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from reconciler.core.clock import SystemClock
from reconciler.core.engine import Engine
from reconciler.core.journal_memory import MemoryJournal
from reconciler.core.loop import Loop, Pace
from reconciler.layout import Layout
from reconciler.operator.broadcast import Broadcast, News
from reconciler.operator.client import OperatorClient, operator_client
from reconciler.operator.doors import control_door, local_door
from reconciler.operator.http import HttpDoor
from reconciler.operator.service import Operator
from reconciler.report.status import OperatorProcess
from tests.simulation.synthetic import Wanted, World, synthetic_kind, synthetic_node


@dataclass
class Rig:
    operator: Operator
    world: World
    client: OperatorClient
    port: int

    async def ask(self, question: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """A synchronous client call, beside the operator."""
        return await asyncio.to_thread(question, *arguments, **named)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(folder: Path, values: dict[str, object], *, act_s: float = 0.01) -> AsyncIterator[Rig]:
    layout = Layout(data=folder / "data", weights=folder / "data")
    layout.data.mkdir(mode=0o700)
    world = World(act_s=act_s)
    clock = SystemClock()
    node = synthetic_node(world, synthetic_kind("thing", Wanted(values)), now=clock.now)
    news, broadcast = News(), Broadcast()
    engine = Engine(node, MemoryJournal(), clock=clock, random=Random(7), announce=lambda _event: news.wake())
    loop = Loop(
        engine, lambda: node, clock=clock, random=Random(7), progress=broadcast, pace=Pace(resync_s=60)
    )
    operator = Operator(
        engine=engine,
        loop=loop,
        layout=layout,
        clock=clock,
        version="1.2.3",
        process=OperatorProcess(pid=os.getpid(), started_at=clock.now()),
        broadcast=broadcast,
        news=news,
    )
    control, local = HttpDoor(control_door(operator)), HttpDoor(local_door(operator))
    await control.open_unix(layout.operator_socket)
    port = await local.open_tcp("127.0.0.1", 0)
    looping = asyncio.create_task(loop.run())
    client = operator_client(layout)
    assert client is not None
    try:
        yield Rig(operator, world, client, port)
    finally:
        loop.stop()
        news.close()
        await control.close()
        await local.close()
        await looping
