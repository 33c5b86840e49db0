"""`make bench`: measures, beside a reference in the same run, and prints one table.

    python -m tests.bench            everything
    python -m tests.bench core edge  some parts

Figures of a shared machine vary; ratios within a run are what counts. Where neighbours are busy,
`chrt -r 5 make bench` (as root) takes their part away.
"""

from __future__ import annotations

import importlib
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.table import Row, render

PARTS = ("core", "command", "codec", "edge", "discovery", "serving", "operator")


def main(names: Sequence[str]) -> int:
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        print(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 64
    rows: list[Row] = []
    for name in names or PARTS:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        run: Callable[[], list[Row]] = importlib.import_module(f"tests.bench.{name}").run
        began = time.monotonic()
        found = run()
        rows += found
        print(f"bench: {name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"\n{_machine()}\n\n{render(rows)}")
    return 0


def _machine() -> str:
    model = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown CPU"
    )
    cores = sum(line.startswith("processor") for line in _cpuinfo())
    return f"{cores} cores, {model}, Python {platform.python_version()}"


def _cpuinfo() -> list[str]:
    return Path("/proc/cpuinfo").read_text().splitlines()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
