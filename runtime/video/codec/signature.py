"""Perceptual hashes: the MPEG-7 video signature of a rendition, in the binary format that gateways compare.

The FFmpeg inside PyAV has no `signature` filter, so a full `ffmpeg` of the machine makes it, where there is
one. It reads our own rendition, never the stranger's segment. Without such a program hashes are left out and
that is logged, which is what the network's own transcoder does when it cannot make one.
"""

from __future__ import annotations

import functools
import logging
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from runtime.video.messages import signature_path

_log = logging.getLogger(__name__)
_LIST_TIMEOUT_S = 10.0
_TELL_EVERY_S = 0.5


@functools.cache
def signature_program() -> str | None:
    """The path of an `ffmpeg` that has the filter; looked for once per process."""
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    try:
        listed = subprocess.run(
            [program, "-hide_banner", "-filters"],
            capture_output=True,
            check=True,
            timeout=_LIST_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return program if b" signature " in listed else None


def make_signature(rendition: Path, *, timeout_s: float, progress: Callable[[], None]) -> Path | None:
    """Write the signature beside the rendition (`0.ts.phash`); None where it could not be made."""
    program = signature_program()
    if program is None:
        _log.warning("signature.missing", extra={"reason": "no ffmpeg with this filter"})
        return None
    target = signature_path(rendition)
    command = [program, "-v", "error", "-nostdin", "-threads", "1", "-i", rendition.name, "-an"]
    command += ["-vf", f"signature=format=binary:filename={target.name}", "-f", "null", "-"]
    if not _ends_well(command, rendition.parent, time.monotonic() + timeout_s, progress):
        _log.warning("signature.failed", extra={"reason": f"ffmpeg on {rendition.name}"})
        return None
    return target if target.exists() else None


def _ends_well(command: list[str], folder: Path, ends_at: float, progress: Callable[[], None]) -> bool:
    """Waits for the program, telling meanwhile that it is not this worker that hangs."""
    try:
        program = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return False
    with program:
        while time.monotonic() < ends_at:
            try:
                return program.wait(_TELL_EVERY_S) == 0
            except subprocess.TimeoutExpired:
                progress()
        program.kill()
    return False
