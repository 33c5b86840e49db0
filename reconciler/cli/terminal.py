"""What the streams of this process can show. Read by the verbs; renderers get the resulting palette only."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from reconciler.report.palette import COLOUR, PLAIN, Palette


def palette_for(stream: TextIO | None = None) -> Palette:
    """`NO_COLOR` wins, then `FORCE_COLOR`, then whether the stream is a terminal that is not dumb."""
    if os.environ.get("NO_COLOR"):
        return PLAIN
    forced = os.environ.get("FORCE_COLOR", "")
    if forced:
        return PLAIN if forced == "0" else COLOUR
    target = sys.stdout if stream is None else stream
    return COLOUR if target.isatty() and os.environ.get("TERM") != "dumb" else PLAIN


def say(text: str) -> None:
    """To the person, not to the pipe: stderr."""
    print(text, file=sys.stderr, flush=True)


def is_conversation() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
