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
        return json.dumps(line, default=str)


class SharedFile(logging.handlers.RotatingFileHandler):
    """A file that a second process, which replaces this one, writes and may rotate too."""

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the library's name
        if not self._is_current():
            self.acquire()
            try:
                self.close()
                self.stream = self._open()
            finally:
                self.release()
        return bool(super().shouldRollover(record))

    def _is_current(self) -> bool:
        if self.stream is None:
            return False
        try:
            return os.path.samestat(os.stat(self.baseFilename), os.fstat(self.stream.fileno()))
        except FileNotFoundError:
            return False


def open_log(path: str) -> None:
    """Send this process's log to `path`. Call once."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    handler = SharedFile(path, maxBytes=_ROTATE_BYTES, backupCount=_KEPT_FILES, encoding="utf-8")
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def set_level(level: str) -> None:
    """The level of our own records; libraries stay at warnings."""
    logging.getLogger("runtime").setLevel(level.upper())
