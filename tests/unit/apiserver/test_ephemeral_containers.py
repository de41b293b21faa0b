"""API concepts: a running pod is given ephemeral containers, and nothing else is changed by it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from api_world import PODS, pod, running_pod, world

from busk8s.master.apiserver.admission.chain import AdmissionChain

Json = dict[str, Any]
URL = PODS + "/a/ephemeralcontainers"
STRATEGIC = "application/strategic-merge-patch+json"
PATH = "spec.ephemeralContainers"


def debugger(**more: Any) -> Json:
    return {"name": "d", "image": "busybox:1", **more}


def added(*containers: Json) -> Json:
    return {"spec": {"ephemeralContainers": list(containers)}}


async def test_a_container_is_added_with_its_defaults_and_counted() -> None:
    api = await world()
    await running_pod(api)
    status, now = await api.patch(URL, added(debugger(targetContainerName="c")), STRATEGIC)
    assert status == 200, now
    assert now["metadata"]["generation"] == 2
    assert now["spec"]["ephemeralContainers"] == [
        {
            "name": "d", "image": "busybox:1", "targetContainerName": "c", "resources": {},
            "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
    ]  # fmt: skip
    assert await api.must("GET", URL) == await api.must("GET", PODS + "/a")


async def test_all_else_that_is_sent_is_left_as_it_was() -> None:
    api = await world()
    was = await running_pod(api)
    sent: Json = orjson.loads(orjson.dumps(was))
    sent["spec"] |= {"ephemeralContainers": [debugger()], "priority": 7}
    sent["spec"]["containers"][0]["image"] = "other"
    sent["metadata"] |= {"labels": {"x": "y"}, "annotations": {"x": "y"}, "finalizers": ["x/y"]}
    sent["status"]["phase"] = "Failed"
    now = await api.must("PUT", URL, sent)
    assert now["spec"].pop("ephemeralContainers")[0]["name"] == "d"
    for volatile in ("resourceVersion", "generation"):
        now["metadata"].pop(volatile), was["metadata"].pop(volatile)
    entries = now["metadata"].pop("managedFields")
    before = was["metadata"].pop("managedFields")
    [mine] = [entry for entry in entries if entry not in before]
    assert mine["subresource"] == "ephemeralcontainers"
    assert mine["fieldsV1"].keys() == {"f:spec"}
    assert mine["fieldsV1"]["f:spec"].keys() == {"f:ephemeralContainers"}
    assert now == was
    assert (await api.do("PUT", URL, sent))[0] == 409  # the version sent is an old one


async def test_a_write_that_adds_nothing_makes_no_version() -> None:
    api = await world()
    was = await running_pod(api)
    assert await api.must("PUT", URL, was) == was


REFUSED: dict[str, tuple[list[Json], str]] = {
    "a name that a container has": (
        [debugger(name="c")], f'{PATH}[1].name: Duplicate value: "c"',
    ),
    "a name that an ephemeral container has": (
        [debugger()], f'{PATH}[1].name: Duplicate value: "d"',
    ),
    "no name": ([debugger(name="")], f"{PATH}[1].name: Required value"),
    "no image": ([{"name": "e"}], f"{PATH}[1].image: Required value"),
    "a target that is not there": (
        [debugger(name="e", targetContainerName="no")],
        f'{PATH}[1].targetContainerName: Not found: "no"',
    ),
    "an ephemeral target": (
        [debugger(name="e", targetContainerName="d")],
        f'{PATH}[1].targetContainerName: Not found: "d"',
    ),
    "ports": (
        [debugger(name="e", ports=[{"containerPort": 1}])],
        f"{PATH}[1].ports: Forbidden: cannot be set for an Ephemeral Container",
    ),
    "resources": (
        [debugger(name="e", resources={"limits": {"cpu": "1"}})],
        f"{PATH}[1].resources: Forbidden: cannot be set for an Ephemeral Container",
    ),
    "a probe": (
        [debugger(name="e", livenessProbe={"exec": {"command": ["true"]}})],
        f"{PATH}[1].livenessProbe: Forbidden: cannot be set for an Ephemeral Container",
    ),
    "a policy of restarts": (
        [debugger(name="e", restartPolicy="Always")],
        f"{PATH}[1].restartPolicy: Forbidden: cannot be set for an Ephemeral Container",
    ),
    "a part of a volume": (
        [debugger(name="e", volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "x"}])],
        f"{PATH}[1].volumeMounts[0].subPath: Forbidden: cannot be set for an Ephemeral Container",
    ),
    "a volume that is not there": (
        [debugger(name="e", volumeMounts=[{"name": "no", "mountPath": "/v"}])],
        f'{PATH}[1].volumeMounts[0].name: Not found: "no"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_an_ephemeral_container_cannot_be(case: str) -> None:
    containers, said = REFUSED[case]
    api = await world()
    body = pod()
    body["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    await api.must("POST", PODS, body)
    await api.must("PATCH", URL, added(debugger()), content_type=STRATEGIC)
    now = await api.must("GET", URL)
    now["spec"]["ephemeralContainers"] += containers
    status, error = await api.do("PUT", URL, now)
    assert status == 422
    assert said in error["message"]


async def test_what_is_there_stays_as_it_is() -> None:
    api = await world()
    await running_pod(api)
    now = await api.must("PATCH", URL, added(debugger()), content_type=STRATEGIC)
    changed: Json = orjson.loads(orjson.dumps(now))
    changed["spec"]["ephemeralContainers"][0]["image"] = "other"
    status, error = await api.do("PUT", URL, changed)
    assert status == 422
    assert (
        f'{PATH}: Forbidden: existing ephemeral containers "d" may not be changed'
        in (error["message"])
    )
    del changed["spec"]["ephemeralContainers"]
    status, error = await api.do("PUT", URL, changed)
    assert status == 422
    assert (
        f'{PATH}: Forbidden: existing ephemeral containers "d" may not be removed'
        in (error["message"])
    )
    changed = await api.must("GET", URL)
    changed["spec"]["ephemeralContainers"].insert(0, debugger(name="e"))
    assert (await api.do("PUT", URL, changed))[0] == 200  # the order is the client's


async def test_only_the_subresource_adds_them() -> None:
    api = await world()
    body = pod("b")
    body["spec"]["ephemeralContainers"] = [debugger()]
    status, error = await api.do("POST", PODS, body)
    assert (status, "cannot be set on create" in error["message"]) == (422, True)
    await running_pod(api)
    status, error = await api.patch(PODS + "/a", added(debugger()), STRATEGIC)
    assert (status, "pod updates may not change fields" in error["message"]) == (422, True)


async def test_static_pods_have_none() -> None:
    api = await world()
    mirror = pod(annotations={"kubernetes.io/config.mirror": "x"})
    mirror["spec"]["nodeName"] = "n1"
    await api.must("POST", PODS, mirror)
    status, error = await api.patch(URL, added(debugger()), STRATEGIC)
    assert (status, error["details"]["causes"][0]["message"]) == (
        422, "Forbidden: static pods do not support ephemeral containers",
    )  # fmt: skip


async def test_one_that_ended_never_runs_again() -> None:
    api = await world()
    await running_pod(api)
    await api.must("PATCH", URL, added(debugger()), content_type=STRATEGIC)
    ended = {"name": "d", "state": {"terminated": {"exitCode": 1}}}
    where = {"status": {"ephemeralContainerStatuses": [ended]}}
    status, said = await api.patch(PODS + "/a/status", where)
    assert status == 200, said
    where["status"]["ephemeralContainerStatuses"] = [{"name": "d", "state": {"running": {}}}]
    status, error = await api.patch(PODS + "/a/status", where)
    assert status == 422
    assert error["details"]["causes"][0]["field"] == "status.ephemeralContainerStatuses[0].state"


async def test_an_apply_owns_ephemeral_containers_alone() -> None:
    api = await world()
    await running_pod(api)
    config = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "labels": {"x": "y"}},
        **added(debugger()),
    }
    now = await api.must(
        "PATCH", URL + "?fieldManager=me", config, content_type="application/apply-patch+yaml"
    )
    assert "labels" not in now["metadata"]
    (entry,) = [each for each in now["metadata"]["managedFields"] if each["manager"] == "me"]
    assert entry["subresource"] == "ephemeralcontainers"
    assert list(entry["fieldsV1"]) == ["f:spec"]
    assert list(entry["fieldsV1"]["f:spec"]) == ["f:ephemeralContainers"]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_other_methods_are_refused(method: str) -> None:
    api = await world()
    await running_pod(api)
    assert (await api.do(method, URL, {}))[0] == 405


async def test_pod_security_looks_at_what_is_added() -> None:
    api = await world()
    label = {"pod-security.kubernetes.io/enforce": "baseline"}
    space = {"metadata": {"name": "default", "labels": label}}
    await api.must("POST", "/api/v1/namespaces", space)
    await running_pod(api)
    ids, authorizer = api.server.parts.ids, api.server.parts.authorizer
    api.server.parts.admission = AdmissionChain(api.cache, ids=ids, authorizer=authorizer)
    bad = debugger(securityContext={"privileged": True})
    status, error = await api.patch(URL, added(bad), STRATEGIC)
    assert status == 403
    assert error["message"].endswith(
        'violates PodSecurity "baseline:latest": privileged (container "d" must not set '
        "securityContext.privileged=true)"
    )
    assert (await api.patch(URL, added(debugger()), STRATEGIC))[0] == 200
