"""What the supervisor holds, on disk: a journal of records, so that a successor can clean up.

Owns      the records of sandboxes and containers and their file.
Leaves    what a state means.
Invariant a record is in the file before the thing it tells of is reported to anyone. No fsync: a
          machine that loses power loses the processes too, and the boot id tells that apart.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

COMPACT_LINES_MIN = 1000  # below that, rewriting is not worth it


class Table:
    """`sandboxes` and `containers` by id; change a record, then `put` it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.sandboxes: dict[str, Json] = {}
        self.containers: dict[str, Json] = {}
        self.boot_id = ""
        self.groups: list[str] = []  # where the cgroups are
        self._lines = 0
        self._behind = False  # the file lacks something: a write failed
        self._read()
        self._fd = -1
        self._rewrite()

    def put(self, kind: str, record: Json) -> None:
        """`kind` is "sandbox" or "container"."""
        self._of(kind)[record["id"]] = record
        self._append({"kind": kind, "put": record})

    def set_groups(self, groups: list[str]) -> None:
        if groups != self.groups:
            self.groups = groups
            self._catch_up()

    def drop(self, kind: str, record_id: str) -> None:
        if self._of(kind).pop(record_id, None) is not None:
            self._append({"kind": kind, "drop": record_id})

    def _of(self, kind: str) -> dict[str, Json]:
        return self.sandboxes if kind == "sandbox" else self.containers

    def _append(self, line: Json) -> None:
        if self._behind:
            self._catch_up()
            return
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        try:
            self._behind = os.write(self._fd, data) != len(data)
        except OSError:
            self._behind = True
        self._lines += 1
        live = len(self.sandboxes) + len(self.containers)
        if self._lines > COMPACT_LINES_MIN + 8 * live:
            self._catch_up()

    def _catch_up(self) -> None:
        """Write it all. On a full disk containers go on, and the next change tries again."""
        try:
            self._rewrite()
        except OSError:
            self._behind = True
        else:
            self._behind = False

    def _read(self) -> None:
        try:
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return
        for text in lines[:-1]:  # what follows the last newline is torn
            try:
                line = json.loads(text)
            except ValueError:
                continue  # a torn line in the middle: a crash, then a successor went on behind it
            self._replay(line)

    def _replay(self, line: Json) -> None:
        if "boot_id" in line:
            self.boot_id, self.groups = line["boot_id"], line.get("groups", [])
        elif "put" in line:
            self._of(line["kind"])[line["put"]["id"]] = line["put"]
        else:
            self._of(line["kind"]).pop(line["drop"], None)

    def _rewrite(self) -> None:
        lines: list[Json] = [{"boot_id": boot_id(), "groups": self.groups}]
        lines += [{"kind": "sandbox", "put": record} for record in self.sandboxes.values()]
        lines += [{"kind": "container", "put": record} for record in self.containers.values()]
        fresh = self._path + ".new"
        with open(fresh, "wb") as file:
            for line in lines:
                file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        os.replace(fresh, self._path)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._lines = len(lines)


def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def start_ticks(pid: int) -> int:
    """When `pid` started, in clock ticks since boot: with the pid, it names a process. 0 = none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return 0
