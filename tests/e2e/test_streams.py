"""exec, attach, cp, run -it and port-forward with the real kubectl."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.conftest import KUBECTL, Cluster, wait_for

pytestmark = [pytest.mark.realtime, pytest.mark.e2e]

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: tool
  annotations: {kubectl.kubernetes.io/default-container: web}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: side, image: x, command: [sleep, "600"]}
  - name: web
    image: x
    command: [python3, -m, http.server, "18081", --bind, 127.0.0.1]
    env: [{name: COLOUR, value: blue}]
    volumeMounts: [{name: files, mountPath: /files}]
  volumes: [{name: files, emptyDir: {}}]
"""


# By which protocol kubectl speaks: its own choice, or what older ones had.
WAYS = {
    "websocket": {},
    "spdy": {
        "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false",
        "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false",
    },
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WAYS[request.param].items():
        monkeypatch.setenv(name, value)


def ask(
    cluster: Cluster, *words: str, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    assert KUBECTL
    return subprocess.run(
        [*cluster.inside, KUBECTL, f"--kubeconfig={cluster.kubeconfig}", *words],
        input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True, timeout=60, env=os.environ | cluster.env,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tool(cluster: Cluster) -> Cluster:
    cluster.apply(POD)
    cluster.kubectl("create clusterrolebinding jo --clusterrole=view --user=jo")
    cluster.kubectl("wait pod/tool --for=condition=Ready --timeout=60s")
    return cluster


@pytest.mark.usefixtures("way")
def test_exec_runs_in_the_container_and_gives_its_exit_code(tool: Cluster) -> None:
    done = ask(tool, "exec", "tool", "--", "sh", "-c", "echo $COLOUR; echo no >&2; exit 3")
    assert (done.returncode, done.stdout) == (3, b"blue\n")
    assert b"no\n" in done.stderr
    assert b"command terminated with exit code 3" in done.stderr


@pytest.mark.usefixtures("way")
def test_exec_takes_what_is_piped_and_its_end(tool: Cluster) -> None:
    sent = os.urandom(3_000_000)
    done = ask(tool, "exec", "-i", "tool", "--", "cat", stdin=sent)
    assert (done.returncode, done.stdout == sent) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("exec", "tool", "-c", "nope", "--", "ls"), "container nope is not valid for pod tool"),
        (("exec", "nope", "--", "ls"), 'pods "nope" not found'),
        (("exec", "tool", "--", "no-such"), "executable file not found in $PATH"),
        (("exec", "tool", "--as=jo", "--", "ls"), 'resource "pods/exec"'),
        (("get", "--raw", "/api/v1/namespaces/default/pods/tool/exec?command=ls&stdout=true"),
         "Upgrade request required"),
    ],
    ids=["no such container", "no such pod", "no such program", "forbidden", "no upgrade"],
)  # fmt: skip
@pytest.mark.usefixtures("way")
def test_what_cannot_run_is_refused(tool: Cluster, words: tuple[str, ...], said: str) -> None:
    done = ask(tool, *words)
    assert (done.returncode, said in done.stderr.decode()) == (1, True), done.stderr


@pytest.mark.usefixtures("way")
def test_files_are_copied_both_ways(tool: Cluster, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(os.urandom(1_500_000))
    assert ask(tool, "cp", str(there), "tool:/files/it").returncode == 0
    assert ask(tool, "cp", "tool:/files/it", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_bytes() == there.read_bytes()


@pytest.mark.usefixtures("way")
def test_run_with_input_is_attached_until_it_ends(tool: Cluster) -> None:
    done = ask(
        tool, "run", "once", "-i", "--rm", "--quiet", "--image=x", "--restart=Never", "--command",
        "--", "sh", "-c", "read line; echo said $line", stdin=b"hello\n",
    )  # fmt: skip
    assert b"said hello\n" in done.stdout, done.stderr


@contextmanager
def forwarded(cluster: Cluster, what: str, port: int) -> Iterator[int]:
    assert KUBECTL
    made = subprocess.Popen(
        [*cluster.inside, KUBECTL, f"--kubeconfig={cluster.kubeconfig}", "port-forward", what,
         f":{port}", "--address=127.0.0.1"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | cluster.env,
    )  # fmt: skip
    try:
        out: IO[bytes] | None = made.stdout
        assert out is not None
        found = re.search(rb"127\.0\.0\.1:(\d+)", out.readline())
        assert found
        yield int(found[1])
    finally:
        made.send_signal(signal.SIGINT)
        made.wait(10)
        if made.stdout:
            made.stdout.close()


@pytest.mark.usefixtures("way")
def test_connections_are_forwarded_side_by_side(tool: Cluster) -> None:
    with forwarded(tool, "pod/tool", 18081) as port:
        got: list[int] = []

        def fetch() -> None:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                got.append(answer.status)

        idle = socket.create_connection(("127.0.0.1", port))
        threads = [threading.Thread(target=fetch) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        idle.close()
        assert got == [200] * 8


@pytest.mark.usefixtures("way")
def test_more_connections_in_a_row_than_may_be_open_at_once(tool: Cluster) -> None:
    with forwarded(tool, "pod/tool", 18081) as port:
        for _ in range(300):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                assert answer.status == 200


def test_a_stream_ends_with_its_container(tool: Cluster) -> None:
    assert KUBECTL
    tool.apply(POD.replace("name: tool", "name: brief").replace("18081", "18082"))
    tool.kubectl("wait pod/brief --for=condition=Ready --timeout=60s")
    running = subprocess.Popen(
        [*tool.inside, KUBECTL, f"--kubeconfig={tool.kubeconfig}", "exec", "brief", "--", "sh",
         "-c", "touch /files/begun; sleep 500"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | tool.env,
    )  # fmt: skip
    try:
        look = ("exec", "brief", "--", "test", "-e", "/files/begun")
        wait_for("the command", lambda: ask(tool, *look).returncode == 0)
        tool.kubectl("delete pod brief --wait=true")
        _, said = running.communicate(timeout=30)
        assert running.returncode != 0, said
    finally:
        running.kill()
        running.communicate()
