"""The ASGI program on the public socket: a table of routes, and what is said where there is none.

Features bring their routes; this knows only paths. gRPC calls arrive as POSTs of one protobuf message
(`answers.py`), those that the edge cannot translate as framed gRPC. Unexpected errors go through to the HTTP
server, which logs them, answers 500 and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from livepeer.wire import grpc, texts
from runtime.server import answers
from runtime.server.answers import Handler, Receive, Scope, Send

_GRPC = b"application/grpc"


class Program:
    """`paths` are exact, `prefixes` are tried after them, `methods` are gRPC's, by their full path."""

    def __init__(
        self, *, paths: Mapping[str, Handler], prefixes: Mapping[str, Handler], methods: Mapping[str, Handler]
    ) -> None:
        self._paths = dict(paths)
        self._prefixes = dict(prefixes)
        self._methods = dict(methods)
        self._services = {path.rpartition("/")[0] for path in methods}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await self._handler(scope)(scope, receive, send)

    def _handler(self, scope: Scope) -> Handler:
        path = scope["path"]
        # as it was sent: the edge knows calls by that, and an escape must not lead around what it does there
        method = self._methods.get(scope["raw_path"].decode("latin-1"))
        if method is not None and answers.header(scope, b"content-type") == answers.PROTOBUF:
            return method
        handler = self._paths.get(path)
        if handler is not None:
            return handler
        for prefix, prefixed in self._prefixes.items():
            if path.startswith(prefix):
                return prefixed
        return self._unknown

    async def _unknown(self, scope: Scope, _receive: Receive, send: Send) -> None:
        content_type = answers.header(scope, b"content-type")
        is_bridged, is_grpc = content_type == answers.PROTOBUF, content_type.startswith(_GRPC)
        service, _, method = scope["path"].rpartition("/")
        if not service or not (is_bridged or is_grpc):
            await answers.send_error(send, HTTPStatus.NOT_FOUND, texts.NOT_FOUND_PATH)
            return
        name = service.lstrip("/")
        text = (
            texts.GRPC_UNKNOWN_METHOD % (method, name)
            if service in self._services
            else texts.GRPC_UNKNOWN_SERVICE % name
        )
        refuse = answers.send_grpc_error if is_bridged else answers.send_framed_grpc_error
        await refuse(send, grpc.UNIMPLEMENTED, text)


async def healthz(_scope: Scope, _receive: Receive, send: Send) -> None:
    await answers.send_bytes(send, HTTPStatus.OK, (), b"")
