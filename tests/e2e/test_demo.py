"""`make demo`'s program, on a copy of the root's declared state."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import free_ports
from PIL import Image

ROOT = Path(__file__).parents[2]
RENDITIONS = ("P360p30", "P240p30", "P144p15")


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_the_roots_node_converges_serves_plans_nothing_and_leaves_nothing_running(tmp_path):
    shutil.copy(ROOT / "aiModels.json", tmp_path)
    public, cli = free_ports(2)
    declared = (ROOT / "orchestrator.yaml").read_text()
    uri = "uri: https://127.0.0.1:8935"
    assert uri in declared
    listen = f'listen: {{public: "127.0.0.1:{public}", cli: "127.0.0.1:{cli}"}}'
    declared = declared.replace(uri, f"uri: https://127.0.0.1:{public}\n  {listen}")
    (tmp_path / "orchestrator.yaml").write_text(declared)

    demo = subprocess.run(
        [sys.executable, "-m", "examples.demo", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.count("x real time") == 4
    assert "Plan: 0 to add, 0 to change, 0 to destroy." in demo.stdout.partition("== 4.")[2]
    assert demo.stdout.rstrip().endswith("Stopped; nothing is left running.")
    out = tmp_path / "demo-out"
    assert {path.stem for path in out.glob("*.ts")} == {"source", *RENDITIONS}
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.height == 4 * 153  # the source and three renditions
        assert len(sheet.getcolors(maxcolors=sheet.width * sheet.height)) > 100  # pictures, not blanks
