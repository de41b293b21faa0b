"""API concepts: lists: selectors, pages, versions, all namespaces."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from api_world import ADMIN, PODS, Api, config_map, pod, running_pod, world

from busk8s.api.request import Request

MAPS = "/api/v1/namespaces/default/configmaps"


def names(data: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in data["items"]]


async def filled(count: int = 5) -> Api:
    api = await world()
    for index in range(count):
        await api.must("POST", MAPS, config_map(f"m{index}"))
    return api


async def test_an_empty_list_has_a_version_and_no_items() -> None:
    api = await world()
    data = await api.must("GET", MAPS)
    assert (data["kind"], data["apiVersion"], data["items"]) == ("ConfigMapList", "v1", [])


async def test_a_list_is_ordered_and_shows_the_present() -> None:
    api = await filled(3)
    before = await api.must("GET", MAPS)
    assert names(before) == ["m0", "m1", "m2"]
    await api.must("DELETE", MAPS + "/m1")
    after = await api.must("GET", MAPS)
    assert names(after) == ["m0", "m2"]
    assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


async def test_all_namespaces() -> None:
    api = await filled(1)
    await api.must("POST", "/api/v1/namespaces/other/configmaps", config_map("z"))
    assert names(await api.must("GET", "/api/v1/configmaps")) == ["m0", "z"]
    assert names(await api.must("GET", MAPS)) == ["m0"]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("labelSelector=app=a", ["x"]),
        ("labelSelector=app in (a,b)", ["x", "y"]),
        ("labelSelector=!app", ["z"]),
        ("fieldSelector=metadata.name=y", ["y"]),
        ("fieldSelector=spec.nodeName=n1", ["x"]),
        ("fieldSelector=status.phase!=Running&labelSelector=app", ["y"]),
    ],
)
async def test_selectors_choose(selector: str, found: list[str]) -> None:
    api = await world()
    await running_pod(api, "x", labels={"app": "a"})
    await api.must("POST", PODS, pod("y", labels={"app": "b"}))
    await api.must("POST", PODS, pod("z"))
    assert names(await api.must("GET", f"{PODS}?{selector}")) == found


@pytest.mark.parametrize(
    "selector", ["labelSelector=a in b", "fieldSelector=spec.colour=red", "fieldSelector=x"]
)
async def test_selectors_that_cannot_be_are_bad_requests(selector: str) -> None:
    api = await world()
    assert (await api.do("GET", f"{PODS}?{selector}"))[0] == 400


async def test_pages_show_one_revision_whatever_happens_meanwhile() -> None:
    api = await filled(5)
    first = await api.must("GET", MAPS + "?limit=2")
    assert names(first) == ["m0", "m1"]
    assert first["metadata"]["remainingItemCount"] == 3
    await api.must("DELETE", MAPS + "/m2")
    await api.must("POST", MAPS, config_map("m9"))
    token = first["metadata"]["continue"]
    second = await api.must("GET", f"{MAPS}?limit=2&continue={token}")
    assert names(second) == ["m2", "m3"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    token = second["metadata"]["continue"]
    last = await api.must("GET", f"{MAPS}?limit=2&continue={token}")
    assert names(last) == ["m4"]
    assert "continue" not in last["metadata"]


async def test_a_token_whose_state_is_forgotten_is_410_with_a_way_on() -> None:
    api = await filled(4)
    token = (await api.must("GET", MAPS + "?limit=2"))["metadata"]["continue"]
    await api.must("DELETE", MAPS + "/m3")
    api.cache.oldest = api.cache.revision
    status, said = await api.do("GET", f"{MAPS}?limit=2&continue={token}")
    assert (status, said["reason"]) == (410, "Expired")
    way_on = said["metadata"]["continue"]
    assert names(await api.must("GET", f"{MAPS}?limit=2&continue={way_on}")) == ["m2"]


@pytest.mark.parametrize("token", ["x", "%%%", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ"], ids=str)
async def test_a_token_nobody_made_is_a_bad_request(token: str) -> None:
    api = await filled(1)
    assert (await api.do("GET", f"{MAPS}?limit=1&continue={token}"))[0] == 400


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("resourceVersion=0", 200),
        ("resourceVersion=2", 200),
        ("resourceVersion=2&resourceVersionMatch=NotOlderThan", 200),
        ("resourceVersion=3&resourceVersionMatch=Exact", 200),
        ("resourceVersion=1&resourceVersionMatch=Exact", 200),
        ("resourceVersion=99", 504),
        ("resourceVersion=x", 400),
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422),
        ("resourceVersion=1&resourceVersionMatch=Sometimes", 422),
        ("limit=x", 400),
        ("limit=1&resourceVersion=99", 504),
        ("sendInitialEvents=true", 422),
        ("resourceVersion=1&resourceVersionMatch=NotOlderThan&continue=x", 422),
        ("resourceVersion=2&continue=x", 400),
    ],
)
async def test_version_rules_of_lists(query: str, code: int) -> None:
    api = await filled(3)
    assert (await api.do("GET", f"{MAPS}?{query}"))[0] == code


async def test_a_repeated_list_is_the_same_bytes() -> None:
    api = await filled(3)
    first = await api.raw("GET", MAPS)
    assert (await api.raw("GET", MAPS)).body == first.body
    await api.must("POST", PODS, pod())
    later = orjson.loads((await api.raw("GET", MAPS)).body)
    assert later["metadata"]["resourceVersion"] == "4"


async def test_pretty_indents_for_a_reader() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    body = (await api.raw("GET", MAPS + "/a?pretty=true")).body
    assert b'\n  "metadata": {\n' in body
    plain = (await api.raw("GET", MAPS + "/a?pretty=false")).body
    assert b"\n" not in plain


@pytest.mark.parametrize(
    ("url", "agent", "indented"),
    [
        (MAPS, "curl/8.5.0", True),
        (MAPS + "/none", "curl/8.5.0", True),
        (MAPS, "Mozilla/5.0 (X11; Linux x86_64)", True),
        (MAPS, "kubectl/v1.37.1 (linux/amd64) kubernetes/abc", False),
        (MAPS + "?pretty=0", "curl/8.5.0", False),
        ("/openapi/v2", "curl/8.5.0", False),
        ("/version", "kubectl/v1.37.1", True),
        ("/", "kubectl/v1.37.1", True),
    ],
)
async def test_people_are_answered_with_indented_objects(
    url: str, agent: str, indented: bool
) -> None:
    api = await world()
    path, _, query = url.partition("?")
    asked = {"pretty": [query.partition("=")[2]]} if query else {}
    request = Request("GET", path, ADMIN, asked, headers={"user-agent": agent})
    assert (b"\n  " in (await api.server.dispatch(request)).body) is indented


async def test_the_root_lists_what_is_served() -> None:
    api = await world()
    paths = (await api.must("GET", "/"))["paths"]
    assert {"/api/v1", "/apis/apps/v1", "/healthz", "/openapi/v3", "/version"} <= set(paths)
    assert "" not in paths
    assert (await api.do("GET", "/nothing"))[0] == 404


async def test_a_watch_flag_of_another_word_than_no_is_taken_for_yes() -> None:
    api = await world()
    response = await api.raw("GET", MAPS + "?watch=maybe&timeoutSeconds=1")
    assert (response.status, response.stream is None) == (200, False)
    for word in ("false", "False", "0"):
        assert (await api.do("GET", MAPS + f"?watch={word}"))[1]["kind"] == "ConfigMapList"


@pytest.mark.parametrize("query", ["resourceVersionMatch=Exact", "limit=9"])
async def test_a_list_at_an_older_version_shows_what_was_there(query: str) -> None:
    api = await filled(3)
    await api.patch(MAPS + "/m0", {"data": {"k": "new"}})
    await api.must("DELETE", MAPS + "/m1")
    await api.must("POST", MAPS, config_map("m1", {"k": "again"}))
    await api.must("POST", MAPS.replace("default", "other"), config_map("far"))
    seen = []
    for revision in range(1, api.cache.revision + 1):
        data = await api.must("GET", f"{MAPS}?resourceVersion={revision}&{query}")
        assert data["metadata"]["resourceVersion"] == str(revision)
        seen.append({i["metadata"]["name"]: i["data"]["k"] for i in data["items"]})
    assert seen == [
        {"m0": "v"},
        {"m0": "v", "m1": "v"},
        {"m0": "v", "m1": "v", "m2": "v"},
        {"m0": "new", "m1": "v", "m2": "v"},
        {"m0": "new", "m2": "v"},
        {"m0": "new", "m1": "again", "m2": "v"},
        {"m0": "new", "m1": "again", "m2": "v"},
    ]


async def test_a_version_that_is_forgotten_is_expired() -> None:
    api = await filled(3)
    api.cache.oldest = 2
    url = MAPS + "?resourceVersion=1&resourceVersionMatch=Exact"
    status, said = await api.do("GET", url)
    assert (status, said["reason"]) == (410, "Expired")
    assert said["message"] == "The resourceVersion for the provided list is too old."


async def test_all_that_is_wrong_about_the_options_is_named_at_once() -> None:
    api = await filled(1)
    _, said = await api.do("GET", MAPS + "?resourceVersionMatch=Sometimes&continue=x")
    assert [cause["message"] for cause in said["details"]["causes"]] == [
        "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        "Forbidden: resourceVersionMatch is forbidden when continue is provided",
        'Unsupported value: "Sometimes": supported values: "Exact", "NotOlderThan", ""',
    ]
