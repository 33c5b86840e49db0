"""Change while serving: what is replaced under load, what is noticed, what is healed. Real Envoy."""

import asyncio
import contextlib
import dataclasses
import hashlib
import signal
import socket
import ssl

import pytest
from edge_rig import Load, Rig, ask, client_tls, until, until_async

from reconciler.core.errors import Terminal, Transient
from reconciler.core.values import Action
from reconciler.resources.edge.stop import stop_edge
from reconciler.routes import replace_file

START, UPGRADE = "edge.process:start", "edge.process:upgrade"


async def test_a_declared_edge_is_started_once_and_then_nothing_is_left_to_do(rig):
    assert await rig.converge() == [START]
    assert await rig.converge() == []
    assert (await rig.look()).current.state == "LIVE"


async def test_the_next_operator_adopts_a_serving_edge(served):
    pid = (await served.look()).current.pid
    following = Rig(served.layout.data, served.port)
    assert (await following.plan()).operations == ()
    assert (await following.look()).current.pid == pid


async def test_runtimes_are_swapped_without_a_failed_request(served):
    async with Load(served.port) as load:
        for old, new in (("alpha", "beta"), ("beta", "gamma")):
            await served.start_runtime(new)
            served.route(new)
            await until(lambda wanted=new: wanted.encode() in load.answers[-3:])
            await served.end_runtime(old)
    assert load.failures == []
    assert load.answers[-1] == b"gamma"


async def test_requests_in_flight_outlive_a_swap(served):
    asked = [asyncio.create_task(ask(served.port, "/slow")) for _ in range(5)]
    await asyncio.sleep(0.3)
    await served.start_runtime("beta")
    served.route("beta")
    await served.end_runtime("alpha")
    assert await asyncio.gather(*asked) == [(200, b"alpha")] * 5


async def test_one_of_two_runtimes_killed_costs_no_later_request(served):
    await served.start_runtime("beta")
    served.route("alpha", "beta")
    served.runtimes["beta"].kill()
    await served.runtimes["beta"].wait()
    assert [await ask(served.port, "/who") for _ in range(20)] == [(200, b"alpha")] * 20


async def test_a_new_certificate_reaches_new_connections_and_cuts_no_old_one(served):
    before = await _shown(served.port)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=client_tls())
    async with Load(served.port) as load:
        served.certificate = dataclasses.replace(served.certificate, names=("localhost",))
        await served.rotate()
        await until_async(lambda: _differs(served.port, before))
    assert load.failures == []
    writer.write(b"GET /who HTTP/1.1\r\nHost: edge\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert (await served.plan()).operations == (), "the certificate is not the edge's own difference"


async def test_another_program_takes_the_port_over_without_a_failed_request(served):
    old = (await served.look()).current
    async with Load(served.port) as load:
        slow = asyncio.create_task(ask(served.port, "/slow"))
        served.want_limits(heap_bytes=2**31)  # only a start can set it
        (planned,) = (await served.plan()).operations
        assert (planned.action, planned.interrupts, planned.reversible) == (Action.REPLACE, 0, True)
        assert await served.converge() == [UPGRADE]
        count = len(load.answers)
        await until(lambda: len(load.answers) > count + 20)
    assert load.failures == []
    assert await slow == (200, b"alpha")
    seen = await served.look()
    assert (seen.current.epoch, seen.current.base_id) == (1, old.base_id)
    assert seen.current.pid != old.pid


async def test_an_upgrade_that_fails_leaves_the_old_edge_serving_and_is_tried_again(served, tmp_path):
    broken = tmp_path / "broken-envoy"
    broken.write_text("#!/bin/sh\necho this Envoy is broken >&2\nexit 1\n")
    broken.chmod(0o755)
    right = served.desired.program
    served.want(program=dataclasses.replace(right, path=broken, version="9.9"))
    async with Load(served.port) as load:
        (planned,) = (await served.plan()).operations
        with pytest.raises(Transient, match="this Envoy is broken"):
            await served.actor.act(planned, lambda _text: None)
        (again,) = (await served.plan()).operations
        assert again.verb == "upgrade"
        served.want(program=dataclasses.replace(right, version="9.9"))
        assert await served.converge() == [UPGRADE]
    assert load.failures == []


async def test_a_second_upgrade_waits_until_the_first_one_has_drained(served):
    served.want_limits(heap_bytes=2**31)
    await served.converge()
    served.requests["edge.process"] = "2026-11-21T02:00:00Z"
    (planned,) = (await served.plan()).operations
    assert planned.not_before > served.clock.now()


async def test_a_restart_asked_for_by_hand_happens_exactly_once(served):
    served.requests["edge.process"] = "2026-11-21T02:00:00Z"
    assert await served.converge() == [UPGRADE]
    assert await served.converge() == []


async def test_limits_and_listener_are_changed_in_place(served):
    pid = (await served.look()).current.pid
    async with Load(served.port) as load:
        served.want_limits(headers_s=7.0, connections=400)
        assert await served.converge() == ["edge.listener:update", "edge.limits:update"]
    assert load.failures == []
    assert (await served.look()).current.pid == pid


async def test_the_port_may_move_while_a_request_runs(served):
    old_port = served.port
    slow = asyncio.create_task(ask(old_port, "/slow"))
    await asyncio.sleep(0.3)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        new_port = probe.getsockname()[1]
    served.want(port=new_port)
    assert await served.converge() == ["edge.listener:update"]
    assert await ask(new_port, "/who") == (200, b"alpha")
    assert await slow == (200, b"alpha")


async def test_every_address_is_both_families(rig):
    await rig.start_runtime("alpha")
    rig.route("alpha")
    rig.want(host="::")
    await rig.converge()
    assert await ask(rig.port, "/who") == (200, b"alpha")
    assert (await rig.plan()).diagnostics == ()


async def test_a_killed_edge_is_started_again_and_says_why(served):
    await served.ended(served.kill_edge(signal.SIGKILL))
    (planned,) = (await served.plan()).operations
    assert str(planned.cause) == "the edge has ended", "how, only its parent learns: the first process"
    assert planned.action is Action.RESTART
    assert await served.converge() == [START]
    assert await ask(served.port, "/who") == (200, b"alpha")


async def test_a_stopped_edge_was_stopped_and_is_no_crash(served):
    await stop_edge(served.layout, served.admin, drain_s=0.2)
    (planned,) = (await served.plan()).operations
    assert (str(planned.cause), planned.action) == ("the edge was stopped", Action.CREATE)


async def test_an_edge_killed_while_its_parent_drains_is_started_again(served):
    served.want_limits(heap_bytes=2**31)
    await served.converge()
    seen = await served.look()
    child = next(
        found for found in _children(served) if found.alive and found.generation == seen.current.generation
    )
    _signal(child, signal.SIGKILL)
    await served.ended(child)
    assert await served.converge() == [START]
    assert await ask(served.port, "/who") == (200, b"alpha")


async def test_damaged_documents_are_written_anew(served):
    (served.desired.directory / "listener.json").write_bytes(b"{torn")
    (served.desired.directory / "limits.json").unlink()
    assert await served.converge() == ["edge.listener:update", "edge.limits:update"]
    assert await ask(served.port, "/who") == (200, b"alpha")


async def test_settings_that_envoy_did_not_take_from_an_equal_file_are_drift(served):
    path = served.desired.directory / "limits.json"
    right = path.read_bytes()
    replace_file(path, right.replace(b"1000", b"77"))
    current = (await served.look()).current
    await asyncio.sleep(0.5)
    replace_file(path, right.replace(b"1000", b"77").replace(b'"version_info": "', b'"version_info": "z'))

    async def taken():
        return dict((await served.look()).current.accepted)["limits.json"].startswith("z")

    await until_async(taken)
    assert await served.converge() == ["edge.limits:update"]
    assert dict((await served.look()).current.accepted) == dict(current.accepted)


async def test_a_port_in_use_is_named_with_its_holder_and_envoy_is_not_started(rig):
    with socket.create_server(("127.0.0.1", rig.port)):
        await rig.rotate()
        plan = await rig.plan()
        (said,) = plan.diagnostics
        assert said.summary.startswith(f"port {rig.port} is in use by pid ")
        with pytest.raises(Terminal, match="is in use by pid"):
            await rig.actor.act(plan.operations[0], lambda _text: None)
        assert (await rig.look()).processes == ()
    assert await rig.converge() == [START]


async def test_a_stranger_that_shares_the_port_is_noticed(served):
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", served.port))
        stranger.listen()
        (said,) = (await served.plan()).diagnostics
        assert "it gets a part of this node's connections" in said.detail


async def test_two_nodes_of_one_machine_do_not_meet(served, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    other = Rig(tmp_path / "other", port)
    with contextlib.closing(_Sync(other)):
        assert await other.converge() == [START]
        assert (await other.look()).current.base_id != (await served.look()).current.base_id
        await other.close()


class _Sync:
    def __init__(self, rig):
        self._rig = rig

    def close(self):
        assert not [child for child in _children(self._rig) if child.alive]


def _children(rig):
    from reconciler.children import observe_children  # noqa: PLC0415

    return observe_children(rig.layout)


def _signal(child, number):
    from reconciler.children import signal_child  # noqa: PLC0415

    assert signal_child(child, number)


async def _shown(port):
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_tls())
    shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
    digest = hashlib.sha256(shown.getpeercert(binary_form=True)).hexdigest()
    writer.close()
    return digest


async def _differs(port, before):
    return await _shown(port) != before
