"""From the declared state to what is wanted of edge, certificate and packet filter."""

from pathlib import Path

import pytest

from reconciler.layout import Layout
from reconciler.resources.address_limit import state as address_limit
from reconciler.resources.certificate import state as certificate
from reconciler.resources.edge import state as edge
from reconciler.resources.edge.state import EnvoyProgram
from reconciler.spec.load import load

PROGRAM = EnvoyProgram(path=Path("/opt/envoy"), version="1.40.0", workers=1)
BASE = "apiVersion: livepeer.orchestrator/v1\nname: fra-1\ngpus: none\nchain: {network: offchain}\n"


@pytest.fixture
def read(tmp_path):
    def reading(text):
        path = tmp_path / "orchestrator.yaml"
        path.write_text(BASE + text)
        return load([path]), Layout(data=tmp_path / "data", weights=tmp_path)

    return reading


def test_the_listener_follows_the_service_uri(read):
    declaration, layout = read('service: {uri: "https://fra.example.com:8935"}\n')
    wanted = edge.desire(declaration, layout, PROGRAM)
    assert (wanted.port, wanted.tls, wanted.node) == (8935, True, "fra-1")
    assert (wanted.listen_source.line, wanted.program) == (5, PROGRAM)
    assert certificate.desire(declaration, layout).names == ("fra.example.com",)
    assert address_limit.desire(declaration, layout).port == 8935


def test_limits_and_listening_address_are_declared(read):
    declaration, layout = read(
        "service:\n"
        '  uri: "https://fra.example.com:8935"\n'
        '  listen: {public: "127.0.0.1:9000"}\n'
        "  limits: {connections: 77, connectionsPerAddress: 5, headers: 3s}\n"
    )
    wanted = edge.desire(declaration, layout, PROGRAM)
    assert (wanted.address, wanted.limits.connections, wanted.limits.headers_s) == ("127.0.0.1:9000", 77, 3)
    limit = address_limit.desire(declaration, layout)
    assert (limit.connections, limit.explicit, limit.port) == (5, True, 9000)


def test_plain_http_behind_a_proxy_needs_no_certificate(read):
    declaration, layout = read('service: {uri: "http://fra.example.com:8935"}\n')
    assert not edge.desire(declaration, layout, PROGRAM).tls
    assert certificate.desire(declaration, layout) is None


def test_a_node_without_a_service_has_no_edge(read):
    declaration, layout = read("")
    assert edge.desire(declaration, layout, PROGRAM) is None
    assert certificate.desire(declaration, layout) is None
    assert address_limit.desire(declaration, layout) is None
