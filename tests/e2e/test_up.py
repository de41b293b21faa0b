"""`busk8s up` with two workers, as a user of kubectl meets it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from busk8s.worker.runtime.supervisor import cluster_name

from .conftest import ROOT, Cluster, is_ready, wait_for
from .hosts import Host, Lan

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

HELLO = (ROOT / "examples" / "hello.yaml").read_text()


@pytest.fixture(scope="module")
def hello(cluster: Cluster) -> Cluster:
    cluster.apply(HELLO)
    cluster.kubectl("rollout status deployment/hello --timeout=60s")
    return cluster


def service_answers(cluster: Cluster, count: int = 30) -> set[str]:
    service = cluster.get("service hello")
    url = f"http://{service['spec']['clusterIP']}/"
    wait_for("an answer of the Service", lambda: "Hello" in cluster.curl(url))
    return {cluster.curl(url).split(" on ")[0] for _ in range(count)}


def test_nodes_register_and_become_ready_with_all_they_report(cluster: Cluster) -> None:
    cluster.kubectl("wait --for=condition=Ready nodes --all --timeout=30s")
    nodes = cluster.items("nodes")
    assert len(nodes) == 2
    for node in nodes:
        status = node["status"]
        assert {a["type"] for a in status["addresses"]} >= {"InternalIP", "Hostname"}
        assert {c["type"] for c in status["conditions"]} >= {
            "Ready", "MemoryPressure", "DiskPressure", "PIDPressure",
        }  # fmt: skip
        assert status["capacity"].keys() >= {"cpu", "memory", "pods", "ephemeral-storage"}
        assert status["allocatable"].keys() >= {"cpu", "memory", "pods"}
        assert status["nodeInfo"]["containerRuntimeVersion"].startswith("process://")
        assert node["spec"]["podCIDR"]


def test_the_table_of_nodes_reads_as_upstream(cluster: Cluster) -> None:
    wide = cluster.kubectl("get nodes -o wide").splitlines()
    assert re.split(r"\s{2,}", wide[0]) == [
        "NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE",
        "KERNEL-VERSION", "CONTAINER-RUNTIME",
    ]  # fmt: skip


@pytest.mark.root
def test_a_service_answers_from_every_pod(hello: Cluster) -> None:
    names = {f"Hello from {pod['metadata']['name']}" for pod in hello.ready_pods("app=hello")}
    assert len(names) == 3
    assert service_answers(hello) == names


def test_pods_are_spread_and_each_has_its_address(hello: Cluster) -> None:
    pods = hello.ready_pods("app=hello")
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 2
    assert len({pod["status"]["podIP"] for pod in pods}) == len(pods)


def test_a_crashed_process_is_restarted_in_place(hello: Cluster) -> None:
    victim = hello.ready_pods("app=hello")[0]
    address, name = victim["status"]["podIP"], victim["metadata"]["name"]
    hello.curl(f"http://{address}:8080/crash")

    def restarted() -> bool:
        pod = hello.get(f"pod {name}")
        return pod["status"]["containerStatuses"][0]["restartCount"] >= 1 and is_ready(pod)

    wait_for("the restart", restarted)
    container = hello.get(f"pod {name}")["status"]["containerStatuses"][0]
    assert container["lastState"]["terminated"]["exitCode"] == 1
    assert container["lastState"]["terminated"]["reason"] == "Error"


def test_a_deleted_pod_is_replaced(hello: Cluster) -> None:
    name = hello.ready_pods("app=hello")[0]["metadata"]["name"]
    hello.kubectl(f"delete pod {name} --timeout=60s")
    wait_for("three ready pods", lambda: len(hello.ready_pods("app=hello")) == 3)
    assert name not in {pod["metadata"]["name"] for pod in hello.items("pods")}


def test_logs_are_there(hello: Cluster) -> None:
    pod = hello.ready_pods("app=hello")[0]
    hello.curl(f"http://{pod['status']['podIP']}:8080/hello-log")
    name = pod["metadata"]["name"]
    wait_for("the log line", lambda: "/hello-log" in hello.kubectl(f"logs {name} --tail=5"))
    stamped = hello.kubectl(f"logs {name} --tail=1 --timestamps")
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", stamped)


def test_describe_tells_the_pods_story(hello: Cluster) -> None:
    name = hello.ready_pods("app=hello")[0]["metadata"]["name"]
    said = hello.kubectl(f"describe pod {name}")
    for word in ("Scheduled", "Created", "Started", "Successfully assigned", "Burstable"):
        assert word in said


def test_scaling_up_and_down(hello: Cluster) -> None:
    hello.kubectl("scale deployment/hello --replicas=5")
    hello.kubectl("rollout status deployment/hello --timeout=60s")
    assert len(hello.ready_pods("app=hello")) == 5
    hello.kubectl("scale deployment/hello --replicas=3")
    wait_for("three pods", lambda: len(hello.items("pods -l app=hello")) == 3)


def test_a_rolling_update_and_its_undo(hello: Cluster) -> None:
    hello.kubectl("set env deployment/hello GREETING=Bonjour")
    hello.kubectl("rollout status deployment/hello --timeout=60s")
    address = hello.ready_pods("app=hello")[0]["status"]["podIP"]
    assert "Bonjour" in hello.curl(f"http://{address}:8080/")
    assert len(hello.kubectl("rollout history deployment/hello").splitlines()) >= 4
    hello.kubectl("rollout undo deployment/hello")
    hello.kubectl("rollout status deployment/hello --timeout=60s")
    wait_for("the old pods to go", lambda: len(hello.items("pods -l app=hello")) == 3)
    address = hello.ready_pods("app=hello")[0]["status"]["podIP"]
    assert "Hello from" in hello.curl(f"http://{address}:8080/")


def test_an_unschedulable_pod_says_why(cluster: Cluster) -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: big}\nspec:\n  containers:\n"
        "  - {name: c, image: any, command: [sleep, '1'], resources: {requests: {cpu: 1k}}}\n"
    )
    cluster.apply(pod)

    def condition() -> str:
        conditions = cluster.get("pod big")["status"].get("conditions", [])
        return next((c["message"] for c in conditions if c["type"] == "PodScheduled"), "")

    said = wait_for("the condition", condition)
    assert said.startswith("0/2 nodes are available: 2 Insufficient cpu.")
    wait_for("the event", lambda: "FailedScheduling" in cluster.kubectl("describe pod big"))
    cluster.kubectl("delete pod big --timeout=30s")


def test_a_container_without_a_command_fails_with_a_clear_reason(cluster: Cluster) -> None:
    cluster.kubectl("run bare --image=nginx")
    wait_for("the reason", lambda: "no default command" in cluster.kubectl("describe pod bare"))
    cluster.kubectl("delete pod bare --timeout=30s")


def test_a_job_like_pod_completes(cluster: Cluster) -> None:
    cluster.kubectl(
        "run once --image=any --restart=Never --command --", "sh", "-c", "echo done; exit 0"
    )
    wait_for("Succeeded", lambda: cluster.get("pod once")["status"]["phase"] == "Succeeded")
    assert cluster.kubectl("logs once") == "done\n"
    assert "Completed" in cluster.kubectl("get pod once")
    cluster.kubectl("delete pod once --timeout=30s")


def test_deleting_a_namespace_deletes_what_is_in_it(cluster: Cluster) -> None:
    cluster.kubectl("create namespace shop")
    wait_for("its ServiceAccount", lambda: cluster.items("serviceaccounts", "shop"))
    wait_for("kube-root-ca.crt", lambda: cluster.items("configmaps", "shop"))
    cluster.kubectl("create configmap extra --from-literal=a=b -n shop")
    cluster.kubectl("create deployment d --image=any -n shop --", "sleep", "1000")
    cluster.kubectl("rollout status deployment/d -n shop --timeout=60s")
    cluster.kubectl("delete namespace shop --timeout=60s")
    assert "shop" not in cluster.kubectl("get namespaces")


@pytest.fixture
def lonely_host() -> Iterator[Host]:
    """A host of our own: what is left on it was left by us."""
    lan = Lan(["only"])
    lan.build()
    yield lan.hosts["only"]
    lan.remove()


@pytest.mark.root
def test_down_leaves_nothing_behind(tmp_path: Path, lonely_host: Host) -> None:
    def seen(*command: str) -> str:
        inside = [*lonely_host.inside, *command]
        return subprocess.run(inside, capture_output=True, text=True, check=True).stdout

    def traces() -> tuple[str, str, list[str], list[str]]:
        mounts = [m for m in Path("/proc/mounts").read_text().splitlines() if str(tmp_path) in m]
        groups = [str(p) for p in Path("/sys/fs/cgroup").rglob(f"*{identity}*") if p.is_dir()]
        return seen("ip", "-br", "link"), seen("nft", "list", "tables"), mounts, groups

    own = Cluster(tmp_path / "data", tmp_path / "kubeconfig", lonely_host.inside)
    identity = cluster_name(str(own.data / "nodes" / "node-1" / "runtime"))
    before = traces()
    own.busk8s(
        "up", "--workers=1", f"--data-dir={own.data}", f"--kubeconfig={own.kubeconfig}",
        "--https-port=0", "--detach",
    )  # fmt: skip
    try:
        own.kubectl("create deployment d --image=any --replicas=2 --", "sleep", "1000")
        own.kubectl("rollout status deployment/d --timeout=60s")
        links, tables, _, groups = traces()
        assert "bk" in links, "pods have devices"
        assert "busk8s" in tables
        assert groups, "containers have cgroups"
    finally:
        own.busk8s("down", f"--data-dir={own.data}")
    assert traces() == before
    running = [
        pid for pid in os.listdir("/proc") if pid.isdigit() and str(tmp_path) in _cmdline(pid)
    ]
    assert not running


def _cmdline(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_a_second_start_goes_on_where_it_was(tmp_path: Path) -> None:
    own = Cluster(tmp_path / "data", tmp_path / "kubeconfig")
    start = (
        "up", "--workers=1", f"--data-dir={own.data}", f"--kubeconfig={own.kubeconfig}",
        "--https-port=0", "--detach",
    )  # fmt: skip
    try:
        own.busk8s(*start)
        own.kubectl("create configmap kept --from-literal=a=b")
        own.kubectl("create deployment d --image=any --", "sleep", "1000")
        own.kubectl("rollout status deployment/d --timeout=60s")
        own.busk8s("down", f"--data-dir={own.data}")
        own.busk8s(*start)
        assert own.get("configmap kept")["data"] == {"a": "b"}
        wait_for("the pod again", lambda: own.ready_pods("app=d"))
        assert len(own.items("pods")) == 1
    finally:
        own.busk8s("down", f"--data-dir={own.data}", check=False)


IN_CLUSTER = """
apiVersion: v1
kind: Pod
metadata: {name: asks, namespace: default}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: none
    command: [%s, -c]
    args:
    - |
      import kubernetes as k
      k.config.load_incluster_config()
      me = k.client.AuthenticationV1Api().create_self_subject_review({}).status.user_info
      print(me.username, me.extra["authentication.kubernetes.io/pod-name"][0])
"""


@pytest.mark.root
def test_a_pod_logs_in_at_the_api_with_its_own_token(cluster: Cluster) -> None:
    cluster.apply(IN_CLUSTER % sys.executable)
    cluster.kubectl("wait --for=jsonpath={.status.phase}=Succeeded pod/asks --timeout=30s")
    said = cluster.kubectl("logs asks").split()
    assert said == ["system:serviceaccount:default:default", "asks"]


def test_the_parts_of_the_cluster_tell_how_they_are(hello: Cluster) -> None:
    statuses = hello.kubectl("get componentstatuses --no-headers")
    assert [line.split()[:2] for line in statuses.splitlines() if "Healthy" in line] == [
        ["controller-manager", "Healthy"],
        ["etcd-0", "Healthy"],
        ["scheduler", "Healthy"],
    ]
    pages = {
        "/metrics": 'apiserver_request_total{code="201"',
        "/metrics/slis": 'kubernetes_healthcheck{name="store",type="livez"} 1',
        "/metrics/kube-scheduler": 'scheduler_schedule_attempts_total{profile="default-scheduler"',
        "/metrics/kube-controller-manager": 'workqueue_adds_total{name="deployment"}',
    }
    for path, want in pages.items():
        assert want in hello.kubectl(f"get --raw {path}"), path


def test_a_kubelet_is_read_through_the_api_server(hello: Cluster) -> None:
    (pod, *_) = hello.ready_pods("app=hello")
    node, name = pod["spec"]["nodeName"], pod["metadata"]["name"]
    proxy = f"get --raw /api/v1/nodes/{node}/proxy"
    assert hello.kubectl(f"{proxy}/healthz") == "ok"
    summary = json.loads(hello.kubectl(f"{proxy}/stats/summary"))
    assert summary["node"]["nodeName"] == node
    assert name in {each["podRef"]["name"] for each in summary["pods"]}
    assert f'pod="{name}"' in hello.kubectl(f"{proxy}/metrics/resource")


def test_describing_a_node_shows_how_it_began(cluster: Cluster) -> None:
    name = cluster.items("nodes")[0]["metadata"]["name"]
    wait_for("Events of the node", lambda: "NodeReady" in cluster.kubectl(f"describe node {name}"))
    said = cluster.kubectl(f"describe node {name}")
    for reason in ("Starting", "NodeHasSufficientMemory", "RegisteredNode"):
        assert reason in said
