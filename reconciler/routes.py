"""The files in which the edge meets its neighbours: who serves behind it, and with which certificate.

The runtime kind writes `endpoints.json`, the certificate kind `certificate.json`; the edge reads both by
itself and swaps to what it finds, without losing a connection. Their form is here so that neither kind
imports the other. Pure but for `replace_file`, through which such a file changes: by rename, so the edge
never sees a half.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from reconciler.core.values import Json, digest

RUNTIME_CLUSTER = "runtime"
CERTIFICATE_SECRET = "public"  # noqa: S105 - the name of a resource
UPSTREAM_IDLE_S = 60
"""The edge closes a kept connection to a runtime after this; a runtime must keep its side open for longer."""

_DISCOVERY = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - a type's name


def discovery_response(resources: Iterable[dict[str, Json]]) -> dict[str, Json]:
    """What Envoy's file subscription reads. The version is the content's digest."""
    listed = list(resources)
    return {"version_info": digest(listed), "resources": listed}


def render_endpoints(sockets: Iterable[Path]) -> dict[str, Json]:
    """New requests go to these runtimes' public sockets. None at all is valid: the edge then answers 503."""
    endpoints = [{"endpoint": {"address": {"pipe": {"path": str(socket)}}}} for socket in sockets]
    return discovery_response(
        [
            {
                "@type": _DISCOVERY,
                "cluster_name": RUNTIME_CLUSTER,
                "endpoints": [{"lb_endpoints": endpoints}] if endpoints else [],
            }
        ]
    )


def parse_endpoints(content: bytes) -> tuple[Path, ...]:
    """The sockets of an endpoints file. Raises ValueError where it is none of ours."""
    try:
        (assignment,) = json.loads(content)["resources"]
        return tuple(
            Path(entry["endpoint"]["address"]["pipe"]["path"])
            for locality in assignment["endpoints"]
            for entry in locality["lb_endpoints"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not an endpoints file: {error}") from error


def render_certificate(chain: Path, key: Path) -> dict[str, Json]:
    """The certificate that new connections get, as names of PEM files."""
    return discovery_response(
        [
            {
                "@type": _SECRET,
                "name": CERTIFICATE_SECRET,
                "tls_certificate": {
                    "certificate_chain": {"filename": str(chain)},
                    "private_key": {"filename": str(key)},
                },
            }
        ]
    )


def parse_certificate(content: bytes) -> tuple[Path, Path]:
    """Chain and key of a certificate file. Raises ValueError where it is none of ours."""
    try:
        (secret,) = json.loads(content)["resources"]
        pair = secret["tls_certificate"]
        return Path(pair["certificate_chain"]["filename"]), Path(pair["private_key"]["filename"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a certificate file: {error}") from error


def serialize(document: Json) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def replace_file(path: Path, content: bytes, mode: int = 0o640) -> None:
    """Durable and atomic: a reader sees the old content or the new one, after a power loss too."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
