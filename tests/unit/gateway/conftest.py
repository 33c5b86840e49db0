from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
from toy_orchestrator import Toy, ToyOrchestrator
from toy_server import ToyServer, make_certificate

from livepeer.gateway.clip import Clip, make_clip
from livepeer.wire.signing import KeySigner


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def clip() -> tuple[bytes, ...]:
    return make_clip(Clip(width=160, height=90, segment_s=0.5, count=2, bitrate=100_000))


async def _serve(node: ToyOrchestrator, context: ssl.SSLContext) -> AsyncIterator[Toy]:
    async with ToyServer(context, node.handle) as server:
        node.uri = f"https://127.0.0.1:{server.port}"
        yield Toy(node, server)
        await asyncio.sleep(0)


@pytest.fixture
async def toy(certificate: ssl.SSLContext) -> AsyncIterator[Toy]:
    async for served in _serve(ToyOrchestrator(), certificate):
        yield served


@pytest.fixture
async def onchain(certificate: ssl.SSLContext) -> AsyncIterator[Toy]:
    async for served in _serve(ToyOrchestrator(KeySigner(b"\x01" * 32)), certificate):
        yield served
