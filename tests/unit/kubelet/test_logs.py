"""Container logs: what kubectl logs shows of a CRI log file, and rotation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubelet_world import SLEEPER, until, world
from pod_cases import make_pod, sandbox, state

from busk8s.clock import LoopClock
from busk8s.errors import Error
from busk8s.testing.node_api import Written
from busk8s.worker.kubelet.log_lines import Options, Renderer, parse_line, rotated, seconds
from busk8s.worker.kubelet.logs import Rotation, log_path, options_of, read_log
from busk8s.worker.runtime.base import Container, ContainerConfig
from busk8s.worker.runtime.hollow import HollowRuntime

STAMP = "2027-01-01T00:00:{:02d}.000000001Z"


def write(path: Path, *lines: str, first: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for number, line in enumerate(lines, first):
            file.write(f"{STAMP.format(number)} {line}\n")


async def read(path: Path, alive: bool = False, **options: Any) -> bytes:
    chunks = read_log(path, Options(**options), LoopClock(), lambda: alive)
    return b"".join([chunk async for chunk in chunks])


LINES = ("stdout F one", "stderr F two", "stdout P thr", "stdout F ee", "stdout F four")
CASES: dict[str, tuple[dict[str, Any], bytes]] = {
    "all": ({}, b"one\ntwo\nthree\nfour\n"),
    "the last line": ({"tail": 1}, b"four\n"),
    "more lines than there are": ({"tail": 99}, b"one\ntwo\nthree\nfour\n"),
    "none": ({"tail": 0}, b""),
    "one stream": ({"stream": b"stderr"}, b"two\n"),
    "a limit": ({"limit_bytes": 6}, b"one\ntw"),
    "since": ({"since": seconds(STAMP.format(4).encode())}, b"four\n"),
    "timestamps": (
        {"timestamps": True, "tail": 1},
        STAMP.format(4).encode() + b" four\n",
    ),
    "a cut line has one timestamp": (
        {"timestamps": True, "tail": 3},
        STAMP.format(2).encode() + b" three\n" + STAMP.format(4).encode() + b" four\n",
    ),
}


@pytest.mark.parametrize("name", CASES, ids=[name.replace(" ", "-") for name in CASES])
async def test_options(tmp_path: Path, name: str) -> None:
    options, wanted = CASES[name]
    write(tmp_path / "0.log", *LINES)
    assert await read(tmp_path / "0.log", **options) == wanted


async def test_no_log_is_empty(tmp_path: Path) -> None:
    assert await read(tmp_path / "none.log") == b""


async def test_follow_shows_what_is_written_later_over_a_rotation_and_ends_with_the_container(
    tmp_path: Path,
) -> None:
    path, alive, got = tmp_path / "0.log", [True], bytearray()

    async def follow() -> None:
        async for chunk in read_log(path, Options(follow=True), LoopClock(), lambda: alive[0]):
            got.extend(chunk)

    write(path, "stdout F one")
    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        await asyncio.sleep(1)
        assert bytes(got) == b"one\n"
        write(path, "stdout F two")
        path.rename(tmp_path / "0.log.old")
        write(path, "stdout F three")
        await asyncio.sleep(1)
        assert bytes(got) == b"one\ntwo\nthree\n"
        write(path, "stdout F last words")
        alive[0] = False
    assert bytes(got).endswith(b"last words\n")


@given(st.lists(st.text(alphabet="ab ", max_size=9), max_size=30), st.integers(1, 40))
def test_tail_is_the_end_of_the_whole(lines: list[str], count: int) -> None:
    import tempfile

    from busk8s.worker.kubelet import logs

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.write_bytes(b"".join(f"T stdout F {line}\n".encode() for line in lines))
        with path.open("rb") as file:
            logs.CHUNK_BYTES, chunk = 7, logs.CHUNK_BYTES
            try:
                file.seek(logs._tail_offset(file, count))
            finally:
                logs.CHUNK_BYTES = chunk
            shown = file.read().splitlines()
    assert shown == [f"T stdout F {line}".encode() for line in lines][-count:]


@given(st.binary())
def test_any_bytes_are_a_line(raw: bytes) -> None:
    Renderer(Options(timestamps=True, since=1.0)).render(parse_line(raw))


def test_options_of_a_query() -> None:
    query = {"follow": ["true"], "tailLines": "5", "sinceSeconds": 10, "stream": "Stderr"}
    wanted = Options(follow=True, tail=5, since=990.0, stream=b"stderr")
    assert options_of(query, 1_000.0) == wanted


def test_the_oldest_rotated_files_go() -> None:
    assert rotated(["0.log.3", "0.log.1", "0.log.2"], 2) == ["0.log.1"]


async def test_a_log_that_has_grown_too_big_is_rotated(tmp_path: Path) -> None:
    clock = LoopClock()
    pod = make_pod({"containers": [{"name": "a", "image": "i"}]})
    running = Container("id", "s0", ContainerConfig("a", "i"), "running", 0.0)
    runtime = HollowRuntime(clock)
    pods = [(pod, state([sandbox("s0")], [running]))]
    rotation = Rotation(str(tmp_path), runtime, clock, lambda: pods, bytes_max=100, files_max=3)
    path = log_path(str(tmp_path), pod, "a", 0)
    for number in range(6):
        write(path, f"stdout F {'x' * 100}{number}")
        await rotation.rotate_all()
        await asyncio.sleep(1)
        assert not path.exists()
    kept = sorted(path.parent.iterdir())
    assert len(kept) == 2
    assert kept[-1].read_text().endswith("x5\n")


async def logs_of(api: Any, **params: Any) -> bytes:
    got = Written()
    await api.streams["log"]({"namespace": "default", **params}, got)
    return bytes(got.data)


async def test_the_log_stream_finds_the_run_that_is_meant(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        uid = w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        logs = tmp_path / "logs" / f"default_web_{uid}" / "c"
        write(logs / "0.log", "stdout F first run")
        assert await logs_of(w.api, pod="web", container="c") == b"first run\n"
        w.runtime.crash(w.runtime_container("web"))
        await until(lambda: w.container("web").get("restartCount") == 1)
        write(logs / "1.log", "stdout F second run")
        assert await logs_of(w.api, pod="web") == b"second run\n"
        assert await logs_of(w.api, pod="web", previous=True) == b"first run\n"


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"pod": "none"}, 404, 'pods "none" not found'),
        ({"pod": "web", "container": "x"}, 400, "container x is not valid for pod web"),
        (
            {"pod": "web", "previous": True},
            400,
            'previous terminated container "c" in pod "web" not found',
        ),
    ],
)
async def test_what_has_no_log_is_said_in_upstreams_words(
    tmp_path: Path, params: dict[str, Any], code: int, words: str
) -> None:
    async with world(tmp_path) as w:
        w.api.put_pod("web", SLEEPER)
        await until(lambda: w.ready("web"))
        with pytest.raises(Error) as raised:
            await logs_of(w.api, **params)
        assert (raised.value.code, raised.value.message) == (code, words)
