"""The running operator as the verbs see it: requests over its unix socket, answers as JSON or lines.

Synchronous and on the standard library, so that a verb starts in milliseconds. `operator_client` is None
where nobody serves; then verbs that change something take the lock themselves. Every wait is bounded.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from reconciler.core.errors import OperatorError, Unreachable
from reconciler.core.values import Json
from reconciler.layout import Layout

ANSWER_TIMEOUT_S = 15.0
STREAM_SILENCE_S = 60.0
"""The operator tells every ten seconds what it waits for; more silence means that it is gone."""

_LARGEST_ANSWER_BYTES = 32 * 1024 * 1024
_LONGEST_LINE_BYTES = 4 * 1024 * 1024


class OperatorRefused(OperatorError):
    """Raised when the operator answers with an error; it carries the operator's exit code and next step."""

    def __init__(self, message: str, *, code: int, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.exit_code = code


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("operator", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True, slots=True)
class OperatorClient:
    socket_path: Path

    def get(self, path: str, **query: str) -> Json:
        return json.loads(self._whole("GET", path, query))

    def get_text(self, path: str, **query: str) -> str:
        return self._whole("GET", path, query).decode()

    def post(self, path: str, body: Mapping[str, Json]) -> Json:
        return json.loads(self._whole("POST", path, {}, json.dumps(body).encode()))

    def post_lines(self, path: str, body: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
        """JSON objects as they come, until the operator ends the answer."""
        connection = _UnixConnection(self.socket_path, STREAM_SILENCE_S)
        try:
            response = self._ask(connection, "POST", path, json.dumps(body).encode())
            while line := _bounded_line(response):
                if line.strip():
                    yield json.loads(line)
        except (TimeoutError, http.client.HTTPException, ConnectionError) as error:
            raise _gone(error) from error
        finally:
            connection.close()

    def _whole(self, method: str, path: str, query: Mapping[str, str], body: bytes = b"") -> bytes:
        connection = _UnixConnection(self.socket_path, ANSWER_TIMEOUT_S)
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            response = self._ask(connection, method, target, body)
            return response.read(_LARGEST_ANSWER_BYTES)
        except (TimeoutError, http.client.HTTPException, ConnectionError) as error:
            raise _gone(error) from error
        finally:
            connection.close()

    def _ask(
        self, connection: _UnixConnection, method: str, target: str, body: bytes
    ) -> http.client.HTTPResponse:
        connection.request(method, target, body or None)
        response = connection.getresponse()
        if response.status >= 300:
            raise _refusal(response.status, response.read(64 * 1024))
        return response


def operator_client(layout: Layout) -> OperatorClient | None:
    """The running operator's, or None. A socket file that nobody listens on counts as nobody."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(2.0)
    try:
        probe.connect(str(layout.operator_socket))
    except PermissionError as error:
        raise Unreachable(
            f"{layout.operator_socket}: {error.strerror}", next_step="use the operator's own user"
        ) from error
    except OSError:
        return None
    finally:
        probe.close()
    return OperatorClient(layout.operator_socket)


def _bounded_line(response: http.client.HTTPResponse) -> bytes:
    line = response.readline(_LONGEST_LINE_BYTES)
    if len(line) >= _LONGEST_LINE_BYTES:
        raise http.client.HTTPException("a line without an end")
    return line


def _gone(error: Exception) -> Unreachable:
    return Unreachable(
        f"the operator stopped answering ({error or type(error).__name__})",
        next_step="`reconcile status` tells whether it still runs; its log is <data>/logs/operator.log",
    )


def _refusal(status: int, body: bytes) -> OperatorRefused:
    try:
        found = json.loads(body)
        return OperatorRefused(
            str(found["error"]),
            code=int(found.get("exit_code", 1)),
            next_step=str(found.get("next_step", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return OperatorRefused(f"the operator answered {status}", code=1)
