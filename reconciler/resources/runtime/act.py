"""Starts a runtime and waits until it serves, moves the route, ends the old one. Every step may be repeated.

A start that fails leaves no process behind. A route moves only to a process that serves and has been handed
the present document. A process is ended only while no new request goes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from reconciler.children import Child
from reconciler.core.errors import Terminal, Transient
from reconciler.core.values import Operation
from reconciler.resources.runtime.observe import RuntimeSights, health_of
from reconciler.resources.runtime.state import Mark, RuntimeDesired
from reconciler.serving.control import ControlUnreachable, Health, OlderGeneration, SpecRejected
from reconciler.serving.spec import Document, completed, document, generation_of

_POLL_S = 0.05
_PROGRESS_S = 10.0
_CONFIRM_LOOKS = 3
_FAILED_START_GRACE_S = 5.0


class RuntimeHands(RuntimeSights, Protocol):
    """What acting needs beside looking; the registry provides it."""

    async def start(self, generation: int, document: Document, mark: Mark) -> None:
        """Keeps the document and starts the process from it. Raises `Transient` where that fails."""
        ...

    async def end(self, generation: int, grace_s: float) -> bool:
        """Asks it to stop, kills it after `grace_s`. Whether it is gone."""
        ...

    def route(self, generation: int) -> None:
        """New requests go to this generation alone."""
        ...

    def forget(self, generation: int) -> None:
        """Removes what an ended generation left: its document and its sockets."""
        ...

    def last_words(self) -> str:
        """The last line that a runtime wrote to its log, for whoever wonders why it ended."""
        ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of a process that a new one follows."""

    document: Document | None = None
    failing: frozenset[str] = frozenset()


class RuntimeActor:
    def __init__(self, hands: RuntimeHands, desired: RuntimeDesired) -> None:
        self._hands = hands
        self._desired = desired

    async def holds(self, operation: Operation) -> bool:
        match operation.verb:
            case "start":
                return await self._start_holds(operation)
            case "route":
                return list(self._hands.instances().routed) == _argument(operation.precondition, "routed")
            case "retire":
                generation = _number(operation, "generation")
                instances = self._hands.instances()
                alive = any(child.generation == generation for child in instances.alive)
                return alive and generation not in instances.routed
        return False

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        generation = _number(operation, "generation")
        match operation.verb:
            case "start":
                return await self._start(generation, str(_argument(operation.arguments, "request")), tell)
            case "route":
                return await self._route(generation, tell)
            case "retire":
                return await self._retire(generation, _seconds(operation, "grace_s"), tell)
        raise Terminal(f"runtime: there is no verb {operation.verb}")

    async def _start_holds(self, operation: Operation) -> bool:
        """The same processes are alive, and one that is replaced for its health is still ill."""
        alive = [child.generation for child in self._hands.instances().alive]
        if alive != _argument(operation.precondition, "alive"):
            return False
        failing = _argument(operation.precondition, "failing")
        if not isinstance(failing, int):
            return True
        health = await health_of(self._hands.control(failing), _CONFIRM_LOOKS)
        return not health.ok or await self._is_draining(failing)

    async def _is_draining(self, generation: int) -> bool:
        try:
            return (await self._hands.control(generation).status()).draining
        except ControlUnreachable:
            return False

    async def _start(self, generation: int, request: str, tell: Callable[[str], None]) -> str:
        mark = Mark(self._desired.program.digest, request)
        await self._hands.start(generation, await self._new_document(), mark)
        try:
            await self._wait_healthy(generation, tell)
        except (Transient, asyncio.CancelledError):
            await self._hands.end(generation, _FAILED_START_GRACE_S)
            raise
        return f"generation {generation} serves"

    async def _route(self, generation: int, tell: Callable[[str], None]) -> str:
        await self._wait_healthy(generation, tell)
        await self._hand_present_document(generation)
        self._hands.route(generation)
        return f"new requests go to generation {generation}"

    async def _retire(self, generation: int, grace_s: float, tell: Callable[[str], None]) -> str:
        tell(f"waiting for generation {generation} to end what it has begun, {grace_s:g} s at most")
        if not await self._hands.end(generation, grace_s):
            raise Transient(
                f"runtime generation {generation} does not end, not even killed",
                next_step="it hangs in the kernel: look at `dmesg` for a failing disk or GPU",
            )
        self._hands.forget(generation)
        return f"generation {generation} ended"

    async def _new_document(self) -> Document:
        """Everything declared, in a document newer than any of this node's processes has."""
        instances = self._hands.instances()
        told = {child.generation: await self._told(child) for child in instances.children}
        documents = [each.document for each in told.values() if each.document]
        serving = told.get(instances.serving or 0, _Told())
        around = replace(await self._hands.surroundings(), failing=serving.failing)
        spec = completed(self._desired.wish.spec(around), serving.document or next(reversed(documents), None))
        return document(spec, 1 + max(map(generation_of, documents), default=0))

    async def _told(self, child: Child) -> _Told:
        """What a process has accepted, and where its workers do not come up: a new one's would not either."""
        if child.alive:
            control = self._hands.control(child.generation)
            try:
                return _Told(await control.spec(), (await control.status()).failing_devices)
            except ControlUnreachable:
                pass
        return _Told(self._hands.handed_over(child.generation))

    async def _hand_present_document(self, generation: int) -> None:
        """A process that waited for its route may have been started before the files changed again."""
        control = self._hands.control(generation)
        try:
            accepted = await control.spec()
            failing = (await control.status()).failing_devices
            around = replace(await self._hands.surroundings(), failing=failing)
            spec = completed(self._desired.wish.spec(around), accepted)
            wanted = document(spec, generation_of(accepted))
            if wanted != accepted:
                await control.put({**wanted, "generation": generation_of(accepted) + 1})
        except (ControlUnreachable, OlderGeneration) as error:
            raise Transient(f"runtime generation {generation}: {error}") from error
        except SpecRejected as error:
            raise Terminal(f"runtime generation {generation} refuses its document: {error}") from error

    async def _wait_healthy(self, generation: int, tell: Callable[[str], None]) -> None:
        control, limit_s = self._hands.control(generation), self._desired.start_limit_s
        began, told = self._hands.now(), self._hands.now()
        while not (health := await health_of(control, 1)).ok:
            now = self._hands.now()
            if not any(child.generation == generation for child in self._hands.instances().alive):
                raise Transient(self._ended_words(generation), next_step="read the runtime's log")
            if now - began > limit_s:
                raise Transient(_too_slow_words(generation, limit_s, health))
            if now - told >= _PROGRESS_S:
                told = now
                left = limit_s - (now - began)
                tell(f"waiting for generation {generation} to serve ({health.reason}), {left:.0f} s left")
            await self._hands.sleep(_POLL_S)

    def _ended_words(self, generation: int) -> str:
        children = self._hands.instances().children
        ending = next((child.ending for child in children if child.generation == generation), "")
        words = self._hands.last_words()
        text = f"runtime generation {generation} ended before it served"
        return text + (f": {ending}" if ending else "") + (f"; its last words: {words}" if words else "")


def _too_slow_words(generation: int, limit_s: float, health: Health) -> str:
    reason = health.reason or "no reason given"
    return f"runtime generation {generation} does not serve after {limit_s:g} s: {reason}"


def _argument(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _number(operation: Operation, key: str) -> int:
    value = _argument(operation.arguments, key)
    if not isinstance(value, int):
        raise Terminal(f"{operation.id}: its argument {key} is missing")
    return value


def _seconds(operation: Operation, key: str) -> float:
    value = _argument(operation.arguments, key)
    return float(value) if isinstance(value, int | float) else 0.0
