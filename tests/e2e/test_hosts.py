"""Three hosts: a master and two workers that share nothing but a network.

The steps build on each other and run in this order: deploy, reach, cut off, return, restart.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import BUSK8S, ROOT, Cluster, wait_for
from .hosts import Host, Lan

pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.timeout(240)]

TOLERATE_S = 3
NOT_WELL = 4  # `busk8s status`: it answers, but some node is not Ready.
MASTER_SETTLES_S = 2.0  # Changes made after the master is back arrive within this time.


class Hosts:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lan = Lan(["m", "w1", "w2"])
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        master = self.lan.hosts["m"]
        self.master = Cluster(directory / "m", directory / "kubeconfig", master.inside)

    def start(self, host: Host, *arguments: str) -> None:
        log = (self.directory / f"{host.name}.log").open("ab")
        self.processes[host.name] = subprocess.Popen(
            [*host.inside, *BUSK8S, *arguments, f"--data-dir={self.directory / host.name}"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        log.close()

    def start_master(self) -> None:
        address = self.lan.hosts["m"].address
        self.start(self.lan.hosts["m"], "master", f"--bind-address={address}")
        wait_for("the API", lambda: self.busk8s_status().returncode in (0, NOT_WELL))
        printed = self.master.busk8s("kubeconfig", f"--data-dir={self.master.data}").stdout
        self.master.kubeconfig.write_text(printed)

    def busk8s_status(self) -> subprocess.CompletedProcess[str]:
        return self.master.busk8s("status", f"--data-dir={self.master.data}", check=False)

    def start_worker(self, name: str) -> None:
        data = f"--data-dir={self.master.data}"
        url = self.master.busk8s("token", "create", data).stdout.strip()
        self.start(self.lan.hosts[name], "worker", f"--join={url}", f"--name={name}")

    def kill(self, name: str) -> None:
        """SIGKILL to every process of the component; containers are in sessions of their own."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in sorted(self.processes, reverse=True):
            process = self.processes[name]
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for name in ("w1", "w2", "m"):
            host = self.lan.hosts[name]
            command = [*BUSK8S, "down", f"--data-dir={self.directory / name}"]
            subprocess.run([*host.inside, *command], capture_output=True, timeout=60)
        self.lan.remove()

    def curl_from(self, name: str, url: str) -> str:
        command = ["curl", "-sS", "--max-time", "3", url]
        inside = self.lan.hosts[name].inside
        return subprocess.run([*inside, *command], capture_output=True, text=True).stdout

    def ready(self, node: str = "") -> set[str]:
        return {
            pod["metadata"]["name"]
            for pod in self.master.ready_pods("app=hello")
            if node in ("", pod["spec"]["nodeName"])
        }


def running() -> list[tuple[str, int]]:
    """(pod name, pid) of every process that is a container of the application, sorted."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if not command.endswith(b"python3\0/etc/hello/server.py\0"):
            continue
        pods = [e[4:].decode() for e in environment if e.startswith(b"POD=")]
        found += [(pod, int(entry.name)) for pod in pods]
    return sorted(found)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    made = Hosts(tmp_path_factory.mktemp("hosts"))
    made.lan.build()
    try:
        made.start_master()
        for name in ("w1", "w2"):
            made.start_worker(name)
        yield made
    finally:
        made.stop()
        for log in sorted(made.directory.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text()[-3000:]}")


@pytest.fixture
def cluster(hosts: Hosts) -> Cluster:
    return hosts.master


def test_the_story_of_three_hosts(hosts: Hosts, cluster: Cluster) -> None:
    deploy_and_reach(hosts, cluster)
    cut_off_and_return(hosts, cluster)
    restart_the_master(hosts, cluster)


def deploy_and_reach(hosts: Hosts, cluster: Cluster) -> None:
    """1. Both workers join by token and become Ready; the Service answers across hosts."""
    wait_for("two nodes", lambda: len(cluster.items("nodes")) == 2)
    cluster.kubectl("wait --for=condition=Ready nodes --all --timeout=30s")
    taint = f"operator: Exists, effect: NoExecute, tolerationSeconds: {TOLERATE_S}"
    tolerations = "\n".join(
        f"        - {{key: node.kubernetes.io/{key}, {taint}}}"
        for key in ("not-ready", "unreachable")
    )
    manifest = (ROOT / "examples" / "hello.yaml").read_text()
    manifest = manifest.replace("replicas: 3", "replicas: 4").replace(
        "      terminationGracePeriodSeconds: 1\n",
        f"      terminationGracePeriodSeconds: 1\n      tolerations:\n{tolerations}\n",
    )
    cluster.apply(manifest)
    cluster.kubectl("rollout status deployment/hello --timeout=60s")
    assert len(hosts.ready("w1")) == 2
    assert len(hosts.ready("w2")) == 2

    address = cluster.get("service hello")["spec"]["clusterIP"]
    for name in ("w1", "w2"):
        url = f"http://{address}/"
        wait_for(f"the Service on {name}", lambda: "Hello" in hosts.curl_from(name, url))  # noqa: B023
        answers = {hosts.curl_from(name, url).split()[2] for _ in range(40)}
        assert answers == hosts.ready(), f"the cluster IP on {name} reaches the pods of both hosts"


def cut_off_and_return(hosts: Hosts, cluster: Cluster) -> None:
    """2. A worker is cut off: its pods move after the toleration; on its return none is double."""
    before = hosts.ready("w2")
    hosts.lan.cut("w2")

    def condition() -> str:
        conditions = cluster.get("node w2")["status"]["conditions"]
        return str(next(c["status"] for c in conditions if c["type"] == "Ready"))

    wait_for("w2 to be Unknown", lambda: condition() == "Unknown", 15)
    wait_for("four pods on w1", lambda: len(hosts.ready("w1")) == 4, 30)
    assert {pod for pod, _ in running()} >= before, "what is cut off goes on, as far as it knows"

    hosts.lan.mend("w2")
    wait_for("w2 to be Ready", lambda: condition() == "True", 30)
    wait_for("the old pods to go", lambda: len(cluster.items("pods -l app=hello")) == 4, 30)
    wait_for(
        "exactly one process a pod",
        lambda: [pod for pod, _ in running()] == sorted(hosts.ready()),
        15,
    )


def restart_the_master(hosts: Hosts, cluster: Cluster) -> None:
    """3. The master is killed and restarted: no pod stops, later changes arrive within 2 s."""
    before = running()
    hosts.kill("m")
    time.sleep(2)
    assert running() == before, "pods do not need the master"
    hosts.start_master()
    wait_for(
        "both nodes",
        lambda: cluster.kubectl("get nodes --no-headers").count(" Ready ") == 2,
        15,
    )
    assert running() == before
    cluster.kubectl("scale deployment/hello --replicas=6")
    wait_for("two more processes", lambda: len(running()) == 6, MASTER_SETTLES_S)
    cluster.kubectl("rollout status deployment/hello --timeout=30s")
    assert {pid for _, pid in before} <= {pid for _, pid in running()}
