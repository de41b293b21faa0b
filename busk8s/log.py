"""Structured logging for every component: one line an event, to stderr.

Owns      the two forms of a line: text with key=value fields, or upstream's JSON.
Leaves    what is worth a line (everybody).
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Literal

Form = Literal["text", "json"]
FORMS = ("text", "json")
DEBUG_V = 4  # From this verbosity on, as upstream's, what is for debugging is told.
REQUESTS_V = 3  # From this one on, a line for each request.

_verbosity = [0]


def verbosity() -> int:
    """How much is to be told, as `configure` was told."""
    return _verbosity[0]


class Logger:
    """A thin face over `logging` that takes fields by keyword: `log.info("bound", pod=key)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, **fields: Any) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, *, error: BaseException | None = None, **fields: Any) -> None:
        self._write(logging.ERROR, message, fields, error)

    def _write(
        self, level: int, message: str, fields: dict[str, Any], error: BaseException | None = None
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        text = message + "".join(f" {key}={_field(value)}" for key, value in fields.items())
        extra = {"said": message, "fields": fields}
        self._logger.log(level, "%s", text, exc_info=error, extra=extra)


def _field(value: Any) -> str:
    text = str(value).replace("\n", "\\n").replace("\r", "\\r")  # One event, one line.
    return f'"{text}"' if " " in text else text


class JsonForm(logging.Formatter):
    """A line as upstream's `--logging-format=json` has it: ts in milliseconds, msg, v, fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": round(record.created * 1_000, 3),
            "logger": record.name,
            "msg": getattr(record, "said", None) or record.getMessage(),
        }
        if record.levelno >= logging.WARNING:
            line["severity"] = record.levelname.lower()
        else:
            line["v"] = 0 if record.levelno >= logging.INFO else DEBUG_V
        for key, value in getattr(record, "fields", {}).items():
            line[key] = value if isinstance(value, str | int | float | bool) else str(value)
        if record.exc_info and record.exc_info[1] is not None:
            line["err"] = str(record.exc_info[1])
            line["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str = "info", form: str = "text", verbosity: int = 0) -> None:
    """Send everything at or above `level` to stderr, once per process."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonForm())
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s", "%H:%M:%S")
        )
    logging.raiseExceptions = False  # A full disk under the log must not end what it logs.
    _verbosity[0] = verbosity
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("DEBUG" if verbosity >= DEBUG_V else level.upper())
