"""The recorded exchanges of a real gateway against the whole node: what would it find different?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from harness import Node, converged
from replay_compare import differences
from replay_gateway import Replay
from replay_material import Recorded, cases
from replay_peer import Answer

from livepeer.wire import lp_rpc_pb2 as pb

pytestmark = pytest.mark.e2e

OVERFLOW, GOODBYE = "33-queue-overflow", "37-end-of-streams"
STATED = {
    "20-slice": {
        # The reference counts a clip's start per stream and so moves sound against picture by the distance
        # of their first timestamps; here both keep the segment's clock.
        "4 0.ts: sound",
        "8 1.ts: sound",
    },
}
"""Differences that are meant: case to the beginnings of their lines."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with converged(
        tmp_path_factory.mktemp("replayed"), video="{preset: medium, sessions: 200, workers: 2}"
    ) as node:
        yield node


@pytest.fixture
async def replay(node: Node) -> AsyncIterator[Replay]:
    async with Replay.against(node.port) as found:
        yield found


def unstated(case: str, played: list[tuple[Recorded, Answer]]) -> list[str]:
    found = [line for recorded, answer in played for line in differences(recorded, answer)]
    stated = STATED.get(case, set())
    return [line for line in found if not any(line.startswith(beginning) for beginning in stated)]


def goodbyes(replay: Replay) -> list[Recorded]:
    """The recorded ends of the sessions that this replay has opened."""
    ends = cases()[GOODBYE]
    return [end for end in ends if _session(end) in replay.tokens]


def _session(end: Recorded) -> str:
    request = pb.EndTranscodingSessionRequest.FromString(end.body[5:])
    return request.auth_token.session_id


@pytest.mark.parametrize("case", [name for name in cases() if name not in {OVERFLOW, GOODBYE}])
async def test_a_gateway_gets_what_it_got_from_the_reference(replay: Replay, case: str) -> None:
    played = await replay.play(cases()[case])
    played += await replay.play(goodbyes(replay))
    assert unstated(case, played) == []


async def test_a_stream_that_was_ended_is_gone(replay: Replay) -> None:
    case = "01-default-presets"
    played = await replay.play(cases()[case])
    ends = goodbyes(replay)
    assert ends, "no recorded end for this case"
    assert unstated(case, played + await replay.play(ends)) == []
    download = next(recorded for recorded in cases()[case] if recorded.method == "GET")
    answer = await replay.send(download)
    assert (answer.status, bytes(answer.body)) == (404, b"ErrNotFound\n")
    assert unstated(case, await replay.play(ends)) == [], "a second goodbye changes nothing"


async def test_nine_segments_at_once_fill_the_queue_and_the_rest_hear_so(replay: Replay) -> None:
    """Which ones are refused depends on whose body is there first; how they are, does not."""
    exchanges = cases()[OVERFLOW]
    await replay.play(exchanges[:1])
    pushed = [recorded for recorded in exchanges if recorded.path == "/segment"]
    played = await replay.play_at_once(pushed)
    results = [pb.TranscodeResult.FromString(bytes(answer.body)) for _, answer in played]
    assert [answer.status for _, answer in played] == [200] * 9
    assert [result.seq for result in results] == [recorded.result.seq for recorded in pushed]
    refused = [result for result in results if result.error]
    assert {result.error for result in refused} <= {"OrchestratorBusy"}
    assert 9 - len(refused) >= 5
    assert all(result.info.auth_token.session_id for result in results)
    for recorded in (x for x in exchanges if x.method == "GET"):
        sequence = int(recorded.path.rpartition("/")[2].partition(".")[0])
        served = any(result.seq == sequence and not result.error for result in results)
        answer = await replay.send(recorded)
        assert answer.status == (200 if served else 404)
        if served:
            assert differences(recorded, answer) == []
