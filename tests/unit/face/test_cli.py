"""The command line: what it refuses, with which exit code and words; processes kept and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from busk8s.cli.main import run
from busk8s.config import MasterSettings, WorkerSettings, from_flags, to_flags


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("status --data-dir {dir}/none", 3, "there is no cluster in"),
        ("down --data-dir {dir}/none", 3, "there is no cluster in"),
        ("token create --data-dir {dir}/none", 3, "there is no cluster in"),
        ("kubeconfig --data-dir {dir}/none", 3, "there is no cluster in"),
        ("up --https-port 70000 --data-dir {dir}/d", 2, "--https-port: 70000 is not a port"),
        ("up --workers=-1 --data-dir {dir}/d", 2, "--workers"),
        ("up --nonsense", 2, "No such option"),
        ("up --bind-address nowhere --data-dir {dir}/d", 2, "is not an IP address"),
        ("master --node-grace 1 --data-dir {dir}/d", 2, "--grace"),
        ("worker --join http://x --data-dir {dir}/d", 2, "is not a join URL"),
        ("worker --name UPPER --data-dir {dir}/d", 2, "is not a node name"),
        ("worker --proxy magic --data-dir {dir}/d", 2, "--proxy"),
        ("nonsense", 2, "No such command"),
    ],
)
def test_a_command_that_cannot_be_done_says_why(
    line: str, code: int, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(line.format(dir=tmp_path).split()) == code
    out, err = capfd.readouterr()
    assert said in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_a_taken_port_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["up", f"--https-port={port}", f"--data-dir={tmp_path}/d"]) == 2
    assert f"--https-port: cannot listen on 127.0.0.1:{port}" in capfd.readouterr().err


@pytest.mark.parametrize(
    "settings",
    [
        MasterSettings(Path("/x"), https_port=1, beat_s=0.5, extra_names=("a", "b")),
        MasterSettings(Path("/x")),
        WorkerSettings(Path("/y z"), labels=("a=b", "c="), join="busk8s://x"),
    ],
)
def test_settings_survive_the_way_to_another_process(
    settings: MasterSettings | WorkerSettings,
) -> None:
    assert from_flags(type(settings), to_flags(settings)) == settings


CHILD = """
import os, sys, time
name, log = sys.argv[1], sys.argv[2]
ready = int(next(a for a in sys.argv if a.startswith('--ready-fd=')).partition('=')[2])
open(log, 'a').write(f'+{name}\\n')
if ready >= 0: os.write(ready, b'ready'); os.close(ready)
import signal
def stop(*_):
    open(log, 'a').write(f'-{name}\\n'); os._exit(0)
signal.signal(signal.SIGTERM, stop)
open(f'{log}.{name}', 'w').write(str(os.getpid()))
while True: signal.pause()
"""
SUPERVISOR = """
import sys
from busk8s.cli.supervisor import Child, Supervisor
child, log = sys.argv[1:]
sys.exit(Supervisor([Child(n, [sys.executable, child, n, log]) for n in ('a', 'b')]).run())
"""


def until(path: Path, text: str) -> None:
    deadline = time.monotonic() + 15
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < deadline, path.read_text() if path.exists() else "nothing"
        time.sleep(0.02)


def test_a_supervisor_starts_in_order_restarts_who_dies_and_stops_in_reverse(
    tmp_path: Path,
) -> None:
    child, log = tmp_path / "child.py", tmp_path / "log"
    child.write_text(CHILD)
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(child), str(log)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    try:
        # 1. Each starts when the one before is ready.
        until(log, "+a\n+b\n")
        time.sleep(0.1)
        # 2. One is killed: it alone comes back.
        os.kill(int((tmp_path / "log.a").read_text()), signal.SIGKILL)
        until(log, "+a\n+b\n+a\n")
        time.sleep(0.2)
        # 3. The end is in reverse order, and all are gone.
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    assert log.read_text() == "+a\n+b\n+a\n-b\n-a\n"
