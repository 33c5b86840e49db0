"""Fixtures of the simulated node."""

from __future__ import annotations

import pytest

from tests.simulation.node import Node
from tests.simulation.node_operator import Declared


@pytest.fixture(scope="session")
def declared_before(tmp_path_factory):
    """Files read once serve all simulations of a session."""
    return Declared(tmp_path_factory.mktemp("declared"))


@pytest.fixture
def node(declared_before, tmp_path):
    return Node(declared_before, tmp_path)
