"""The command line: what it refuses, with which exit code and words; processes kept and stopped."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from busk8s.cli.main import run
from busk8s.config import (
    ConfigError,
    DataDir,
    MasterSettings,
    WorkerSettings,
    from_flags,
    to_flags,
)
from busk8s.ids import RandomIds


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("status --data-dir {dir}/none", 3, "there is no cluster in"),
        ("down --data-dir {dir}/none", 3, "there is no cluster in"),
        ("token create --data-dir {dir}/none", 3, "there is no cluster in"),
        ("kubeconfig --data-dir {dir}/none", 3, "there is no cluster in"),
        ("up --https-port 70000 --data-dir {dir}/d", 2, "--https-port: 70000 is not a port"),
        ("up --https-port 65534 --data-dir {dir}/d", 2, "--bus-port: 65536 is not a port"),
        ("up --workers=-1 --data-dir {dir}/d", 2, "--workers"),
        ("up --nonsense", 2, "No such option"),
        ("up --bind-address nowhere --data-dir {dir}/d", 2, "--bind-address: 'nowhere' is not"),
        ("master --node-grace 1 --data-dir {dir}/d", 2, "--node-grace"),
        ("worker --join http://x --data-dir {dir}/d", 2, "is not a join URL"),
        ("worker --name UPPER --data-dir {dir}/d", 2, "is not a node name"),
        ("worker --proxy magic --data-dir {dir}/d", 2, "--proxy"),
        ("worker --runtime docker --data-dir {dir}/d", 2, "'docker' is not process or hollow"),
        ("up --runtime docker --data-dir {dir}/d", 2, "'docker' is not process or hollow"),
        ("worker --node-ip 999 --data-dir {dir}/d", 2, "'999' is not an IP address"),
        ("master --tls-name no!name --data-dir {dir}/d", 2, "neither a DNS name nor an IP"),
        ("master -d --https-port 0 --data-dir /dev/null/d", 2, "/dev/null/d: Not a directory"),
        ("worker -d --data-dir /proc/none/d", 2, "/proc/none/d: No such file or directory"),
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
given = {a.partition('=')[0]: int(a.partition('=')[2]) for a in sys.argv if '-fd=' in a}
ready, life = given.get('--ready-fd', -1), given['--life-fd']
import signal
def stop(*_):
    open(log, 'a').write(f'-{name}\\n'); os._exit(0)
signal.signal(signal.SIGTERM, stop)
open(log, 'a').write(f'+{name}\\n')  # Not before it can say that it ends.
if ready >= 0: os.write(ready, b'ready'); os.close(ready)
open(f'{log}.{name}', 'w').write(str(os.getpid()))
os.read(life, 1)  # until the supervisor is gone
time.sleep(0.3)
stop()
"""
SUPERVISOR = """
import sys
from pathlib import Path
from busk8s.config import DataDir
from busk8s.cli.supervisor import Child, Supervisor
child, log, *directory = sys.argv[1:]
lock = DataDir(Path(directory[0])).lock() if directory else None
children = [Child(n, [sys.executable, child, n, log]) for n in ('a', 'b')]
sys.exit(Supervisor(children, lock=lock.lock_fd if lock else -1).run())
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


def test_children_of_a_killed_supervisor_end_and_hold_the_directory_until_then(
    tmp_path: Path,
) -> None:
    child, log = tmp_path / "child.py", tmp_path / "log"
    child.write_text(CHILD)
    data = DataDir(tmp_path / "data").open(RandomIds(random.Random(1)))
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(child), str(log), str(data.path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(log, "+a\n+b\n")
    finally:
        # 1. Its supervisor is killed: nobody would start the children again, so they end.
        process.kill()
        process.wait()
    # 2. Until they have, the directory is not free: the next start waits for them.
    data.lock()
    try:
        assert sorted(log.read_text().split()) == ["+a", "+b", "-a", "-b"]
    finally:
        data.unlock()


def test_one_component_runs_once_on_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("busk8s.config.ENDING_S", 0.1)
    ids = RandomIds(random.Random(1))
    DataDir(tmp_path / "d").open(ids).claim("kubelet")
    DataDir(tmp_path / "d").open(ids).claim("proxy")
    with pytest.raises(ConfigError, match="another kubelet runs"):
        DataDir(tmp_path / "d").open(ids).claim("kubelet")


@pytest.mark.parametrize(
    ("fails", "status", "starts"),
    [(0, 0, 1), (1, 0, 2), (9, 1, 3)],
    ids=["ready at once", "killed while it started", "breaks every time"],
)
def test_a_child_that_dies_before_it_is_ready_is_started_again_a_few_times(
    fails: int, status: int, starts: int, tmp_path: Path
) -> None:
    """A kubelet killed while it started used to take its supervisor with it, without a word."""
    log = tmp_path / "log"
    script = (
        "import os, signal, sys, time\n"
        f"open({str(log)!r}, 'a').write('+')\n"
        f"if os.path.getsize({str(log)!r}) <= {fails}: os.kill(os.getpid(), 9)\n"
        "ready = next(a for a in sys.argv if a.startswith('--ready-fd='))\n"
        "os.write(int(ready.partition('=')[2]), b'ready')\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "time.sleep(60)\n"
    )
    supervisor = (
        "import sys\nfrom busk8s.cli.supervisor import Child, Supervisor\n"
        f"sys.exit(Supervisor([Child('a', [sys.executable, '-c', {script!r}])]).run())"
    )
    done = subprocess.run(
        [sys.executable, "-c", supervisor],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == status
    assert log.read_text() == "+" * starts


def test_the_list_of_commands_breaks_off_no_sentence() -> None:
    from typer.testing import CliRunner

    from busk8s.cli.main import app

    shown = CliRunner().invoke(app, ["--help"], terminal_width=80).output
    assert shown.count("...") == 1  # ARGS, in the first line.
    assert "Seal all Secrets with a new key and forget the old" in shown
