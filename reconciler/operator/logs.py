"""The operator's log: constant event names as messages, everything else as fields, secrets masked.

JSON lines go to `<data>/logs/operator.log` (rotated) and to stderr, or readable text where stderr is a
terminal. Set up once by `run`; everyone else uses the standard library's loggers and `extra={"fields":
{...}}`.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
from collections.abc import Callable
from typing import TextIO

from reconciler.core.values import Json
from reconciler.layout import Layout
from reconciler.report.quantities import render_clock, render_moment, render_value

_LOG_BYTES = 10 * 1024 * 1024
_LOGS_KEPT = 5
_LONGEST_FIELD = 2_000

Redact = Callable[[str], str]


class JsonLines(logging.Formatter):
    """One object per record, with the field names of the streaming output."""

    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Json] = {
            "@level": record.levelname.lower(),
            "@message": record.getMessage(),
            "@module": record.name,
            "@timestamp": render_moment(record.created),
        }
        line |= fields_of(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-_LONGEST_FIELD:]
        return self._redact(json.dumps(line, ensure_ascii=False, default=str))


class TextLines(logging.Formatter):
    """For a person at a terminal."""

    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={render_value(value)}" for name, value in fields_of(record).items())
        level = record.levelname.lower()
        text = f"{render_clock(record.created)}  {level:<7} {record.getMessage():<22} {fields}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return self._redact(text.rstrip())


def fields_of(record: logging.LogRecord) -> dict[str, Json]:
    found = getattr(record, "fields", None)
    return dict(found) if isinstance(found, dict) else {}


def start_log(layout: Layout, *, level: str, redact: Redact, stream: TextIO = sys.stderr) -> None:
    """`level` is a standard name in any case. Libraries are heard from warning on."""
    layout.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = logging.handlers.RotatingFileHandler(
        layout.logs / "operator.log", maxBytes=_LOG_BYTES, backupCount=_LOGS_KEPT, encoding="utf-8"
    )
    file.setFormatter(JsonLines(redact))
    console = logging.StreamHandler(stream)
    console.setFormatter(TextLines(redact) if stream.isatty() else JsonLines(redact))
    root = logging.getLogger()
    for handler in tuple(root.handlers):
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    root.addHandler(file)
    root.addHandler(console)
    set_level(level)


def set_level(level: str) -> None:
    logging.getLogger("reconciler").setLevel(level.upper())
