"""`/stream/<session>/<name>`: downloads of renditions, for as long as they are kept.

The unguessable session id is the only key, as on the whole network. Any method is answered, HEAD without a
body. Headers are those of go-livepeer, which players rely on; the content type is what the name says.
"""

from __future__ import annotations

import os
from http import HTTPStatus

from livepeer.wire import texts
from runtime.server import answers
from runtime.server.answers import Headers, Receive, Scope, Send
from runtime.video.storage import OwnStore

PREFIX = "/stream/"
_PIECE_BYTES = 1024 * 1024
_HEADERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Content-Length"),
    (b"cache-control", b"max-age=5"),
]
_TYPES = {".ts": b"video/mp2t", ".mp4": b"video/mp4", ".phash": b"application/octet-stream"}


class Downloads:
    def __init__(self, store: OwnStore) -> None:
        self._store = store

    async def answer(self, scope: Scope, _receive: Receive, send: Send) -> None:
        session_id, slash, name = scope["path"][len(PREFIX) :].partition("/")
        descriptor = self._open(session_id, name) if slash and name else None
        if descriptor is None:
            await answers.send_error(send, HTTPStatus.NOT_FOUND, texts.NOT_FOUND_OBJECT, _HEADERS)
            return
        try:
            await _send_file(descriptor, name, send, is_head=scope["method"] == "HEAD")
        finally:
            os.close(descriptor)

    def _open(self, session_id: str, name: str) -> int | None:
        try:
            return os.open(self._store.find(session_id, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (OSError, ValueError):
            return None


async def _send_file(descriptor: int, name: str, send: Send, *, is_head: bool) -> None:
    """One read per piece; a rendition is rarely larger than one, and lies in memory."""
    size = os.fstat(descriptor).st_size
    content_type = _TYPES.get(os.path.splitext(name)[1], b"application/octet-stream")
    headers = [*_HEADERS, (b"content-length", b"%d" % size), (b"content-type", content_type)]
    await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
    left = 0 if is_head else size
    while left > _PIECE_BYTES:
        piece = os.read(descriptor, _PIECE_BYTES)
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": os.read(descriptor, left) if left else b""})
