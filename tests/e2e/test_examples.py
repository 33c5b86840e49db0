"""Every folder of `examples/` is a node that could be copied: converged, used as a gateway would, stopped.

Each is copied, its ports are replaced by free ones and its host by this machine, nothing else is changed.
What the READMEs promise beyond serving is asserted, too.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from certificates import make_certificate, served_serial
from harness import LADDER, Node, free_ports

from livepeer.gateway.client import Gateway
from livepeer.gateway.clip import Clip, make_clip
from livepeer.gateway.failures import GatewayError
from livepeer.gateway.session import Session
from livepeer.gateway.transcoded import Transcoded

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVED = ("laptop", "gateways", "overlays/nodes/fra-1", "own-certificate", "maintenance")
ONLY_PLANNED = ("gpu-video", "overlays/nodes/fra-2")
SEGMENT_S = 1.0


class Example(Node):
    """A copy of one example, on loopback ports of its own."""

    def __init__(self, root: Path, name: str) -> None:
        top = name.partition("/")[0]
        shutil.copytree(EXAMPLES / top, root / top)
        super().__init__(root / name)
        self.data = self.folder / ".orchestrator"
        self.metrics_port = free_ports(1)[0]
        for file in (root / top).rglob("*.yaml"):
            file.write_text(self._here(file.read_text()))

    def _here(self, text: str) -> str:
        text = re.sub(r"https://[\w.-]+:8935", self.uri, text)
        text = re.sub(r"[\d.]+:8935", f"127.0.0.1:{self.port}", text)
        text = text.replace("127.0.0.1:7935", f"127.0.0.1:{self.cli_port}")
        text = text.replace("127.0.0.1:9735", f"127.0.0.1:{self.metrics_port}")
        if "uri:" in text and "listen:" not in text:  # the default of the local port is taken on this machine
            listen = f'listen: {{cli: "127.0.0.1:{self.cli_port}"}}'
            text = text.replace(f'service: {{uri: "{self.uri}"', f'service: {{uri: "{self.uri}", {listen}')
        return text

    def converge(self, *words: str) -> str:
        answer = self.call(*words)
        assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
        return answer.stdout

    def plan(self, *words: str) -> tuple[int, str]:
        answer = self.call(*words, "--dry-run", "--detailed-exitcode")
        return answer.returncode, answer.stdout


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Callable[[str], Example]]:
    made: list[Example] = []

    def copy(name: str) -> Example:
        made.append(Example(tmp_path, name))
        return made[-1]

    yield copy
    for node in made:
        node.stop()
        assert not list(node.run_folder().glob("*.sock"))


@pytest.fixture(scope="module")
def clip() -> list[bytes]:
    return make_clip(
        Clip(width=320, height=180, fps=Fraction(15), segment_s=SEGMENT_S, count=2, bitrate=300_000)
    )


async def push(session: Session, clip: list[bytes], sequence: int = 0) -> Transcoded:
    return await session.push(clip[sequence], sequence, duration_s=SEGMENT_S)


async def serves(node: Example, clip: list[bytes]) -> None:
    """One segment through the public port; the client checks what comes back as gateways do."""
    async with Gateway(node.uri).session("example", LADDER) as session:
        result = await push(session, clip)
        assert [each.decoded is not None for each in result.renditions] == [True]
        assert session.offer.uri == node.uri


def test_every_example_is_tested() -> None:
    folders = {str(file.parent.relative_to(EXAMPLES)) for file in EXAMPLES.rglob("orchestrator.yaml")}
    assert folders == {*SERVED, *ONLY_PLANNED}
    listed = set(re.findall(r"^\| \[([\w-]+)\]", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert listed == {folder.partition("/")[0] for folder in folders}


def prepare_laptop(node: Example) -> None:
    assert f'public: "127.0.0.1:{node.port}"' in node.file.read_text()


def prepare_certificate(node: Example) -> None:
    (node.folder / "tls").mkdir()
    make_certificate(node.folder / "tls/chain.pem", node.folder / "tls/key.pem")


def check_gateways(node: Example) -> None:
    spec = node.runtime_status()["spec"]
    assert spec["pricing"]["video"] == "1200"
    agreed = {name: gateway["video"] for name, gateway in spec["gateways"].items()}
    assert agreed == {"daydream": "800", "studio": "1020", "newcomer": "1500"}
    assert spec["gateways"]["daydream"]["reserve"] == 2

    node.file.write_text(node.file.read_text().replace("video: 1200 wei", "video: 1400 wei"))
    code, plan = node.plan()
    assert code == 2
    assert "1200 wei -> 1400 wei" in plan
    assert "daydream" in plan
    assert "Restarts: 0. Jobs interrupted: 0." in plan
    before = node.children("runtime")[0]["pid"]
    node.converge()
    assert node.runtime_status()["spec"]["gateways"]["studio"]["video"] == "1190"
    assert node.children("runtime")[0]["pid"] == before


def check_overlays(node: Example) -> None:
    spec = node.runtime_status()["spec"]
    assert spec["pricing"]["video"] == "1300"  # the group's, not the base's
    assert spec["video"]["sessions"] == 4
    group = node.folder.parent.parent / "groups/eu.yaml"
    group.write_text(group.read_text().replace("1300 wei", "1350 wei"))
    _code, plan = node.plan()
    line = next(
        number for number, text in enumerate(group.read_text().splitlines(), 1) if text.startswith("pricing")
    )
    assert f"groups/eu.yaml:{line} changed" in plan
    node.converge()


def check_certificate(node: Example) -> None:
    renewed = make_certificate(node.folder / "tls/chain.pem", node.folder / "tls/key.pem")
    code, plan = node.plan()
    assert (code, "edge.certificate" in plan) == (2, True), plan
    before = node.children("edge")[0]["pid"]
    node.converge()
    assert served_serial("127.0.0.1", node.port) == renewed
    assert node.children("edge")[0]["pid"] == before


PREPARE = {"laptop": prepare_laptop, "own-certificate": prepare_certificate}
CHECK = {
    "gateways": check_gateways,
    "overlays/nodes/fra-1": check_overlays,
    "own-certificate": check_certificate,
}


@pytest.mark.parametrize("name", [name for name in SERVED if name != "maintenance"])
async def test_an_example_serves_video(
    name: str, copied: Callable[[str], Example], clip: list[bytes]
) -> None:
    node = copied(name)
    PREPARE.get(name, lambda _node: None)(node)
    assert node.converge("validate") == "Valid.\n"
    node.converge()
    await serves(node, clip)
    assert node.plan()[0] == 0
    if check := CHECK.get(name):
        check(node)
        await serves(node, clip)
        assert node.plan()[0] == 0


async def test_maintenance_refuses_new_streams_and_drops_none(
    copied: Callable[[str], Example], clip: list[bytes]
) -> None:
    node = copied("maintenance")
    node.converge()
    process = node.children("runtime")[0]["pid"]
    layers = ("-f", "orchestrator.yaml", "-f", "drain.yaml")
    async with Gateway(node.uri).session("live", LADDER) as live:
        await push(live, clip, 0)
        node.converge(*layers)
        with pytest.raises(GatewayError, match="OrchestratorCapped"):
            await serves(node, clip)
        await push(live, clip, 1)
        assert node.plan(*layers)[0] == 0
        assert "draining" in node.call("refusals").stdout
    node.converge()
    await serves(node, clip)
    assert node.plan()[0] == 0
    assert node.children("runtime")[0]["pid"] == process


@pytest.mark.parametrize("name", ONLY_PLANNED)
def test_an_example_for_another_machine_is_valid(name: str, copied: Callable[[str], Example]) -> None:
    assert copied(name).converge("validate") == "Valid.\n"


def test_a_missing_gpu_is_named_in_the_plan(copied: Callable[[str], Example]) -> None:
    node = copied("gpu-video")
    code, plan = node.plan()
    assert code == 2
    lines = enumerate(node.file.read_text().splitlines(), 1)
    declared = {number: text.split()[-1] for number, text in lines if "uuid:" in text}
    for name, (line, uuid) in zip(("left", "right"), declared.items(), strict=True):
        assert f"orchestrator.yaml:{line} GPU {name} ({uuid}) is not in this machine" in plan
    assert "no device to work on" in plan
    assert not node.data.exists()
