"""The committed message classes are those that the compiler makes of the committed definition."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["lp_rpc_pb2.py", "lp_rpc_pb2.pyi"])
def test_the_generated_file_is_current(name: str, tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{ROOT / 'schemas'}",
            f"--python_out={tmp_path}",
            f"--pyi_out={tmp_path}",
            "lp_rpc.proto",
        ],
        check=True,
        timeout=50,
    )
    assert (tmp_path / name).read_text() == (ROOT / "livepeer" / "wire" / name).read_text()
