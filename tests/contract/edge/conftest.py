import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from edge_rig import Rig


@pytest.fixture
async def rig(tmp_path, free_port):
    made = Rig(tmp_path / "data", free_port)
    yield made
    await made.close()


@pytest.fixture
async def served(rig):
    """An edge that serves one stand-in runtime, `alpha`."""
    await rig.start_runtime("alpha")
    rig.route("alpha")
    await rig.converge()
    return rig
