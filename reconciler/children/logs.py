"""Rotation of the children's own logs, and their last words.

A child writes `<role>.out` itself, in append mode, and knows nothing of rotation: the file is copied and
then cut to nothing, so the same descriptor goes on at its beginning. Lines written between copy and cut are
lost; that is the price for needing no cooperation. Called by the operator's loop, and by actors for what a
child said before it ended.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from reconciler.children.start import log_file
from reconciler.layout import Layout

_TAIL_BYTES = 4096
_LONGEST_WORDS = 400


def last_words(layout: Layout, role: str) -> str:
    """The last line that a child of this role wrote, for whoever wonders why it ended; empty for none."""
    try:
        with log_file(layout, role).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][-_LONGEST_WORDS:] if lines else ""


def rotate_logs(layout: Layout, *, over_bytes: int, keep: int) -> tuple[Path, ...]:
    """Rotates logs above `over_bytes` to `.1`, `.1` to `.2` and so on; the oldest beyond `keep` goes."""
    rotated = []
    for path in sorted(layout.logs.glob("*.out")):
        if path.stat().st_size > over_bytes:
            _rotate(path, keep)
            rotated.append(path)
    return tuple(rotated)


def _rotate(path: Path, keep: int) -> None:
    for number in range(keep - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            os.replace(older, path.with_name(f"{path.name}.{number + 1}"))
    if keep > 0:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
