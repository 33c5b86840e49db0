"""The runtime's log: JSON lines with constant event names, rotated by the process itself.

The message of a record is the event's name; everything else is a field (`extra={"fields": …}`). Set up once
by the process assembly, before anything logs. Libraries' warnings end up in the same file.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os

_ROTATE_BYTES = 16 * 1024 * 1024
_KEPT_FILES = 5


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def open_log(path: str) -> None:
    """Send this process's log to `path`. Call once."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=_ROTATE_BYTES, backupCount=_KEPT_FILES, encoding="utf-8"
    )
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def set_level(level: str) -> None:
    """The level of our own records; libraries stay at warnings."""
    logging.getLogger("runtime").setLevel(level.upper())
