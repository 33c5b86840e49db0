"""Which program a runtime would be: our version, the interpreter, and a digest of the very code.

The code counts by content, so an editable installation is replaced when a file changes and a released one
when its version does. Read once per process; nothing is imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import sys
from pathlib import Path

from reconciler.resources.runtime.state import Program

PACKAGES = ("runtime", "livepeer", "schemas")
LIBRARIES = ("av", "uvicorn", "protobuf")
_SUFFIXES = {".py", ".json", ".proto"}


def read_program() -> Program:
    from importlib.metadata import version  # noqa: PLC0415 - only who needs versions pays for it

    ours = version("livepeer-reconciler")
    libraries = library_versions()
    found = hashlib.sha256(f"{ours}\n{sys.version}\n{libraries}\n".encode())
    for package in PACKAGES:
        for path in _files(package):
            found.update(path.name.encode() + b"\0" + path.read_bytes())
    return Program(digest=found.hexdigest()[:16], version=ours, python=platform.python_version())


def library_versions() -> tuple[str, ...]:
    """`av 18.1.0` and so on: what the serving process works with."""
    from importlib.metadata import version  # noqa: PLC0415

    return tuple(f"{name} {version(name)}" for name in LIBRARIES)


def _files(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return sorted(
        path
        for folder in folders
        for path in Path(folder).rglob("*")
        if path.suffix in _SUFFIXES and path.is_file()
    )
