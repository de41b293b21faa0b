"""Custom resources through the whole API server: their definitions' life, and their own."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
import pytest
from api_world import ADMIN, MERGE, lines
from crontab_world import (
    CRDS,
    CRONTABS,
    NAME,
    crontab,
    defined,
    definition,
    living,
    settle,
    version,
)

from busk8s.api.openapi_wire3 import CONTENT_TYPES
from busk8s.client.direct import DirectClient
from busk8s.ids import RandomIds
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.watch import WatchCache


def conditions(data: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in data["status"]["conditions"]}


async def test_a_definition_is_established_with_its_names() -> None:
    async with living() as api:
        found = await defined(api)
    assert conditions(found) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["status"]["acceptedNames"]["listKind"] == "CronTabList"


async def test_a_kind_is_published_by_the_time_it_is_said_to_be_established() -> None:
    """Who waits for the condition, as kubectl does, finds the kind in every document at once."""
    async with living() as api:
        await api.must("POST", CRDS, definition())
        watch = await api.raw("GET", f"{CRDS}?watch=1")
        assert watch.stream is not None
        async for chunk in watch.stream:
            objects = [orjson.loads(line)["object"] for line in chunk.splitlines()]
            if any(conditions(obj).get("Established", "")[:1] == ("True",) for obj in objects):
                break
        path = "apis/stable.example.com/v1"
        assert path in (await api.must("GET", "/openapi/v3"))["paths"]
        name = "com.example.stable.v1.CronTab"
        assert name in (await api.must("GET", f"/openapi/v3/{path}"))["components"]["schemas"]
        assert name in (await api.must("GET", "/openapi/v2"))["definitions"]
        accept = CONTENT_TYPES[1]
        told = await api.raw("GET", f"/openapi/v3/{path}", accept=accept)
        assert told.content_type == CONTENT_TYPES[0]
        assert name.encode() in told.body
        assert (await api.do("GET", CRONTABS))[0] == 200
        await watch.stream.aclose()  # type: ignore[attr-defined]  # an async generator


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"plural": "others", "kind": "CronTab", "listKind": "Others", "shortNames": []},
         "KindConflict"),
        ({"plural": "others", "kind": "Other", "shortNames": ["ct"]}, "ShortNamesConflict"),
        ({"plural": "others", "kind": "Other", "listKind": "CronTabList", "shortNames": []},
         "ListKindConflict"),
        ({"plural": "others", "kind": "Other", "singular": "crontab", "shortNames": []},
         "SingularConflict"),
    ],
    ids=["kind", "short name", "list kind", "singular"],
)  # fmt: skip
async def test_a_name_in_use_keeps_a_definition_from_being_served(
    names: dict[str, Any], reason: str
) -> None:
    async with living() as api:
        await defined(api)
        found = await defined(api, **names)
        status, _ = await api.do("GET", "/apis/stable.example.com/v1/others")
        assert conditions(found)["NamesAccepted"] == ("False", reason)
        assert conditions(found)["Established"] == ("False", "NotAccepted")
        assert status == 404
        await api.must("DELETE", f"{CRDS}/{NAME}")
        await settle()
        assert (await api.do("GET", "/apis/stable.example.com/v1/others"))[0] == 200


async def test_what_is_created_can_be_read_changed_and_deleted() -> None:
    async with living() as api:
        await defined(api)
        made = await api.must("POST", CRONTABS, crontab(cronSpec="a", unknown="x"))
        assert made["spec"] == {"cronSpec": "a"}
        assert made["metadata"]["generation"] == 1
        status, changed = await api.patch(f"{CRONTABS}/a", {"spec": {"cronSpec": "b"}})
        assert (status, changed["metadata"]["generation"]) == (200, 2)
        listed = await api.must("GET", CRONTABS)
        assert (listed["kind"], len(listed["items"])) == ("CronTabList", 1)
        await api.must("DELETE", f"{CRONTABS}/a")
        assert (await api.do("GET", f"{CRONTABS}/a"))[0] == 404


async def test_what_the_schema_forbids_is_refused() -> None:
    async with living() as api:
        await defined(api)
        status, said = await api.do("POST", CRONTABS, crontab(replicas=-1))
    assert status == 422
    assert "spec.replicas" in said["message"]


async def test_unknown_fields_are_refused_when_strict() -> None:
    async with living() as api:
        await defined(api)
        url = CRONTABS + "?fieldValidation=Strict"
        status, said = await api.do("POST", url, crontab(colour="red"))
    assert status == 400
    assert 'unknown field "spec.colour"' in said["message"]


async def test_strategic_merge_is_not_for_custom_resources() -> None:
    async with living() as api:
        await defined(api)
        await api.must("POST", CRONTABS, crontab())
        kind = "application/strategic-merge-patch+json"
        status, _ = await api.patch(f"{CRONTABS}/a", {"spec": {}}, kind)
    assert status == 415


async def test_status_is_a_world_of_its_own_with_its_subresource() -> None:
    async with living() as api:
        await defined(api, version(subresources={"status": {}}))
        made = await api.must("POST", CRONTABS, {**crontab(), "status": {"x": 1}})
        assert "status" not in made
        url = f"{CRONTABS}/a/status"
        new = {"status": {"x": 2}, "spec": {"cronSpec": "no"}}
        found = await api.must("PATCH", url, new, content_type=MERGE)
        assert (found["status"], found["spec"]) == ({"x": 2}, {"cronSpec": "* * * * *"})
        assert found["metadata"]["generation"] == 1
        _, found = await api.patch(f"{CRONTABS}/a", {"status": {"x": 3}})
        assert found["status"] == {"x": 2}


async def test_without_the_subresource_status_counts_as_a_change() -> None:
    async with living() as api:
        await defined(api)
        await api.must("POST", CRONTABS, crontab())
        _, found = await api.patch(f"{CRONTABS}/a", {"status": {"x": 3}})
    assert (found["status"], found["metadata"]["generation"]) == ({"x": 3}, 2)


async def test_each_version_shows_the_same_object() -> None:
    async with living() as api:
        await defined(api, version("v1"), version("v2", storage=False))
        await api.must("POST", CRONTABS, crontab())
        second = CRONTABS.replace("/v1/", "/v2/")
        found = await api.must("GET", f"{second}/a")
        assert found["apiVersion"] == "stable.example.com/v2"
        await api.must("POST", second, crontab("b", "v2"))
        assert (await api.must("GET", f"{CRONTABS}/b"))["apiVersion"] == "stable.example.com/v1"
        versions = {one["apiVersion"] for one in (await api.must("GET", second))["items"]}
        assert versions == {"stable.example.com/v2"}


async def test_a_change_of_the_stored_version_is_written_by_the_next_write() -> None:
    async with living() as api:
        found = await defined(api, version("v1"), version("v2", storage=False))
        await api.must("POST", CRONTABS, crontab())
        found["spec"]["versions"] = [version("v1", storage=False), version("v2")]
        await api.must("PUT", f"{CRDS}/{NAME}", found)
        await settle()
        found = await api.must("GET", f"{CRDS}/{NAME}")
        assert found["status"]["storedVersions"] == ["v1", "v2"]
        held = await api.must("GET", f"{CRONTABS}/a")
        await api.must("PUT", f"{CRONTABS}/a", held)
        stored = api.cache.get(NAME, "default", "a")
        assert stored is not None
        assert stored.data["apiVersion"] == "stable.example.com/v2"
        assert (await api.must("GET", f"{CRONTABS}/a"))["apiVersion"] == "stable.example.com/v1"


async def test_defaults_of_a_later_schema_show_in_older_objects() -> None:
    async with living() as api:
        found = await defined(api)
        await api.must("POST", CRONTABS, crontab())
        schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"]["properties"]["replicas"]["default"] = 3
        await api.must("PUT", f"{CRDS}/{NAME}", found)
        await settle()
        assert (await api.must("GET", f"{CRONTABS}/a"))["spec"]["replicas"] == 3


async def test_a_definition_empties_itself_before_it_goes() -> None:
    async with living() as api:
        await defined(api)
        held = crontab()
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await api.must("POST", CRONTABS, held)
        await api.must("POST", CRONTABS, crontab("b"))
        await api.must("DELETE", f"{CRDS}/{NAME}")
        await settle()
        found = await api.must("GET", f"{CRDS}/{NAME}")
        assert conditions(found)["Terminating"] == ("True", "InstanceDeletionInProgress")
        assert [one["metadata"]["name"] for one in (await api.must("GET", CRONTABS))["items"]] == [
            "a"
        ]
        status, said = await api.do("POST", CRONTABS, crontab("c"))
        assert (status, said["message"]) == (
            403,
            'crontabs.stable.example.com "c" is forbidden: create not allowed while custom '
            "resource definition is terminating",
        )
        await api.patch(f"{CRONTABS}/a", {"metadata": {"finalizers": None}})
        for _ in range(10):
            await settle()
        assert (await api.do("GET", f"{CRDS}/{NAME}"))[0] == 404
        assert (await api.do("GET", CRONTABS))[0] == 404


async def test_discovery_and_openapi_follow_the_definitions() -> None:
    async with living() as api:
        await defined(api)
        groups = await api.must("GET", "/apis")
        assert "stable.example.com" in [group["name"] for group in groups["groups"]]
        resources = await api.must("GET", "/apis/stable.example.com/v1")
        assert resources["resources"][0]["shortNames"] == ["ct"]
        index = (await api.must("GET", "/openapi/v3"))["paths"]
        url = index["apis/stable.example.com/v1"]["serverRelativeURL"]
        document = await api.must("GET", url)
        assert "com.example.stable.v1.CronTab" in document["components"]["schemas"]
        whole = await api.must("GET", "/openapi/v2")
        assert "com.example.stable.v1.CronTabList" in whole["definitions"]
        await api.must("DELETE", f"{CRDS}/{NAME}")
        await settle()
        assert (await api.do("GET", "/apis/stable.example.com/v1"))[0] == 404
        groups = await api.must("GET", "/apis")
        assert "stable.example.com" not in [group["name"] for group in groups["groups"]]


async def test_tables_have_the_columns_of_the_definition() -> None:
    columns = [
        {"name": "Cron", "type": "string", "jsonPath": ".spec.cronSpec"},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "R", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
    ]
    async with living() as api:
        await defined(api, version(additionalPrinterColumns=columns))
        await api.must("POST", CRONTABS, crontab())
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        table = await api.must("GET", CRONTABS, accept=accept)
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Cron", "Since", "R"]
    assert table["rows"][0]["cells"][:2] == ["a", "* * * * *"]
    assert table["rows"][0]["cells"][3] is None


async def test_selectable_fields_select() -> None:
    async with living() as api:
        await defined(api, version(selectableFields=[{"jsonPath": ".spec.cronSpec"}]))
        await api.must("POST", CRONTABS, crontab("a", cronSpec="x"))
        await api.must("POST", CRONTABS, crontab("b", cronSpec="y"))
        found = await api.must("GET", CRONTABS + "?fieldSelector=spec.cronSpec=y")
        assert [one["metadata"]["name"] for one in found["items"]] == ["b"]
        status, _ = await api.do("GET", CRONTABS + "?fieldSelector=spec.replicas=1")
        assert status == 400


async def test_a_watch_shows_the_version_asked_for() -> None:
    async with living() as api:
        await defined(api, version("v1"), version("v2", storage=False))
        await api.must("POST", CRONTABS, crontab())
        second = CRONTABS.replace("/v1/", "/v2/") + "?watch=1"
        (event,) = await lines(await api.raw("GET", second), 1)
    assert event["type"] == "ADDED"
    assert event["object"]["apiVersion"] == "stable.example.com/v2"


async def test_a_deprecated_version_warns() -> None:
    async with living() as api:
        await defined(api, version("v1"), version("v2", storage=False, deprecated=True))
        response = await api.raw("GET", CRONTABS.replace("/v1/", "/v2/"))
    assert "stable.example.com/v2 CronTab is deprecated" in dict(response.headers)["Warning"]


async def test_server_side_apply_owns_fields_of_custom_resources() -> None:
    kind = "application/apply-patch+yaml"
    async with living() as api:
        await defined(api)
        url = f"{CRONTABS}/a?fieldManager="
        await api.must("PATCH", url + "one", crontab(cronSpec="x"), content_type=kind)
        status, said = await api.patch(url + "two", crontab(cronSpec="y"), kind)
        assert (status, said["reason"]) == (409, "Conflict")
        found = await api.must("GET", f"{CRONTABS}/a")
    assert found["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"] == {"f:cronSpec": {}}


async def test_scale_is_told_by_its_paths() -> None:
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    async with living() as api:
        await defined(api, version(subresources={"status": {}, "scale": scale}))
        await api.must("POST", CRONTABS, crontab(replicas=2))
        status = {"status": {"replicas": 1, "selector": "a=b"}}
        await api.must("PATCH", f"{CRONTABS}/a/status", status, content_type=MERGE)
        found = await api.must("GET", f"{CRONTABS}/a/scale")
        assert (found["spec"], found["status"]) == (
            {"replicas": 2},
            {"replicas": 1, "selector": "a=b"},
        )
        body = {"spec": {"replicas": 5}}
        await api.must("PATCH", f"{CRONTABS}/a/scale", body, content_type=MERGE)
        assert (await api.must("GET", f"{CRONTABS}/a"))["spec"]["replicas"] == 5


async def test_custom_resources_are_there_after_a_restart() -> None:
    async with living() as api:
        await defined(api, version("v1"), version("v2", storage=False))
        await api.must("POST", CRONTABS, crontab())
    catalog = Catalog()
    cache = WatchCache(api.store, catalog.shelf, api.clock)
    await cache.open()
    ids = RandomIds(random.Random(8))
    again = ApiServer(api.store, cache, clock=api.clock, ids=ids, catalog=catalog)
    again.open()
    api.server, api.cache = again, cache
    found = await api.must("GET", f"{CRONTABS.replace('/v1/', '/v2/')}/a")
    assert found["apiVersion"] == "stable.example.com/v2"


async def test_columns_may_select_in_lists() -> None:
    path = '.status.conditions[?(@.type=="Ready")].status'
    columns = [
        {"name": "Ready", "type": "string", "jsonPath": path},
        {"name": "First", "type": "string", "jsonPath": ".spec.cronSpec"},
    ]
    conditions = [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]
    async with living() as api:
        await defined(api, version(additionalPrinterColumns=columns))
        await api.must("POST", CRONTABS, {**crontab(), "status": {"conditions": conditions}})
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
        table = await api.must("GET", CRONTABS, accept=accept)
    assert table["rows"][0]["cells"] == ["a", "True", "* * * * *"]


async def test_watches_end_when_the_definition_changes() -> None:
    async with living() as api:
        found = await defined(api)
        response = await api.raw("GET", CRONTABS + "?watch=1")
        assert response.stream is not None

        async def change() -> None:
            await settle()
            found["spec"]["versions"][0]["deprecated"] = True
            await api.must("PUT", f"{CRDS}/{NAME}", found)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(change())
            assert [chunk async for chunk in response.stream] == []


async def test_the_finalizer_comes_with_the_delete() -> None:
    async with living() as api:
        assert "finalizers" not in (await defined(api))["metadata"]
        await api.must("POST", CRONTABS, crontab())
        gone = await api.must("DELETE", f"{CRDS}/{NAME}")
        assert gone["status"] == "Success" or gone["metadata"]["finalizers"]


async def test_a_follower_in_the_process_starts_anew_when_the_definition_goes() -> None:
    """1. A controller follows a custom kind. 2. Its definition goes, and ends all watches of it.
    3. A closed watcher answers at once: whoever asks it again must not do so for ever."""
    async with living() as api:
        await defined(api)
        client = DirectClient(api.server.dispatch, user=ADMIN, source=api.cache)
        resource = api.catalog.by_key(NAME)
        assert resource is not None
        seen = 0

        async def follow() -> None:
            nonlocal seen
            async for _ in client.watch(resource):
                seen += 1

        async with asyncio.TaskGroup() as tasks:
            follower = tasks.create_task(follow())
            await settle()
            await api.must("DELETE", f"{CRDS}/{NAME}")
            await settle()
            follower.cancel()
        assert (await api.do("GET", f"{CRDS}/{NAME}"))[0] == 404
        assert seen <= 4
