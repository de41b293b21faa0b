"""API concepts: deleting: grace, finalizers, propagation, preconditions, collections."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import MERGE, PODS, config_map, deployment, pod, running_pod, world

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


async def test_a_plain_object_goes_at_once_and_a_status_says_so() -> None:
    api = await world()
    made = await api.must("POST", MAPS, config_map())
    status, said = await api.do("DELETE", MAPS + "/a")
    assert status == 200
    assert said["status"] == "Success"
    uid = made["metadata"]["uid"]
    assert said["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
    assert (await api.do("GET", MAPS + "/a"))[0] == 404


async def test_a_running_pod_is_given_its_grace() -> None:
    api = await world()
    await running_pod(api)
    going = await api.must("DELETE", PODS + "/a")
    assert going["metadata"]["deletionGracePeriodSeconds"] == 30
    assert going["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:30Z"
    assert (await api.do("GET", PODS + "/a"))[0] == 200


async def test_a_running_deletion_can_only_be_made_shorter() -> None:
    api = await world()
    await running_pod(api)
    await api.must("DELETE", PODS + "/a")
    longer = await api.must("DELETE", PODS + "/a", {"gracePeriodSeconds": 60})
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 30
    shorter = await api.must("DELETE", PODS + "/a", {"gracePeriodSeconds": 5})
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    assert shorter["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:05Z"


async def test_a_pod_without_a_node_goes_at_once() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    await api.must("DELETE", PODS + "/a")
    assert (await api.do("GET", PODS + "/a"))[0] == 404


async def test_grace_zero_goes_at_once() -> None:
    api = await world()
    await running_pod(api)
    await api.must("DELETE", PODS + "/a?gracePeriodSeconds=0")
    assert (await api.do("GET", PODS + "/a"))[0] == 404


async def test_a_finished_pod_goes_at_once() -> None:
    api = await world()
    await running_pod(api)
    done = {"status": {"phase": "Succeeded"}}
    await api.must("PATCH", PODS + "/a/status", done, content_type=MERGE)
    await api.must("DELETE", PODS + "/a")
    assert (await api.do("GET", PODS + "/a"))[0] == 404


async def test_finalizers_hold_an_object_until_the_last_one_goes() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map(finalizers=["example.com/hold"]))
    held = await api.must("DELETE", MAPS + "/a")
    assert held["metadata"]["deletionTimestamp"]
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    assert (await api.do("GET", MAPS + "/a"))[0] == 200
    status, _ = await api.patch(MAPS + "/a", {"metadata": {"finalizers": []}})
    assert status == 200
    assert (await api.do("GET", MAPS + "/a"))[0] == 404


async def test_a_second_delete_of_a_held_object_changes_nothing() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map(finalizers=["example.com/hold"]))
    first = await api.must("DELETE", MAPS + "/a")
    assert await api.must("DELETE", MAPS + "/a") == first


@pytest.mark.parametrize(
    ("policy", "finalizers", "status"),
    [("Foreground", ["foregroundDeletion"], 202), ("Orphan", ["orphan"], 200)],
    ids=["foreground", "orphan"],
)
async def test_propagation_policies_leave_a_finalizer(
    policy: str, finalizers: list[str], status: int
) -> None:
    api = await world()
    await api.must("POST", DEPLOYMENTS, deployment())
    url = f"{DEPLOYMENTS}/d?propagationPolicy={policy}"
    answered, going = await api.do("DELETE", url)
    assert answered == status
    assert going["metadata"]["finalizers"] == finalizers
    assert going["metadata"]["generation"] == 2


async def test_jobs_orphan_by_default_deployments_do_not() -> None:
    api = await world()
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    template = deployment()["spec"]["template"]
    template["spec"]["restartPolicy"] = "Never"
    await api.must("POST", jobs, {"metadata": {"name": "j"}, "spec": {"template": template}})
    assert (await api.must("DELETE", jobs + "/j"))["metadata"]["finalizers"] == ["orphan"]
    await api.must("POST", DEPLOYMENTS, deployment())
    await api.must("DELETE", DEPLOYMENTS + "/d")
    assert (await api.do("GET", DEPLOYMENTS + "/d"))[0] == 404


@pytest.mark.parametrize(
    "conditions", [{"uid": "other"}, {"resourceVersion": "77"}], ids=["uid", "version"]
)
async def test_preconditions_that_do_not_hold_conflict(conditions: dict[str, str]) -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    status, said = await api.do("DELETE", MAPS + "/a", {"preconditions": conditions})
    assert (status, said["reason"]) == (409, "Conflict")
    assert "in the precondition" in said["message"]
    assert said["details"]["kind"] == "ConfigMap"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"propagationPolicy": "Sideways"}, 422),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422),
        ({"gracePeriodSeconds": "soon"}, 400),
        ({"kind": "Pod"}, 400),
        (b"{", 400),
        (["x"], 400),
    ],
    ids=["policy", "both policies", "grace of the wrong type", "kind", "cut", "list"],
)
async def test_options_nobody_can_mean_are_refused(body: Any, code: int) -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    assert (await api.do("DELETE", MAPS + "/a", body))[0] == code
    assert (await api.do("GET", MAPS + "/a"))[0] == 200


async def test_a_dry_run_deletes_nothing() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    assert (await api.do("DELETE", MAPS + "/a?dryRun=All"))[0] == 200
    assert (await api.do("GET", MAPS + "/a"))[0] == 200


async def test_delete_collection_takes_what_the_selector_chooses() -> None:
    api = await world()
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "red")):
        await api.must("POST", MAPS, config_map(name, labels={"colour": colour}))
    gone = await api.must("DELETE", MAPS + "?labelSelector=colour=red")
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "c"]
    left = await api.must("GET", MAPS)
    assert [item["metadata"]["name"] for item in left["items"]] == ["b"]


async def test_deleting_what_is_not_there_is_not_found() -> None:
    api = await world()
    assert (await api.do("DELETE", MAPS + "/nobody"))[0] == 404


async def test_a_namespace_terminates_and_goes_when_it_is_finalized() -> None:
    api = await world()
    made = await api.must("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    assert made["spec"]["finalizers"] == ["kubernetes"]
    assert made["status"] == {"phase": "Active"}
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    going = await api.must("DELETE", "/api/v1/namespaces/n")
    assert going["status"]["phase"] == "Terminating"
    assert (await api.must("DELETE", "/api/v1/namespaces/n")) == going
    going["spec"] = {"finalizers": []}
    await api.must("PUT", "/api/v1/namespaces/n/finalize", going)
    assert (await api.do("GET", "/api/v1/namespaces/n"))[0] == 404
