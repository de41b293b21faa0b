"""Structured logging for every component: one line an event, key=value fields, to stderr."""

from __future__ import annotations

import logging
import sys
from typing import Any


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
        self._logger.log(level, "%s", text, exc_info=error)


def _field(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text


def configure(level: str = "info") -> None:
    """Send everything at or above `level` to stderr, once per process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s", "%H:%M:%S")
    )
    logging.raiseExceptions = False  # A full disk under the log must not end what it logs.
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
