"""API concepts: the patch types."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from api_world import MERGE, PODS, Api, config_map, deployment, pod, world

from busk8s.master.store.base import Lost, Write

MAPS = "/api/v1/namespaces/default/configmaps"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


async def test_a_merge_patch_replaces_adds_and_removes() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map(data={"a": "1", "b": "2"}))
    _, now = await api.patch(MAPS + "/a", {"data": {"a": None, "b": "3", "c": "4"}})
    assert now["data"] == {"b": "3", "c": "4"}


async def test_a_json_patch_is_a_list_of_operations() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map(data={"a": "1"}))
    operations = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "2"},
    ]
    _, now = await api.patch(MAPS + "/a", operations, JSON_PATCH)
    assert now["data"] == {"a": "2"}


async def test_a_json_patch_whose_test_fails_changes_nothing() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map(data={"a": "1"}))
    failing = [{"op": "test", "path": "/data/a", "value": "9"}]
    assert (await api.patch(MAPS + "/a", failing, JSON_PATCH))[0] == 422
    assert api.store.revision == 1


async def test_a_strategic_patch_merges_containers_by_name() -> None:
    api = await world()
    url = "/apis/apps/v1/namespaces/default/deployments"
    await api.must("POST", url, deployment())
    containers = [{"name": "side", "image": "x"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    _, now = await api.patch(url + "/d", patch, STRATEGIC)
    names = {c["name"] for c in now["spec"]["template"]["spec"]["containers"]}
    assert names == {"c", "side"}


@pytest.mark.parametrize(
    ("kind", "code", "word"),
    [
        ("application/apply-patch+cbor", 415, "apply-patch+cbor is not supported"),
        ("application/json", 415, "415: Unsupported Media Type"),
    ],
    ids=["apply as CBOR", "no patch type"],
)
async def test_other_types_are_refused_by_name(kind: str, code: int, word: str) -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    status, said = await api.patch(MAPS + "/a", {}, kind)
    assert status == code
    assert word in said["message"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"3", b"null"], ids=["cut", "list", "number", "null"]
)
async def test_a_body_that_is_no_patch_is_a_bad_request(body: bytes) -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    assert (await api.patch(MAPS + "/a", body))[0] == 400


async def test_a_patch_that_makes_the_object_invalid_is_refused() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    status, said = await api.patch(PODS + "/a", {"spec": {"containers": None}})
    assert status in (400, 422), said
    assert api.store.revision == 1


async def test_a_patch_cannot_rename() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    assert (await api.patch(MAPS + "/a", {"metadata": {"name": "b"}}))[0] == 400


async def test_racing_patches_all_land() -> None:
    """A patch that loses a race is applied again to what won."""
    api = await world()
    await api.must("POST", MAPS, config_map())
    slow = _SlowStore(api)
    await asyncio.gather(*(api.patch(MAPS + "/a", {"data": {f"k{i}": "v"}}) for i in range(4)))
    assert slow.lost > 0
    now = await api.must("GET", MAPS + "/a")
    assert {f"k{i}" for i in range(4)} <= now["data"].keys()


class _SlowStore:
    """Lets other requests run before each commit, so that they race."""

    def __init__(self, api: Api) -> None:
        self.lost = 0
        commit = api.store.commit

        async def later(batch: Any) -> Any:
            await asyncio.sleep(0.01)
            outcome = await commit(batch)
            self.lost += not isinstance(outcome, int)
            return outcome

        api.store.commit = later  # type: ignore[method-assign]  # a store with latency


async def test_a_status_patch_does_not_touch_spec() -> None:
    api = await world()
    url = "/apis/apps/v1/namespaces/default/deployments"
    await api.must("POST", url, deployment())
    patch = {"spec": {"replicas": 9}, "status": {"replicas": 2}}
    now = await api.must("PATCH", url + "/d/status", patch, content_type=MERGE)
    assert now["spec"]["replicas"] == 1
    assert now["status"]["replicas"] == 2
    assert now["metadata"]["generation"] == 1


async def test_a_main_patch_does_not_touch_status() -> None:
    api = await world()
    url = "/apis/apps/v1/namespaces/default/deployments"
    await api.must("POST", url, deployment())
    _, now = await api.patch(url + "/d", {"spec": {"replicas": 9}, "status": {"replicas": 2}})
    assert now["spec"]["replicas"] == 9
    assert "replicas" not in now["status"]


@pytest.mark.parametrize(
    ("kind", "patch", "shown", "why"),
    [
        (
            STRATEGIC,
            {"spec": {"bogus": 1, "paused": True}},
            "map[spec:map[bogus:1 paused:true]]",
            'strict decoding error: unknown field "spec.bogus"',
        ),
        (
            STRATEGIC,
            {"spec": {"replicas": "two", "minReadySeconds": None}},
            "map[spec:map[minReadySeconds:<nil> replicas:two]]",
            "unrecognized type: int32",
        ),
        (
            STRATEGIC,
            {"spec": {"replicas": 1.5}},
            "map[spec:map[replicas:1.5]]",
            "cannot convert float64 to int32",
        ),
        (
            STRATEGIC,
            {"metadata": {"labels": {"a": 1}}},
            "map[metadata:map[labels:map[a:1]]]",
            "cannot convert int64 to string",
        ),
        (
            STRATEGIC,
            {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": True}}}},
            "map[spec:map[template:map[spec:map[terminationGracePeriodSeconds:true]]]]",
            "unrecognized type: int64",
        ),
        (
            STRATEGIC,
            {"spec": {"strategy": "Recreate"}},
            "map[spec:map[strategy:Recreate]]",
            "cannot restore struct from: string",
        ),
        (
            STRATEGIC,
            {"spec": {"selector": {"matchLabels": [1]}}},
            "map[spec:map[selector:map[matchLabels:[1]]]]",
            "cannot restore map from slice",
        ),
    ],
    ids=["unknown", "text", "fraction", "number", "truth", "text for a struct", "list for a map"],
)
async def test_a_patch_to_what_is_no_object_of_the_kind_is_invalid(
    kind: str, patch: Any, shown: str, why: str
) -> None:
    """kubectl prints causes, so the cause says all."""
    api = await world()
    url = "/apis/apps/v1/namespaces/default/deployments"
    await api.must("POST", url, deployment())
    status, said = await api.patch(url + "/d?fieldValidation=Strict", patch, kind)
    message = f'Invalid value: "{shown}": {why}'
    cause = {"reason": "FieldValueInvalid", "message": message, "field": "patch"}
    assert (status, said["reason"], said["details"]) == (422, "Invalid", {"causes": [cause]})
    assert said["message"] == f' "" is invalid: patch: {message}'


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (MERGE, {"spec": {"replicas": "two"}}),
        (JSON_PATCH, [{"op": "add", "path": "/spec/replicas", "value": "two"}]),
    ],
    ids=["merge", "operations"],
)
async def test_of_other_patches_the_object_they_make_is_shown(kind: str, patch: Any) -> None:
    api = await world()
    url = "/apis/apps/v1/namespaces/default/deployments"
    made = await api.must("POST", url, deployment())
    status, said = await api.patch(url + "/d", patch, kind)
    (cause,) = said["details"]["causes"]
    assert (status, cause["field"]) == (422, "patch")
    value, end = json.JSONDecoder().raw_decode(cause["message"].removeprefix("Invalid value: "))
    assert json.loads(value) == {**made, "spec": {**made["spec"], "replicas": "two"}}
    assert cause["message"][len("Invalid value: ") + end :] == (
        ": json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas "
        "of type int32"
    )


@pytest.mark.parametrize("kind", [STRATEGIC, MERGE, JSON_PATCH])
async def test_a_patch_nested_too_deep_is_refused(kind: str) -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    body = b'[{"op":"add","path":"/data","value":%b}]' % deep if kind == JSON_PATCH else deep
    status, said = await api.patch(MAPS + "/a", body, kind)
    assert (status, said["message"]) == (400, "the object is nested deeper than 200 levels")


async def test_a_patch_that_does_not_apply_is_refused_in_general_words() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    operations = [{"op": "remove", "path": "/data/zz"}]
    status, said = await api.patch(MAPS + "/a", operations, JSON_PATCH)
    assert status == 422
    assert said["message"] == "the server rejected our request due to an error in our request"
    assert said["details"] == {}


@pytest.mark.parametrize(
    ("method", "kind", "options"),
    [
        ("POST", "application/json", "CreateOptions"),
        ("PUT", "application/json", "UpdateOptions"),
        ("PATCH", MERGE, "PatchOptions"),
        ("DELETE", "application/json", "DeleteOptions"),
    ],
)
async def test_a_dry_run_of_another_word_is_refused_as_the_verbs_option(
    method: str, kind: str, options: str
) -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    url = MAPS if method == "POST" else MAPS + "/a"
    body = {} if method == "DELETE" else config_map()
    status, said = await api.do(method, f"{url}?dryRun=Some", body, content_type=kind)
    assert (status, said["details"]["kind"]) == (422, options)


async def test_fifty_patches_of_one_object_at_once_all_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each names no version, so none may be told of a conflict, however often it loses the race."""
    api = await world()
    await api.must("POST", MAPS, config_map())
    commit = api.store.commit

    async def grouped(batch: Sequence[Write]) -> int | Lost:
        await asyncio.sleep(0.001)  # all that wait go in one group: one of them wins
        return await commit(batch)

    monkeypatch.setattr(api.store, "commit", grouped)
    patches = [{"data": {f"k{number}": "v"}} for number in range(50)]
    async with asyncio.TaskGroup() as group:
        for patch in patches:
            group.create_task(api.patch(MAPS + "/a", patch))
    found = await api.must("GET", MAPS + "/a")
    assert {f"k{number}" for number in range(50)} <= found["data"].keys()
