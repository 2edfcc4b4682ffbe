"""Logs: one JSON object a line, with the fields that Cloud Logging lifts.

https://cloud.google.com/logging/docs/structured-logging names the fields. The request's own line is
in `access_log`.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; what a call passes as `extra` becomes fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "severity": record.levelname,
            "time": timestamp(record.created),
            "message": record.getMessage(),
            "logger": record.name,
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure(level: str) -> None:
    """Send the process's log records to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def timestamp(seconds: float) -> str:
    """Seconds since the epoch in the form that Cloud Logging reads (RFC 3339, UTC)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
