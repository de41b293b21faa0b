"""API concepts: creating. What the server fills in, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import PODS, config_map, pod, service, world

MAPS = "/api/v1/namespaces/default/configmaps"


async def test_a_created_object_gets_uid_time_namespace_and_version() -> None:
    api = await world()
    status, made = await api.do("POST", MAPS, config_map())
    assert status == 201
    metadata = made["metadata"]
    assert metadata["namespace"] == "default"
    assert metadata["resourceVersion"] == "1"
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"] == "2027-01-15T08:00:00Z"


async def test_generate_name_adds_a_random_suffix() -> None:
    api = await world()
    body = config_map()
    body["metadata"] = {"generateName": "web-"}
    first, second = [(await api.must("POST", MAPS, body))["metadata"]["name"] for _ in range(2)]
    assert first.startswith("web-")
    assert len(first) == len("web-") + 5
    assert first != second


async def test_a_name_that_is_taken_is_refused() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    status, said = await api.do("POST", MAPS, config_map())
    assert (status, said["reason"]) == (409, "AlreadyExists")
    assert said["message"] == 'configmaps "a" already exists'
    assert said["details"] == {"name": "a", "kind": "configmaps"}


async def test_an_object_without_a_name_is_refused() -> None:
    api = await world()
    status, said = await api.do("POST", MAPS, {"metadata": {}})
    assert (status, said["reason"]) == (422, "Invalid")


async def test_status_is_not_taken_from_who_creates() -> None:
    api = await world()
    made = await api.must("POST", PODS, {**pod(), "status": {"phase": "Running"}})
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert made["metadata"]["generation"] == 1


async def test_what_only_the_server_says_is_dropped() -> None:
    api = await world()
    body = config_map(uid="x", resourceVersion="", selfLink="y", generation=7)
    metadata = (await api.must("POST", MAPS, body))["metadata"]
    assert metadata["uid"] != "x"
    assert not {"selfLink", "generation"} & metadata.keys()


async def test_the_namespace_in_the_body_must_be_the_one_in_the_url() -> None:
    api = await world()
    status, said = await api.do("POST", MAPS, config_map(namespace="other"))
    assert (status, said["reason"]) == (400, "BadRequest")


async def test_a_dry_run_answers_but_stores_nothing() -> None:
    api = await world()
    status, made = await api.do("POST", MAPS + "?dryRun=All", config_map())
    assert status == 201
    assert made["metadata"]["uid"]
    assert "resourceVersion" not in made["metadata"]
    assert (await api.do("GET", MAPS + "/a"))[0] == 404
    assert api.store.revision == 0


async def test_a_dry_run_sees_what_is_there() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    assert (await api.do("POST", MAPS + "?dryRun=All", config_map()))[0] == 409


async def test_another_dry_run_value_is_refused() -> None:
    api = await world()
    assert (await api.do("POST", MAPS + "?dryRun=Some", config_map()))[0] == 422


async def test_unknown_fields_warn_by_default_and_are_dropped() -> None:
    api = await world()
    response = await api.raw("POST", MAPS, {**config_map(), "colour": "red"})
    assert response.status == 201
    assert response.headers == (("Warning", '299 - "unknown field \\"colour\\""'),)
    assert b"colour" not in response.body


async def test_unknown_fields_are_refused_when_strict() -> None:
    api = await world()
    url = MAPS + "?fieldValidation=Strict"
    status, said = await api.do("POST", url, {**config_map(), "colour": "red"})
    assert status == 400
    assert "strict decoding error" in said["message"]


async def test_unknown_fields_go_silently_when_ignored() -> None:
    api = await world()
    response = await api.raw("POST", MAPS + "?fieldValidation=Ignore", {**config_map(), "x": 1})
    assert (response.status, response.headers) == (201, ())


async def test_an_object_over_the_size_limit_is_refused() -> None:
    api = await world()
    big = config_map(data={"k": "x" * 1_000_000, "l": "x" * 600_000})
    assert (await api.do("POST", MAPS, big))[0] in (413, 422)


async def test_a_service_created_by_put_comes_to_be() -> None:
    """Upstream lets a few kinds be created by update."""
    api = await world()
    url = "/api/v1/namespaces/default/services/s"
    assert (await api.do("PUT", url, service()))[0] == 201
    assert (await api.do("PUT", MAPS + "/a", config_map()))[0] == 404


@pytest.mark.parametrize("metadata", [{}, {"labels": {"a": "b"}}], ids=["bare", "with labels"])
async def test_a_namespace_without_a_name_is_refused(metadata: dict[str, Any]) -> None:
    api = await world()
    status, said = await api.do("POST", "/api/v1/namespaces", {"metadata": metadata})
    assert status == 422, said
    assert said["details"]["causes"][0]["field"] == "metadata.name"
