"""API concepts: resource versions, conflicts, preconditions of updates."""

from __future__ import annotations

from api_world import MERGE, PODS, config_map, pod, world

MAPS = "/api/v1/namespaces/default/configmaps"
URL = MAPS + "/a"


async def test_an_update_at_the_present_version_wins_and_moves_it() -> None:
    api = await world()
    made = await api.must("POST", MAPS, config_map())
    made["data"] = {"k": "w"}
    updated = await api.must("PUT", URL, made)
    assert updated["data"] == {"k": "w"}
    assert int(updated["metadata"]["resourceVersion"]) == 2


async def test_an_update_at_an_old_version_conflicts() -> None:
    api = await world()
    made = await api.must("POST", MAPS, config_map())
    await api.must("PUT", URL, {**made, "data": {"k": "w"}})
    status, said = await api.do("PUT", URL, {**made, "data": {"k": "x"}})
    assert (status, said["reason"]) == (409, "Conflict")
    assert said["message"].startswith('Operation cannot be fulfilled on configmaps "a": the object')
    assert (await api.must("GET", URL))["data"] == {"k": "w"}


async def test_an_update_without_a_version_is_unconditional() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    assert (await api.must("PUT", URL, config_map(data={"k": "w"})))["data"] == {"k": "w"}


async def test_some_kinds_insist_on_a_version() -> None:
    api = await world()
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    await api.must("POST", leases, lease)
    status, said = await api.do("PUT", leases + "/l", lease)
    assert status == 422
    assert "must be specified for an update" in said["message"]


async def test_a_write_that_changes_nothing_makes_no_revision() -> None:
    api = await world()
    made = await api.must("POST", PODS, pod())
    assert await api.must("PUT", PODS + "/a", made) == made
    assert (await api.patch(PODS + "/a", {"metadata": {"labels": {}}}))[1]["metadata"][
        "resourceVersion"
    ] == made["metadata"]["resourceVersion"]
    assert api.store.revision == 1


async def test_another_uid_conflicts() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    status, said = await api.do("PUT", URL, config_map(uid="somebody-else"))
    assert status == 409
    assert "UID in precondition" in said["message"]


async def test_immutable_metadata_stays() -> None:
    api = await world()
    made = await api.must("POST", MAPS, config_map())
    changed = {**made, "metadata": {"name": "a"}, "data": {"k": "w"}}
    metadata = (await api.must("PUT", URL, changed))["metadata"]
    for key in ("uid", "creationTimestamp", "namespace", "name"):
        assert metadata[key] == made["metadata"][key]


async def test_generation_counts_changes_of_spec_alone() -> None:
    api = await world()
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    from api_world import deployment

    await api.must("POST", deployments, deployment())
    _, labelled = await api.patch(deployments + "/d", {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    _, scaled = await api.patch(deployments + "/d", {"spec": {"replicas": 3}})
    assert scaled["metadata"]["generation"] == 2


async def test_get_at_a_version_that_is_not_there_yet_says_so() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    status, said = await api.do("GET", URL + "?resourceVersion=999")
    assert status == 504
    assert said["message"] == "Timeout: Too large resource version: 999, current: 1"
    assert said["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_patch_that_names_a_version_is_conditional() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    await api.must("PATCH", URL, {"data": {"k": "w"}}, content_type=MERGE)
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"k": "x"}}
    assert (await api.patch(URL, stale))[0] == 409
