"""Uploads that never end: they hold their own place and nobody else's."""

from __future__ import annotations

import base64
import socket
from contextlib import ExitStack

from runtime_process import CLIP, make_order, make_spec, result_of, running
from test_server_sessions import wait_for

DECLARED = bytes.fromhex("11" * 20)


def begin(runtime, order):
    """An upload whose first byte has come, and no other."""
    value = base64.b64encode(order.SerializeToString()).decode()
    head = f"POST /segment HTTP/1.1\r\nhost: x\r\nlivepeer-segment: {value}\r\ncontent-length: 1000\r\n\r\nx"
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(runtime.public))
    connection.sendall(head.encode())
    return connection


def test_strangers_uploads_do_not_stand_in_the_way_of_a_reserved_gateway(tmp_path):
    gateways = {"mine": {"address": f"0x{DECLARED.hex()}", "video": None, "reserve": 1}}
    spec = make_spec(tmp_path, sessions=2, gateways=gateways, bodyIdleSeconds=30)
    with running(spec) as runtime, ExitStack() as stack:
        strange, mine = runtime.token(), runtime.token(DECLARED)
        for number in range(2):
            begun = begin(runtime, make_order(strange if not number else runtime.token(), CLIP))
            stack.callback(begun.close)
        work = tmp_path / "renditions" / "work"
        wait_for(lambda: len(list(work.glob("*/*/source"))) == 2)
        answer = runtime.segment(make_order(runtime.token(), CLIP), CLIP)
        assert (answer.status, answer.text) == (503, "OrchestratorCapped\n")
        assert result_of(runtime.segment(make_order(mine, CLIP), CLIP)).error == ""


def test_one_session_cannot_fill_the_store_with_uploads(tmp_path):
    spec = make_spec(tmp_path, sessions=4, bodyBytes=len(CLIP), bodyIdleSeconds=30)
    with running(spec) as runtime, ExitStack() as stack:
        token = runtime.token()
        order = make_order(token, CLIP)
        value = base64.b64encode(order.SerializeToString()).decode()
        head = f"POST /segment HTTP/1.1\r\nhost: x\r\nlivepeer-segment: {value}\r\n"
        answers = []
        for _ in range(4):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(5)
            connection.connect(str(runtime.public))
            connection.sendall(f"{head}content-length: {len(CLIP)}\r\n\r\n".encode() + CLIP[:-1])
            answers.append(connection)
        wait_for(lambda: "storage" in {refusal["reason"] for refusal in runtime.status()["refusals"]})
        assert sum(path.stat().st_size for path in tmp_path.glob("renditions/work/*/*/source")) <= 3 * len(
            CLIP
        )
        assert result_of(runtime.segment(make_order(runtime.token(), CLIP), CLIP)).error == ""
