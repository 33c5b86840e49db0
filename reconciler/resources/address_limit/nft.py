"""Running `nft`, bounded in time. The only place that does."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import dataclass
from typing import Any, Protocol

_TIMEOUT_S = 10.0
_ABSENT = "No such file or directory"


class FilterUnavailable(Exception):
    """Raised when the packet filter is not ours to use; the text says why."""


class PacketFilter(Protocol):
    """Every call may raise `FilterUnavailable`."""

    async def listing(self, table: str) -> dict[str, Any] | None:
        """The table as `nft --json` lists it; None where there is none."""
        ...

    async def run(self, script: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Nft:
    """`PacketFilter` by the command. `prefix` runs it elsewhere, such as in a network namespace."""

    prefix: tuple[str, ...] = ()

    async def listing(self, table: str) -> dict[str, Any] | None:
        code, output, problem = await self._call("--json", "list", "table", "inet", table)
        if code == 0:
            listing: dict[str, Any] = json.loads(output)
            return listing
        if _ABSENT in problem:
            return None
        raise FilterUnavailable(_first_line(problem))

    async def run(self, script: str) -> None:
        code, _, problem = await self._call("-f", "-", given=script)
        if code != 0:
            raise FilterUnavailable(_first_line(problem))

    async def _call(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        if os.geteuid() != 0:
            raise FilterUnavailable("the operator is not root")
        program = shutil.which("nft")
        if program is None:
            raise FilterUnavailable("the command nft is not installed")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self.prefix, program, *arguments, stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                output, problem = await process.communicate(given.encode())
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise FilterUnavailable(f"nft took more than {_TIMEOUT_S:.0f} s") from error
        return process.returncode or 0, output.decode(errors="replace"), problem.decode(errors="replace")


def _first_line(problem: str) -> str:
    return (problem.strip().splitlines() or ["nft failed without a word"])[0]
