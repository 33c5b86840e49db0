"""One segment pushed to the toy orchestrator, and what fails of it."""

from __future__ import annotations

import pytest
from toy_orchestrator import Toy

from livepeer.gateway.client import Gateway
from livepeer.gateway.failures import (
    GatewayError,
)
from livepeer.gateway.limits import Limits
from livepeer.wire.profiles import Container, VideoProfile
from livepeer.wire.signing import KeySigner

PROFILES = (
    VideoProfile(name="a", width=160, height=90, fps=30),
    VideoProfile(name="b", width=160, height=90, fps=30, container=Container.MP4),
)
GATEWAY_KEY = KeySigner(b"\x46" * 32)


async def push(
    toy: Toy, segment: bytes, *, signer: KeySigner | None = None, limits: Limits | None = None
) -> None:
    async with Gateway(toy.uri, signer=signer, limits=limits).session("m", PROFILES) as session:
        await session.push(segment, 0, duration_s=0.5)


async def failure(toy: Toy, segment: bytes, **options: object) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await push(toy, segment, **options)  # type: ignore[arg-type]
    return caught.value
