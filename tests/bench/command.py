"""The command as people feel it: `--help`, and a cold dry run of a node that has never run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.table import Row

_RECONCILE = Path(sys.executable).with_name("reconcile")
_ROUNDS = 7


def run() -> list[Row]:
    python_s = _median_s([sys.executable, "-c", "pass"])
    with tempfile.TemporaryDirectory() as folder:
        declared = Path(folder) / "orchestrator.yaml"
        declared.write_text(
            "apiVersion: livepeer.orchestrator/v1\nname: bench\n"
            'service: {uri: "https://127.0.0.1:18935"}\ngpus: none\nchain: {network: offchain}\n'
        )
        dry_s = _median_s([str(_RECONCILE), "-f", str(declared), "--dry-run"])
    help_s = _median_s([str(_RECONCILE), "--help"])
    reference = f"bare Python {python_s * 1000:.0f} ms"
    return [
        _row("`reconcile --help`", help_s, reference, 0.2),
        _row("cold off-chain `reconcile --dry-run`", dry_s, reference, 1.0),
    ]


def _row(measure: str, seconds: float, reference: str, limit_s: float) -> Row:
    return Row(
        measure=measure,
        ours=f"{seconds * 1000:.0f} ms",
        reference=reference,
        target=f"< {limit_s * 1000:.0f} ms",
        met=seconds < limit_s,
    )


def _median_s(command: list[str]) -> float:
    taken = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
