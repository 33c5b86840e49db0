"""`python -m runtime --spec FILE --public SOCKET --control SOCKET`: one job-serving process.

Started by the operator, or by hand from a document alone. Ends with 0 after SIGTERM, 78 when the document
cannot be accepted, 73 when something it needs cannot be opened. What goes wrong later is in the log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Sequence

import uvloop

from runtime.payments.database import NewerDatabase
from runtime.server import logs
from runtime.server.assembly import Runtime
from runtime.server.life import live
from runtime.spec import RuntimeSpec, SpecRefused, parse_spec
from runtime.video.pool import WorkerPool
from runtime.video.storage import UnsafeDirectory

_EX_CANTCREAT = 73
_EX_CONFIG = 78
_LARGEST_DOCUMENT = 4 * 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m runtime", description="Serves jobs, as one document says."
    )
    parser.add_argument("--spec", required=True, help="the runtime-spec document (JSON)")
    parser.add_argument("--public", required=True, help="unix socket for the edge")
    parser.add_argument("--control", required=True, help="unix socket for the operator")
    options = parser.parse_args(arguments)
    try:
        spec = _read(options.spec)
    except (OSError, ValueError, SpecRefused) as error:
        return _fail(_EX_CONFIG, f"cannot start from {options.spec}: {error}")
    os.umask(0o077)
    try:
        logs.open_log(spec.log_file)
        logs.set_level(spec.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_live(spec, options.public, options.control))
    except (OSError, sqlite3.Error, NewerDatabase, UnsafeDirectory) as error:
        return _fail(_EX_CANTCREAT, f"cannot start: {error}")


async def _live(spec: RuntimeSpec, public: str, control: str) -> int:
    await live(Runtime(spec, WorkerPool()), public=public, control=control)
    return 0


def _read(path: str) -> RuntimeSpec:
    with open(path, "rb") as file:
        return parse_spec(json.loads(file.read(_LARGEST_DOCUMENT)))


def _fail(code: int, message: str) -> int:
    sys.stderr.write(f"runtime: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
