"""Renditions that go to the gateway's own object store: S3 POST policies and Google's, as HTML forms.

The gateway sends a signed policy with the segment; we send one multipart form per rendition. A store that
answers with anything but an empty success has refused it, and that is reported as the failure it is. Only a
connection that broke is tried again: the form names its object, so sending it twice leaves one.
"""

from __future__ import annotations

import asyncio
import posixpath
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from livepeer.wire.segments import StorageS3
from runtime.video.outbound import Outbound
from runtime.video.storage import StorageError
from runtime.video.targets import ForbiddenTarget, Target, Targets

if TYPE_CHECKING:
    import httpx

_TOTAL_S = 10.0
_TRIES = 3
_SHOWN_BYTES = 300
_TYPES = {".ts": "video/mp2t", ".mp4": "video/mp4"}


class FormStorage:
    """One session's output storage at its gateway's."""

    def __init__(
        self, storage: StorageS3, *, targets: Targets, outbound: Outbound, threads: Executor
    ) -> None:
        self._storage = storage
        self._targets = targets
        self._outbound = outbound
        self._threads = threads

    async def put(self, name: str, path: Path) -> str:
        try:
            async with asyncio.timeout(_TOTAL_S):
                await self._post(name, path)
        except TimeoutError as error:
            raise StorageError(f"the object store took longer than {_TOTAL_S:g} s") from error
        except ForbiddenTarget as error:
            raise StorageError(f"the object store cannot be used: {error}") from error
        except OSError as error:
            raise StorageError(f"cannot read {name}: {error.strerror}") from error
        return f"{self._storage.host}/{self._storage.key}/{name}"

    async def _post(self, name: str, path: Path) -> None:
        loop = asyncio.get_running_loop()
        targets = self._targets
        target = await targets.judge(self._storage.host, allow=targets.reach)
        client = await self._outbound.client(verify=True)
        data = await loop.run_in_executor(self._threads, path.read_bytes)
        import httpx  # noqa: PLC0415 - loaded by making the client, on a thread

        tries = AsyncRetrying(
            retry=retry_if_exception_type(httpx.TransportError),
            stop=stop_after_attempt(_TRIES),
            wait=wait_exponential_jitter(initial=0.2, max=1.0),
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    await self._send(client, target, name, data)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise StorageError(f"the object store failed: {type(error).__name__} {error}".rstrip()) from error

    async def _send(self, client: httpx.AsyncClient, target: Target, name: str, data: bytes) -> None:
        async with client.stream(
            "POST",
            target.url,
            data=form_fields(self._storage, name),
            files={"file": (posixpath.basename(name), data, content_type(name))},
            headers={"host": target.host_header, "accept-encoding": "identity"},
            extensions={"sni_hostname": target.host},
        ) as response:
            await _require_success(response)


def form_fields(storage: StorageS3, name: str) -> dict[str, str]:
    """The form, in the order that the policies expect, without its file."""
    directory = posixpath.dirname(f"{storage.key}/{name}")
    fields = {
        "acl": "public-read",
        "Content-Type": content_type(name),
        "key": f"{directory}/${{filename}}",
        "policy": storage.policy,
    }
    if storage.is_google:
        return fields | {"GoogleAccessId": storage.credential, "signature": storage.signature}
    return fields | {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": storage.credential,
        "x-amz-date": storage.date,
        "x-amz-signature": storage.signature,
    }


def content_type(name: str) -> str:
    return _TYPES.get(posixpath.splitext(name)[1], "application/octet-stream")


async def _require_success(response: httpx.Response) -> None:
    """Reads no more than is shown, as it came: a store may answer without end, or packed a thousandfold."""
    shown = b""
    async for piece in response.aiter_raw():
        shown += piece[:_SHOWN_BYTES]
        if len(shown) >= _SHOWN_BYTES:
            break
    text = shown[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
    if text or not response.is_success:
        raise StorageError(text or f"the object store answered {response.status_code}")
