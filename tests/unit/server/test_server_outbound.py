"""The clients for what gateways name: made at first use, and again where that failed."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.video import outbound as outbound_module
from runtime.video.outbound import Outbound


@pytest.fixture
def threads():
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def test_a_client_that_could_not_be_made_is_made_at_the_next_use(threads, monkeypatch):
    def too_many_files(verify):
        raise OSError(errno.EMFILE, "Too many open files")

    outbound = Outbound(threads)
    with monkeypatch.context() as patch:
        patch.setattr(outbound_module, "_make_client", too_many_files)
        with pytest.raises(OSError, match="Too many"):
            await outbound.client(verify=False)
    made = await outbound.client(verify=False)
    assert await outbound.client(verify=False) is made
    await outbound.close()
    assert made.is_closed


async def test_one_that_could_not_be_made_does_not_hinder_the_end(threads, monkeypatch):
    def too_many_files(verify):
        raise OSError(errno.EMFILE, "Too many open files")

    outbound = Outbound(threads)
    monkeypatch.setattr(outbound_module, "_make_client", too_many_files)
    with pytest.raises(OSError, match="Too many"):
        await outbound.client(verify=True)
    await outbound.close()
