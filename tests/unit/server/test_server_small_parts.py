"""Tokens, the advertisement, refusal counts, events, log lines, the token secret."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sqlite3
import stat
import subprocess
import sys

import pytest

from livepeer.wire import auth, capabilities
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.errors import PeerProtocolError
from runtime.payments.database import NewerDatabase, load_token_secret
from runtime.payments.gate import OffchainGate
from runtime.server.advertisement import Advertisement, embedded
from runtime.server.events import EventLog
from runtime.server.logs import JsonLines, SharedFile
from runtime.server.refusals import OTHER, UNKNOWN, Refusal, Refusals
from runtime.server.tokens import Tokens

NOW = 1_800_000_000
A, B = b"\x01" * 20, b"\x02" * 20


@pytest.fixture
def tokens():
    return Tokens(b"k" * 32, clock=lambda: NOW, random_bytes=secrets.token_bytes)


def read(message):
    return auth.from_wire(pb.AuthToken.FromString(message))


def test_a_minted_token_opens_a_session_for_half_an_hour(tokens):
    token = read(tokens.mint(A))
    assert tokens.check(token) == token
    assert token.expiration == NOW + 1800
    later = Tokens(b"k" * 32, clock=lambda: NOW + 1801, random_bytes=secrets.token_bytes)
    with pytest.raises(PeerProtocolError, match="expired auth token"):
        later.check(token)
    assert later.is_ours(token)


def test_another_secrets_token_is_not_ours(tokens):
    other = Tokens(b"x" * 32, clock=lambda: NOW, random_bytes=secrets.token_bytes)
    token = read(other.mint(A))
    assert not tokens.is_ours(token)
    with pytest.raises(PeerProtocolError, match="invalid auth token"):
        tokens.check(token)


def test_a_session_id_names_the_gateway_it_was_made_for(tokens):
    session_id = read(tokens.mint(A)).session_id
    assert tokens.owner(session_id, [B, A]) == A
    assert tokens.owner(session_id, [B]) is None
    assert tokens.owner("ünï", [A]) is None
    assert read(tokens.mint(A)).session_id != session_id


def test_the_prepared_answer_and_a_token_are_one_message(tokens):
    offered = capabilities.offering({0, 1, 12, 26}, version="0.9.1")
    advertisement = Advertisement(service_uri="https://h:1", address=bytes(20), capabilities=offered)
    minted = tokens.mint(A)
    info = pb.OrchestratorInfo.FromString(advertisement.info(minted))
    assert info.transcoder == "https://h:1"
    assert info.auth_token == pb.AuthToken.FromString(minted)
    assert info.capabilities == capabilities.to_wire(offered)
    assert info.capabilities.HasField("constraints")


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 300_000])
def test_a_message_of_any_size_can_be_embedded(size):
    inner = pb.OrchestratorInfo(transcoder="x" * size)
    message = pb.TranscodeResult(seq=1).SerializeToString() + embedded(16, inner.SerializeToString())
    assert pb.TranscodeResult.FromString(message) == pb.TranscodeResult(seq=1, info=inner)


def test_refusals_are_counted_by_reason_and_gateway():
    heard = []
    refusals = Refusals(clock=lambda: 5.0, listener=lambda *counted: heard.append(counted))
    refusals.count(Refusal.CAPPED, A)
    refusals.count(Refusal.CAPPED, A)
    refusals.count(Refusal.BUSY)
    refusals.count(Refusal.BUSY, bytes(20))
    counts = [(c.reason, c.gateway, c.count, c.last_at) for c in refusals.snapshot()]
    assert counts == [
        (Refusal.BUSY, UNKNOWN, 2, 5.0),
        (Refusal.CAPPED, "0x" + A.hex(), 2, 5.0),
    ]
    assert len(heard) == 4


def test_strangers_share_a_line_when_there_are_too_many_and_declared_ones_never_do():
    refusals = Refusals(clock=lambda: 0.0, listener=lambda *_: None)
    for n in range(500):
        refusals.count(Refusal.CAPPED, n.to_bytes(20))
    refusals.declare(iter([b"\xff" * 20]))
    refusals.count(Refusal.CAPPED, b"\xff" * 20)
    gateways = {c.gateway: c.count for c in refusals.snapshot()}
    assert len(gateways) <= 102
    assert gateways[OTHER] > 300
    assert gateways["0x" + "ff" * 20] == 1


async def test_events_are_numbered_kept_and_waited_for():
    events = EventLog(clock=lambda: 1.0)
    waiting = asyncio.create_task(events.wait())
    await asyncio.sleep(0)
    for n in range(1_200):
        events.emit("x", n=n)
    await waiting
    kept = events.after(0)
    assert (len(kept), kept[0].sequence, kept[-1].sequence) == (1_000, 201, 1_200)
    assert [e.fields["n"] for e in events.after(1_198)] == [1_198, 1_199]
    assert events.after(1_200) == events.after(9_999) == ()


def test_a_log_line_is_one_json_object():
    record = logging.LogRecord("runtime.x", logging.WARNING, "f", 1, "segment.failed", (), None)
    record.fields = {"session": "ü", "path": __import__("pathlib").Path("/x")}
    line = json.loads(JsonLines().format(record))
    assert line["event"] == "segment.failed"
    assert (line["level"], line["session"], line["path"]) == ("warning", "ü", "/x")


def test_two_processes_may_rotate_one_log(tmp_path):
    path = str(tmp_path / "x.log")
    old, new = (SharedFile(path, maxBytes=300, backupCount=3) for _ in range(2))
    for n in range(8):
        record = logging.LogRecord("x", logging.INFO, "f", 1, f"{n:03d}" + "x" * 50, (), None)
        old.emit(record)
        new.emit(record)
    for handler in (old, new):
        assert handler.stream.name == path
        handler.close()
    kept = "".join(file.read_text() for file in tmp_path.glob("x.log*"))
    assert kept.count("007") == 2
    assert kept.count("\n") == 16


async def test_the_offchain_gate_takes_everything():
    gate = OffchainGate()
    payment = pb.Payment(sender=A)
    await gate.credit(payment, sender=A, key="s")
    assert gate.covers(payment, sender=A, key="s") is True
    assert gate.debit(payment, sender=A, key="s", pixels=10**12) is None


def test_the_secret_is_made_once_and_kept_private(tmp_path):
    path = tmp_path / "money.db"
    secret = load_token_secret(str(path))
    assert len(secret) == 32
    assert load_token_secret(str(path)) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_processes_that_start_at_once_get_one_secret(tmp_path):
    program = (
        "import sys; from runtime.payments.database import load_token_secret; "
        "print(load_token_secret(sys.argv[1]).hex())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "money.db")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert len({child.communicate(timeout=30)[0] for child in children}) == 1
    assert all(child.returncode == 0 for child in children)


def test_a_newer_database_is_left_alone(tmp_path):
    path = str(tmp_path / "money.db")
    load_token_secret(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerDatabase, match="version 99"):
        load_token_secret(path)
