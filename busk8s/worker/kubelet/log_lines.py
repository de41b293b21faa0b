"""CRI log lines: `2026-01-02T03:04:05.123456789Z stdout F text`. Pure.

Owns      parsing a line, choosing and rendering what `kubectl logs` shows.
Leaves    files (logs.py). What is not a CRI line is shown as it is rather than hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Line(NamedTuple):
    stamp: bytes
    stream: bytes
    partial: bool
    text: bytes


@dataclass(frozen=True, slots=True)
class Options:
    """`since` in seconds since the epoch, 0 = from the beginning. `tail` None = all."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float = 0.0
    limit_bytes: int | None = None
    stream: bytes = b""  # stdout, stderr, or both when empty


def parse_line(raw: bytes) -> Line:
    """`raw` without its newline."""
    parts = raw.split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return Line(b"", b"stdout", False, raw)
    text = parts[3] if len(parts) == 4 else b""
    return Line(parts[0], parts[1], parts[2].split(b":")[0] == b"P", text)


def seconds(stamp: bytes) -> float:
    """Of an RFC 3339 time with up to nine places; 0 when it is none."""
    head, _, fraction = stamp.rstrip(b"Z").partition(b".")
    try:
        whole = datetime.fromisoformat(head.decode() + "+00:00").timestamp()
        return whole + float(b"0." + fraction if fraction else 0)
    except ValueError:
        return 0.0


class Renderer:
    """Lines in, bytes out; remembers whether it is in the middle of a cut line."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._middle = False
        self._left = options.limit_bytes

    @property
    def full(self) -> bool:
        """limitBytes is reached; nothing more will be shown."""
        return self._left is not None and self._left <= 0

    def render(self, line: Line) -> bytes:
        options = self._options
        if options.stream and line.stream != options.stream:
            return b""
        if options.since and line.stamp and seconds(line.stamp) < options.since:
            return b""
        out = line.text if line.partial else line.text + b"\n"
        if options.timestamps and not self._middle:
            out = line.stamp + b" " + out
        self._middle = line.partial
        if self._left is not None:
            out = out[: max(0, self._left)]
            self._left -= len(out)
        return out


def rotated(names: list[str], keep: int) -> list[str]:
    """Which of the rotated files (oldest name first) are to go so that `keep` stay."""
    ordered = sorted(names)
    return ordered[: max(0, len(ordered) - keep)]
