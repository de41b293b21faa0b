"""Running pods are given debug containers and other resources, by the real kubectl."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Cluster, is_ready, wait_for

pytestmark = pytest.mark.realtime

POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: c, image: x, command: [sleep, "1000.5"]}
"""


@pytest.fixture(scope="module")
def one(cluster: Cluster) -> Cluster:
    cluster.apply(POD)
    cluster.kubectl("wait pod/one --for=condition=Ready --timeout=60s")
    return cluster


def debug(one: Cluster, profile: str, state: str) -> Any:
    """The status of a debug container of that profile, once it is in `state`."""
    script = "tr '\\0' ' ' </proc/1/cmdline; echo; exit 3"
    line = f"debug one --image=any --target=c --container={profile} --profile={profile} --"
    one.kubectl(line, "sh", "-c", script)

    def there() -> Any:
        found = one.get("pod/one")["status"].get("ephemeralContainerStatuses", ())
        of_it = [s for s in found if s["name"] == profile and state in s["state"]]
        return [s for s in of_it if s["state"][state].get("reason") != "ContainerCreating"]

    return wait_for(f"the {profile} container", there)[0]["state"][state]


def test_kubectl_debug_looks_at_the_processes_of_a_running_container(one: Cluster) -> None:
    for profile in ("general", "sysadmin"):
        assert debug(one, profile, "terminated")["exitCode"] == 3
        assert one.kubectl(f"logs one -c {profile}") == "sleep 1000.5 \n"
    # This profile forbids root and names no other user; there is no image that would.
    refused = debug(one, "restricted", "waiting")
    assert refused["reason"] == "CreateContainerConfigError"
    assert "runAsNonRoot" in refused["message"]
    pod = one.get("pod/one")
    assert is_ready(pod)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert "Ephemeral Containers:" in one.kubectl("describe pod one")


SIZED = """
apiVersion: v1
kind: Pod
metadata: {name: sized}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: c
      image: x
      command: [sleep, "1000"]
      resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}
      resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]
"""


def test_kubectl_resizes_a_running_pod(cluster: Cluster) -> None:
    cluster.apply(SIZED)
    cluster.kubectl("wait pod/sized --for=condition=Ready --timeout=60s")

    def resize(resources: str) -> None:
        patch = f'{{"spec":{{"containers":[{{"name":"c","resources":{resources}}}]}}}}'
        cluster.kubectl("patch pod sized --subresource resize --patch", patch)

    def shown(limit: str) -> Any:
        status = cluster.get("pod/sized")["status"]["containerStatuses"][0]
        return limit in status["resources"]["limits"].values() and is_ready_now() and status

    def is_ready_now() -> bool:
        return is_ready(cluster.get("pod/sized"))

    resize('{"limits":{"cpu":"300m"}}')
    assert wait_for("more cpu", lambda: shown("300m"))["restartCount"] == 0
    resize('{"limits":{"memory":"128Mi"}}')
    assert wait_for("more memory", lambda: shown("128Mi"))["restartCount"] == 1
    resize('{"requests":{"cpu":"9000"},"limits":{"cpu":"9000"}}')

    def infeasible() -> bool:
        conditions = cluster.get("pod/sized")["status"]["conditions"]
        return any(c.get("reason") == "Infeasible" for c in conditions)

    wait_for("the resize to be infeasible", infeasible)
    assert cluster.get("pod/sized")["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "9k"
