"""Pure parts of the process runtime: log format, cgroup settings, the journal."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.worker.runtime.cgroups import cpu_weight, hierarchies, settings
from busk8s.worker.runtime.cri_log import LINE_BYTES_MAX, LineFormat, LogFile, stamp
from busk8s.worker.runtime.table import Table

NOW = 1_767_323_045_123_456_789
HEAD = b"2026-01-02T03:04:05.123456789Z stdout "


def test_a_stamp_has_nanoseconds() -> None:
    assert stamp(NOW) == b"2026-01-02T03:04:05.123456789Z"


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([b"a\nb\n"], [b"F a", b"F b"], id="whole lines"),
        pytest.param([b"a", b"b\n"], [b"F ab"], id="a line in two pieces"),
        pytest.param([b"a"], [b"F a"], id="a last line without its end"),
        pytest.param([b"\n\n"], [b"F ", b"F "], id="empty lines"),
        pytest.param(
            [b"x" * (LINE_BYTES_MAX + 1) + b"\n"],
            [b"P " + b"x" * LINE_BYTES_MAX, b"F x"],
            id="a long line is cut",
        ),
        pytest.param(
            [b"x" * LINE_BYTES_MAX + b"\n"], [b"F " + b"x" * LINE_BYTES_MAX], id="just not too long"
        ),
    ],
)
def test_lines_are_logged_in_cri_format(chunks: list[bytes], expected: list[bytes]) -> None:
    lines = LineFormat("stdout")
    out = b"".join(lines.feed(chunk, NOW) for chunk in chunks) + lines.end(NOW)
    assert out == b"".join(HEAD + line + b"\n" for line in expected)


@given(st.lists(st.binary(max_size=50_000), max_size=6))
def test_no_byte_is_lost_or_added(chunks: list[bytes]) -> None:
    lines = LineFormat("stdout")
    out = b"".join(lines.feed(chunk, NOW) for chunk in chunks) + lines.end(NOW)
    back = b""
    for line in out.split(b"\n")[:-1]:
        assert len(line) <= LINE_BYTES_MAX + len(HEAD) + 2
        tag, text = line[len(HEAD) : len(HEAD) + 2], line[len(HEAD) + 2 :]
        back += text + (b"\n" if tag == b"F " else b"")
    given_in = b"".join(chunks)
    assert back in (given_in, given_in + b"\n")


def test_a_full_disk_loses_lines_and_counts_them() -> None:
    log = LogFile("/dev/full")
    log.write(b"hello\n")
    assert log.lost_bytes == 6
    log.close()


LIMITS = {
    "cpu_request_millis": 0, "cpu_limit_millis": 0, "memory_limit_bytes": 0, "pids_limit": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("version", "limits", "expected"),
    [
        pytest.param(1, {}, [("cpu", "cpu.shares", "2")], id="nothing asked, least share"),
        pytest.param(
            1,
            {"cpu_request_millis": 500, "cpu_limit_millis": 1500, "memory_limit_bytes": 64},
            [
                ("memory", "memory.limit_in_bytes", "64"),
                ("cpu", "cpu.shares", "512"),
                ("cpu", "cpu.cfs_period_us", "100000"),
                ("cpu", "cpu.cfs_quota_us", "150000"),
            ],
            id="v1",
        ),
        pytest.param(
            2,
            {"cpu_limit_millis": 1, "memory_limit_bytes": 64, "pids_limit": 7},
            [
                ("memory", "memory.oom.group", "1"),
                ("memory", "memory.max", "64"),
                ("memory", "memory.swap.max", "0"),
                ("cpu", "cpu.weight", "1"),
                ("cpu", "cpu.max", "1000 100000"),
                ("pids", "pids.max", "7"),
            ],
            id="v2, quota not below the kernel's least",
        ),
    ],
)
def test_limits_become_files(
    version: int, limits: dict[str, int], expected: list[tuple[str, str, str]]
) -> None:
    assert settings(LIMITS | limits, version) == expected


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 39), (262144, 10000)])
def test_shares_become_weights(shares: int, weight: int) -> None:
    assert cpu_weight(shares) == weight


V1 = "30 25 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
BOTH = "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
V2 = "32 25 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
INSIDE = "33 25 0:26 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("mountinfo", "membership", "expected"),
    [
        pytest.param(V1, "4:memory:/me\n", {"memory": "/sys/fs/cgroup/memory/me"}, id="v1"),
        pytest.param(
            BOTH, "4:cpu,cpuacct:/\n",
            dict.fromkeys(("cpu", "cpuacct"), "/sys/fs/cgroup/cpu,cpuacct"),
            id="two controllers in one hierarchy",
        ),
        pytest.param(V2, "0::/a.slice\n", {"": "/sys/fs/cgroup/a.slice"}, id="v2"),
        pytest.param(
            INSIDE, "4:memory:/docker/x\n", {"memory": "/sys/fs/cgroup/memory"}, id="in a container"
        ),
        pytest.param("", "0::/\n", {}, id="none"),
    ],
)  # fmt: skip
def test_cgroup_hierarchies_are_found(
    mountinfo: str, membership: str, expected: dict[str, str]
) -> None:
    assert hierarchies(mountinfo, membership) == expected


def test_a_journal_is_read_back_without_its_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    table = Table(str(path))
    table.put("sandbox", {"id": "s", "state": "ready"})
    table.put("container", {"id": "a", "state": "running"})
    table.put("container", {"id": "b", "state": "running"})
    table.drop("container", "a")
    with path.open("ab") as file:
        file.write(b'{"kind":"container","put":{"id":"c"')
    again = Table(str(path))
    assert list(again.sandboxes) == ["s"]
    assert list(again.containers) == ["b"]


def test_a_journal_that_could_not_be_written_catches_up(tmp_path: Path) -> None:
    table = Table(str(tmp_path / "table.jsonl"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))  # as a disk that fills up
    try:
        for i in range(9):
            table.put("container", {"id": f"c{i}"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    table.put("container", {"id": "last"})
    assert list(Table(str(tmp_path / "table.jsonl")).containers) == [
        *(f"c{i}" for i in range(9)), "last",
    ]  # fmt: skip


def test_a_journal_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    table = Table(str(path))
    for i in range(5000):
        table.put("container", {"id": "a", "state": "running", "n": i})
    assert len(path.read_text().splitlines()) < 1100
    assert Table(str(path)).containers["a"]["n"] == 4999
