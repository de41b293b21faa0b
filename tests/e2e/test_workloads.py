"""Jobs, CronJobs, DaemonSets, StatefulSets and disruption budgets, by kubectl."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cluster, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SLEEP = '{name: c, image: none, command: ["sleep", "1000"]}'

WORKLOAD = """
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  {more}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{container}]
"""

INDEXED = """
apiVersion: batch/v1
kind: Job
metadata: {name: indexed}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: c, image: none, command: [sh, -c, 'echo index $JOB_COMPLETION_INDEX']}
"""

BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: budget}
spec:
  maxUnavailable: 0
  selector: {matchLabels: {app: kept}}
"""


def workload(kind: str, name: str, more: str = "") -> str:
    return WORKLOAD.format(kind=kind, name=name, more=more, container=SLEEP)


def status(cluster: Cluster, what: str) -> Any:
    return cluster.get(what)["status"]


def test_a_job_completes_and_its_log_is_there(cluster: Cluster) -> None:
    cluster.kubectl("create job once --image=none -- echo", "hello from a job")
    cluster.kubectl("wait --for=condition=complete job/once --timeout=20s")
    assert cluster.kubectl("logs job/once") == "hello from a job\n"
    assert status(cluster, "job once")["succeeded"] == 1
    cluster.kubectl("delete job once")
    wait_for("its pods to go", lambda: not cluster.items("pods -l job-name=once"))


def test_each_pod_of_an_indexed_job_knows_its_index(cluster: Cluster) -> None:
    cluster.apply(INDEXED)
    cluster.kubectl("wait --for=condition=complete job/indexed --timeout=30s")
    assert status(cluster, "job indexed")["completedIndexes"] == "0-2"
    said = {
        cluster.kubectl(f"logs {pod['metadata']['name']}")
        for pod in cluster.items("pods -l job-name=indexed")
    }
    assert said == {"index 0\n", "index 1\n", "index 2\n"}


def test_a_job_that_fails_says_why(cluster: Cluster) -> None:
    cluster.apply(
        INDEXED.replace("indexed", "failing")
        .replace("completions: 3", "backoffLimit: 0\n  completions: 1")
        .replace("echo index $JOB_COMPLETION_INDEX", "exit 3")
    )
    cluster.kubectl("wait --for=condition=failed job/failing --timeout=20s")
    conditions = status(cluster, "job failing")["conditions"]
    assert {c["reason"] for c in conditions} == {"BackoffLimitExceeded"}


POLICIES = """
apiVersion: batch/v1
kind: Job
metadata: {name: policies}
spec:
  completions: 3
  parallelism: 3
  completionMode: Indexed
  backoffLimitPerIndex: 0
  podFailurePolicy:
    rules:
    - {action: FailIndex, onExitCodes: {operator: In, values: [7]}}
    - {action: FailJob, onExitCodes: {operator: In, values: [42]}}
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: c, image: none, command: [sh, -c, 'exit $((JOB_COMPLETION_INDEX == 1 ? CODE : 0))']}
"""


def test_policies_say_what_a_failed_pod_means(cluster: Cluster) -> None:
    cluster.apply(POLICIES.replace("policies", "by-index").replace("CODE", "7"))
    cluster.kubectl("wait --for=condition=failed job/by-index --timeout=30s")
    found = status(cluster, "job by-index")
    assert (found["completedIndexes"], found["failedIndexes"]) == ("0,2", "1")
    assert {c["reason"] for c in found["conditions"]} == {"FailedIndexes"}
    cluster.apply(POLICIES.replace("policies", "at-once").replace("CODE", "42"))
    cluster.kubectl("wait --for=condition=failed job/at-once --timeout=30s")
    (failed, *_) = status(cluster, "job at-once")["conditions"]
    assert failed["reason"] == "PodFailurePolicy"
    assert "failed with exit code 42 matching FailJob rule at index 1" in failed["message"]


def test_enough_success_completes_a_job(cluster: Cluster) -> None:
    enough = POLICIES.replace("policies", "enough").replace("backoffLimitPerIndex: 0", "SUCCESS")
    enough = enough[: enough.index("  podFailurePolicy")] + enough[enough.index("  template") :]
    rule = 'successPolicy: {rules: [{succeededIndexes: "0"}]}'
    leader = "[ $JOB_COMPLETION_INDEX = 0 ] || sleep 1000"
    enough = enough.replace("SUCCESS", rule)
    enough = enough.replace("exit $((JOB_COMPLETION_INDEX == 1 ? CODE : 0))", leader)
    cluster.apply(enough)
    cluster.kubectl("wait --for=condition=complete job/enough --timeout=60s")
    found = status(cluster, "job enough")
    assert {c["reason"] for c in found["conditions"]} == {"SuccessPolicy"}
    assert (found["completedIndexes"], found["succeeded"]) == ("0", 1)


def test_a_daemon_runs_on_each_node_and_is_updated(cluster: Cluster) -> None:
    cluster.apply(workload("DaemonSet", "daemon"))
    cluster.kubectl("rollout status ds/daemon --timeout=30s")
    assert len({p["spec"]["nodeName"] for p in cluster.ready_pods("app=daemon")}) == 2
    cluster.kubectl("set env ds/daemon ROUND=2")
    cluster.kubectl("rollout status ds/daemon --timeout=40s")
    assert status(cluster, "ds daemon")["updatedNumberScheduled"] == 2
    assert len(cluster.kubectl("rollout history ds/daemon").strip().splitlines()) == 4
    cluster.kubectl("delete ds daemon")


def test_a_stateful_set_grows_shrinks_and_is_updated_in_order(cluster: Cluster) -> None:
    cluster.apply(workload("StatefulSet", "state", "replicas: 2\n  serviceName: state"))
    cluster.kubectl("rollout status sts/state --timeout=30s")
    cluster.kubectl("scale sts state --replicas=3")
    cluster.kubectl("wait --for=jsonpath={.status.readyReplicas}=3 sts/state --timeout=30s")
    pods = cluster.ready_pods("app=state")
    assert [p["metadata"]["name"] for p in pods] == ["state-0", "state-1", "state-2"]
    assert [p["spec"]["hostname"] for p in pods] == ["state-0", "state-1", "state-2"]
    cluster.kubectl("scale sts state --replicas=1")
    wait_for("the others to go", lambda: len(cluster.items("pods -l app=state")) == 1)
    cluster.kubectl("set env sts/state ROUND=2")
    cluster.kubectl("rollout status sts/state --timeout=30s")
    found = status(cluster, "sts state")
    assert found["currentRevision"] == found["updateRevision"]
    cluster.kubectl("delete sts state")


def test_a_cron_job_is_made_and_started_by_hand(cluster: Cluster) -> None:
    cluster.kubectl("create cronjob tick --image=none --schedule", "*/1 * * * *", "--", "date")
    cluster.kubectl("create job now --from=cronjob/tick")
    cluster.kubectl("wait --for=condition=complete job/now --timeout=20s")
    refused = subprocess_of(cluster, "create cronjob bad --image=none --schedule", "soon")
    assert "expected exactly 5 fields" in refused.stderr
    cluster.kubectl("delete cronjob tick")
    wait_for("its job to go", lambda: not cluster.items("jobs --field-selector metadata.name=now"))


def test_a_drain_waits_for_the_budget(cluster: Cluster) -> None:
    cluster.apply(workload("Deployment", "kept", "replicas: 2"))
    cluster.kubectl("rollout status deployment/kept --timeout=30s")
    cluster.apply(BUDGET)
    wait_for("the count", lambda: status(cluster, "pdb budget").get("currentHealthy") == 2)
    node = cluster.ready_pods("app=kept")[0]["spec"]["nodeName"]
    options = "--ignore-daemonsets --delete-emptydir-data --force"
    refused = subprocess_of(cluster, f"drain {node} {options} --timeout=2s")
    assert "disruption budget" in refused.stderr
    assert len(cluster.ready_pods("app=kept")) == 2
    cluster.kubectl("patch pdb budget --type=merge -p", '{"spec": {"maxUnavailable": 1}}')
    cluster.kubectl(f"drain {node} {options} --timeout=40s")
    cluster.kubectl("rollout status deployment/kept --timeout=30s")
    assert node not in {p["spec"]["nodeName"] for p in cluster.ready_pods("app=kept")}
    cluster.kubectl(f"uncordon {node}")


def subprocess_of(cluster: Cluster, line: str, *more: str) -> subprocess.CompletedProcess[str]:
    """A kubectl that is to fail."""
    from .conftest import KUBECTL

    assert KUBECTL
    command = [KUBECTL, f"--kubeconfig={cluster.kubeconfig}", *line.split(), *more]
    done = cluster.run(command, check=False)
    assert done.returncode
    return done


def test_replicas_that_shun_each_other_have_a_node_each(cluster: Cluster) -> None:
    """Two nodes: the third replica waits, and gets the place of one that goes."""
    text = workload("Deployment", "shy", "replicas: 3")
    term = "{labelSelector: {matchLabels: {app: shy}}, topologyKey: kubernetes.io/hostname}"
    rule = f"podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{term}]}}"
    cluster.apply(text.replace("    spec:\n", f"    spec:\n      affinity: {{{rule}}}\n"))
    cluster.kubectl("wait --for=jsonpath={.status.readyReplicas}=2 deploy/shy --timeout=30s")
    pods = cluster.items("pods -l app=shy")
    placed = [pod["spec"]["nodeName"] for pod in pods if "nodeName" in pod["spec"]]
    assert len(placed) == len(set(placed)) == 2
    (waiting,) = [pod for pod in pods if "nodeName" not in pod["spec"]]

    def said() -> bool:
        conditions = cluster.get(f"pod {waiting['metadata']['name']}")["status"]["conditions"]
        return any(
            "didn't match pod anti-affinity rules" in c.get("message", "") for c in conditions
        )

    wait_for("the reason", said)
    cluster.kubectl("scale deploy/shy --replicas=2")
    cluster.kubectl("rollout status deploy/shy --timeout=30s")
    cluster.kubectl("delete deploy shy")


VOLUMES = """
apiVersion: v1
kind: PersistentVolume
metadata: {{name: kept-{number}}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: kept
  hostPath: {{path: {path}, type: DirectoryOrCreate}}
"""

KEEPER = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: keeper}
spec:
  replicas: 2
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: c
        image: none
        command: [sh, -c, 'hostname >>/data/log; cat /data/log; exec sleep 1000']
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      storageClassName: kept
      resources: {requests: {storage: 1Gi}}
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="host names of pods need root")
def test_a_stateful_set_finds_its_data_again(cluster: Cluster, tmp_path: Path) -> None:
    cluster.apply(KEEPER)

    def waits() -> bool:
        return "unbound immediate" in cluster.kubectl("describe pod keeper-0", check=False)

    wait_for("the first pod to wait for a volume", waits)
    for number in range(2):
        cluster.apply(VOLUMES.format(number=number, path=tmp_path / f"v{number}"))
    cluster.kubectl("rollout status sts/keeper --timeout=60s")
    assert {c["status"]["phase"] for c in cluster.items("pvc -l app=keeper")} == {"Bound"}
    cluster.kubectl("delete pod keeper-1 --wait")
    cluster.kubectl("rollout status sts/keeper --timeout=60s")
    wait_for("its log", lambda: cluster.kubectl("logs keeper-1") == "keeper-1\nkeeper-1\n")
    cluster.kubectl("delete sts keeper")
    cluster.kubectl("wait --for=delete pod -l app=keeper --timeout=60s")
    assert len(cluster.items("pvc -l app=keeper")) == 2
    cluster.kubectl("delete pvc -l app=keeper")
    wait_for(
        "the volumes to be released",
        lambda: {v["status"]["phase"] for v in cluster.items("pv")} == {"Released"},
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="host names of pods need root")
def test_volumes_are_made_on_the_nodes_disks_and_removed(cluster: Cluster) -> None:
    disks = KEEPER.replace("      storageClassName: kept\n", "").replace("keeper", "local")
    cluster.apply(disks)
    cluster.kubectl("rollout status sts/local --timeout=60s")
    paths = [Path(v["spec"]["local"]["path"]) for v in cluster.items("pv") if "local" in v["spec"]]
    assert sorted((path / "log").read_text() for path in paths) == ["local-0\n", "local-1\n"]
    cluster.kubectl("delete pod local-1 --wait")
    cluster.kubectl("rollout status sts/local --timeout=60s")
    wait_for("its log", lambda: cluster.kubectl("logs local-1") == "local-1\nlocal-1\n")
    cluster.kubectl("delete sts local")
    cluster.kubectl("delete pvc -l app=local --wait=false")
    wait_for("the directories to go", lambda: not any(path.exists() for path in paths))
    wait_for(
        "the volumes to go",
        lambda: not [v for v in cluster.items("pv") if "local" in v["spec"]],
    )
