"""Connections per address, enforced by the real packet filter between two network namespaces."""

import os
import subprocess
import sys

import pytest

from reconciler.core.clock import SystemClock
from reconciler.core.kind import View
from reconciler.core.values import Known
from reconciler.resources.address_limit.act import AddressLimitActor, remove_limit
from reconciler.resources.address_limit.nft import Nft
from reconciler.resources.address_limit.observe import AddressLimitObserver
from reconciler.resources.address_limit.plan import plan_address_limit
from reconciler.resources.address_limit.state import AddressLimitDesired, Limit

pytestmark = [pytest.mark.root, pytest.mark.needs_nft, pytest.mark.needs_ip]

_SERVER = """
import socket
with socket.create_server(("", 8935), family=socket.AF_INET6, dualstack_ipv6=True) as server:
    print("listening", flush=True)
    kept = []
    while True:
        kept.append(server.accept())
"""
_CLIENT = """
import socket, sys
kept, refused = [], 0
for _ in range(int(sys.argv[2])):
    try:
        kept.append(socket.create_connection((sys.argv[1], 8935), timeout=5))
    except OSError:
        refused += 1
print(len(kept), refused)
"""


class Net:
    """A node and a stranger, joined by a cable."""

    def __init__(self):
        self.node, self.stranger = f"node{os.getpid()}", f"peer{os.getpid()}"

    def __enter__(self):
        for space in (self.node, self.stranger):
            _run("ip", "netns", "add", space)
            _run("ip", "-n", space, "link", "set", "lo", "up")
        _run(
            "ip", "-n", self.node, "link", "add", "cable", "type", "veth", "peer", "name", "cable",
            "netns", self.stranger,
        )  # fmt: skip
        for space, last in ((self.node, 1), (self.stranger, 2)):
            _run("ip", "-n", space, "addr", "add", f"192.0.2.{last}/24", "dev", "cable")
            _run("ip", "-n", space, "addr", "add", f"2001:db8::{last}/64", "dev", "cable", "nodad")
            _run("ip", "-n", space, "link", "set", "cable", "up")
        return self

    def __exit__(self, *_error):
        for space in (self.node, self.stranger):
            subprocess.run(["ip", "netns", "del", space], check=False)

    def connect(self, address, times, space=None):
        command = ["ip", "netns", "exec", space or self.stranger, sys.executable, "-c", _CLIENT]
        answer = subprocess.run([*command, address, str(times)], check=True, capture_output=True, text=True)
        kept, refused = answer.stdout.split()
        return int(kept), int(refused)


def _run(*command):
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def net():
    with Net() as made:
        command = ["ip", "netns", "exec", made.node, sys.executable, "-c", _SERVER]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            server.stdout.readline()
            yield made
            server.kill()


def _desired(connections):
    return AddressLimitDesired(table="orchestrator_test", port=8935, connections=connections, explicit=True)


async def _converge(net, connections):
    desired, packets, clock = _desired(connections), Nft(("ip", "netns", "exec", net.node)), SystemClock()
    observer, actor = AddressLimitObserver(desired, packets, clock), AddressLimitActor(desired, packets)
    view = View(now=clock.now())
    verbs = []
    for operation in plan_address_limit(desired, await observer.observe(), view).operations:
        assert await actor.holds(operation)
        await actor.act(operation, lambda _text: None)
        verbs.append(operation.verb)
    observed = await observer.observe()
    assert isinstance(observed, Known)
    assert plan_address_limit(desired, observed, view).operations == ()
    return verbs, observed.value


async def test_one_address_gets_its_number_of_connections_and_loopback_any(net):
    verbs, seen = await _converge(net, 4)
    assert (verbs, seen.limit) == (["limit"], Limit(8935, 4))
    assert net.connect("192.0.2.1", 7) == (4, 3)
    assert net.connect("2001:db8::1", 7) == (4, 3)
    assert net.connect("127.0.0.1", 7, net.node) == (7, 0)


async def test_the_limit_is_changed_and_taken_away(net):
    await _converge(net, 2)
    verbs, seen = await _converge(net, 6)
    assert (verbs, seen.limit) == (["limit"], Limit(8935, 6))
    assert net.connect("192.0.2.1", 7) == (6, 1)
    verbs, seen = await _converge(net, 0)
    assert (verbs, seen.limit) == (["remove"], None)
    assert net.connect("192.0.2.1", 7) == (7, 0)


async def test_rules_of_another_hand_in_our_table_are_drift(net):
    packets = Nft(("ip", "netns", "exec", net.node))
    await _converge(net, 2)
    await packets.run("flush chain inet orchestrator_test input")
    verbs, seen = await _converge(net, 2)
    assert (verbs, seen.limit) == (["limit"], Limit(8935, 2))


async def test_a_stopped_node_leaves_no_table(net):
    packets = Nft(("ip", "netns", "exec", net.node))
    await _converge(net, 2)
    assert await remove_limit("orchestrator_test", packets)
    assert not await remove_limit("orchestrator_test", packets)
