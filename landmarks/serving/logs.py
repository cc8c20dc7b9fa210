"""Logs as lines of JSON on stderr: what happened, never what a photo shows or is called."""

import json
import logging
import logging.config
from datetime import UTC, datetime
from typing import Any

LOGGER = "landmarks.serving"


class Json(logging.Formatter):
    """One object a record: `time`, `level`, `event`, and what the caller gave as `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        tree: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            tree["traceback"] = self.formatException(record.exc_info)
        return json.dumps(tree, ensure_ascii=False, default=str)


def configure(level: str) -> None:
    """Send the records of the service and of uvicorn to stderr."""
    loggers = {
        LOGGER: {"level": level.upper(), "handlers": ["stderr"], "propagate": False},
        # Its news of starting and stopping are told by the service; its errors stay.
        "uvicorn": {"level": "ERROR", "handlers": ["stderr"], "propagate": False},
        # It tells of every odd form; the client is told in the answer.
        "python_multipart": {"level": "CRITICAL", "propagate": False},
    }
    handler = {"class": "logging.StreamHandler", "formatter": "json"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": Json}},
            "handlers": {"stderr": handler},
            "loggers": loggers,
        }
    )


def say(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event of the service."""
    logging.getLogger(LOGGER).log(level, event, extra={"fields": fields})
