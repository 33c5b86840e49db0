"""Sets one setting: reads the accepted document, changes one place, hands it back with the next generation.

Idempotent: a value that is there already is left alone. Another writer in between means reading again, a few
times; a refusal by the runtime is final until something changes, with its reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from reconciler.core.errors import Terminal, Transient
from reconciler.core.values import Operation
from reconciler.resources.settings.observe import SettingsWorld
from reconciler.resources.settings.state import value_at, with_value, without_value
from reconciler.serving.control import ControlUnreachable, OlderGeneration, RuntimeControl, SpecRejected
from reconciler.serving.spec import Document, generation_of

_TRIES = 4


class SettingsActor:
    def __init__(self, world: SettingsWorld) -> None:
        self._world = world

    async def holds(self, operation: Operation) -> bool:
        document = await self._control().spec()
        return [value_at(document, _path(operation))] == [_argument(operation.precondition, "before")]

    async def act(self, operation: Operation, tell: Callable[[str], None]) -> str:
        control = self._control()
        for _ in range(_TRIES):
            try:
                document = await control.spec()
                changed = _changed(document, operation)
                if changed == document:
                    return "it was so already"
                generation = generation_of(document) + 1
                await control.put({**changed, "generation": generation})
            except OlderGeneration:
                tell("the runtime took another document meanwhile; reading again")
                continue
            except SpecRejected as error:
                raise Terminal(
                    f"the runtime refuses {operation.target}: {error}",
                    next_step="change the declared value; nothing of it was taken",
                ) from error
            except ControlUnreachable as error:
                raise Transient(f"{operation.target} could not be set: {error}") from error
            return f"accepted as generation {generation}"
        raise Transient(f"{operation.target} could not be set: another writer is changing the document")

    def _control(self) -> RuntimeControl:
        serving = self._world.instances().serving
        if serving is None:
            raise Transient("no runtime is there to take settings; it starts with all of them")
        return self._world.control(serving)


def _changed(document: Document, operation: Operation) -> Document:
    if _argument(operation.arguments, "remove"):
        return without_value(document, _path(operation))
    return with_value(document, _path(operation), _argument(operation.arguments, "value"))


def _path(operation: Operation) -> tuple[str, ...]:
    return tuple(cast("list[str]", _argument(operation.arguments, "path")))


def _argument(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None
