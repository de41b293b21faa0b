"""Container output as CRI log files: `2026-01-02T03:04:05.123456789Z stdout F line`.

Owns      the format, cutting long lines into P parts, the file and its reopening.
Leaves    reading the pipes (containers.py), rotation and reading logs (kubelet).
Limit     LINE_BYTES_MAX a part, as containerd; a full disk loses lines, never the container.
"""

from __future__ import annotations

import os
import time

LINE_BYTES_MAX = 16 * 1024


def stamp(now_ns: int) -> bytes:
    seconds, nanos = divmod(now_ns, 1_000_000_000)
    return b"%s.%09dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode(), nanos)


class LineFormat:
    """One stream's bytes in, whole log lines out. Pure but for the rest it remembers."""

    def __init__(self, stream: str) -> None:
        self._stream = stream.encode()
        self._rest = b""

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """The finished lines of `data`; what has no newline yet waits for more."""
        data = self._rest + data
        head = b"%s %s " % (stamp(now_ns), self._stream)
        whole, newline, self._rest = data.rpartition(b"\n")
        out = b""
        if newline:
            if len(whole) <= LINE_BYTES_MAX or max(map(len, whole.split(b"\n"))) <= LINE_BYTES_MAX:
                full = head + b"F "
                out = full + whole.replace(b"\n", b"\n" + full) + b"\n"
            else:
                out = b"".join(_cut(line, head) for line in whole.split(b"\n"))
        parts = (len(self._rest) - 1) // LINE_BYTES_MAX if self._rest else 0
        if parts > 0:
            out += _parts(self._rest[: parts * LINE_BYTES_MAX], head)
            self._rest = self._rest[parts * LINE_BYTES_MAX :]
        return out

    def end(self, now_ns: int) -> bytes:
        """The unfinished last line, if there is one."""
        if not self._rest:
            return b""
        line, self._rest = self._rest, b""
        return b"%s %s F %s\n" % (stamp(now_ns), self._stream, line)


def _parts(data: bytes, head: bytes) -> bytes:
    pieces = range(0, len(data), LINE_BYTES_MAX)
    return b"".join(b"%sP %s\n" % (head, data[i : i + LINE_BYTES_MAX]) for i in pieces)


def _cut(line: bytes, head: bytes) -> bytes:
    last = max(0, len(line) - 1) // LINE_BYTES_MAX * LINE_BYTES_MAX
    return _parts(line[:last], head) + b"%sF %s\n" % (head, line[last:])


class LogFile:
    """The file both streams of a container go to. An empty path throws the lines away."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        self.lost_bytes = 0
        self.reopen()

    def reopen(self) -> None:
        self.close()
        if self._path:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o640)

    def write(self, data: bytes) -> None:
        if self._fd < 0 or not data:
            return
        try:
            self.lost_bytes += len(data) - os.write(self._fd, data)
        except OSError:  # disk full: the container goes on, its lines are lost and counted
            self.lost_bytes += len(data)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
