"""A node with one session: what the reference said to a gateway with two streams, said by the whole node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness import Node, converged
from replay_compare import differences
from replay_gateway import Replay
from replay_material import Recorded, by_hand

pytestmark = pytest.mark.e2e

FOLDER = "video-capacity"


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with converged(
        tmp_path_factory.mktemp("single"), workers=1, video="{preset: medium, sessions: 1, workers: 1}"
    ) as node:
        yield node


def of_gateway(case: str) -> list[Recorded]:
    return list(by_hand(FOLDER, case))


async def test_the_only_session_goes_on_while_others_hear_that_it_is_taken(node: Node) -> None:
    first, capped = of_gateway("01-first-session"), of_gateway("02-second-stream-capped")
    meanwhile, end = of_gateway("03-hand-made"), of_gateway("04-after-end")
    async with Replay.against(node.port) as replay:
        played = await replay.play([*first, *capped, *meanwhile, *end])
        assert [line for recorded, answer in played for line in differences(recorded, answer)] == []
        freed = await replay.play([first[0]])
        assert [line for recorded, answer in freed for line in differences(recorded, answer)] == []
