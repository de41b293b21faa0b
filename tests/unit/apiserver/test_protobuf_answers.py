"""What a Go client reads: answers, lists, watches and refusals in protobuf."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import orjson
import pytest
from api_world import ADMIN, PODS, Api, config_map, deployment, pod, running_pod, world

from busk8s.api import protobuf
from busk8s.api.request import Request, Response
from busk8s.api.wire.messages import message_class
from busk8s.master.apiserver import encoded

PROTO = "application/vnd.kubernetes.protobuf"
CLIENT_GO = f"{PROTO},application/json"
PARTIAL = f"{PROTO};as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
PARTIALS = f"{PROTO};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
MAPS = "/api/v1/namespaces/default/configmaps"


async def read(
    api: Api, url: str, accept: str = CLIENT_GO, method: str = "GET", **more: Any
) -> Any:
    response = await api.raw(method, url, accept=accept, **more)
    assert response.content_type == PROTO, response.body
    return protobuf.decode(response.body)


def frames(data: bytes) -> list[tuple[str, Any]]:
    """(type, object) of each length-delimited event."""
    found = []
    while data:
        (length,) = struct.unpack_from(">I", data)
        event = message_class("meta.v1.WatchEvent").FromString(data[4 : 4 + length])
        found.append((event.type, protobuf.decode(event.object.raw)))
        data = data[4 + length :]
    return found


async def test_an_object_means_the_same_in_both_forms() -> None:
    api = await world()
    await running_pod(api)
    assert await read(api, PODS + "/a") == await api.must("GET", PODS + "/a")


async def test_a_list_means_the_same_in_both_forms_but_for_the_items_kinds() -> None:
    """An item of a list in Go has no kind and apiVersion on the wire."""
    api = await world()
    for name in "ab":
        await running_pod(api, name)
    plain = await api.must("GET", PODS)
    for item in plain["items"]:
        del item["kind"], item["apiVersion"]
    assert await read(api, PODS) == plain
    assert (await read(api, PODS + "?limit=1"))["metadata"]["remainingItemCount"] == 1


async def test_a_watch_is_frames_of_whole_objects() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map("a"))
    url = MAPS + "?watch=1&timeoutSeconds=1&allowWatchBookmarks=1"
    response = await api.raw("GET", url, accept=f"{PROTO};stream=watch,{PROTO},application/json")
    assert response.content_type == "application/vnd.kubernetes.protobuf;stream=watch"
    assert response.stream is not None
    body = b"".join([chunk async for chunk in response.stream])
    (added, first), (bookmark, mark) = frames(body)
    assert (added, bookmark) == ("ADDED", "BOOKMARK")
    assert first == await api.must("GET", MAPS + "/a")
    assert mark["metadata"] == {"resourceVersion": "1"}


async def test_an_event_is_encoded_once_for_all_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    api = await world()
    made: list[bytes] = []
    encode = protobuf.message
    monkeypatch.setattr(protobuf, "message", lambda data: made.append(b"") or encode(data))
    url = MAPS + "?watch=1&timeoutSeconds=2&resourceVersion=0"
    bodies = []
    await api.must("POST", MAPS, config_map("a"))
    for _ in range(5):
        response = await api.raw("GET", url, accept=PROTO)
        assert response.stream is not None
        bodies.append([chunk async for chunk in response.stream])
    assert len(made) == 1
    assert all(body == bodies[0] for body in bodies)


async def test_an_expired_watch_says_so_in_a_frame() -> None:
    api = await world()
    for _ in range(3):
        await api.must("POST", MAPS, {"metadata": {"generateName": "x"}})
    api.cache.oldest = 2
    response = await api.raw("GET", MAPS + "?watch=1&resourceVersion=1", accept=PROTO)
    assert response.stream is not None
    ((kind, status),) = frames(b"".join([chunk async for chunk in response.stream]))
    assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


async def test_a_refusal_is_a_status_in_protobuf() -> None:
    api = await world()
    status = await read(api, PODS + "/none")
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 404, "NotFound")
    assert status["details"] == {"name": "none", "kind": "pods"}


async def test_metadata_alone_is_read_in_protobuf() -> None:
    api = await world()
    await api.must("POST", PODS, pod(labels={"a": "b"}))
    one = await read(api, PODS + "/a", PARTIAL)
    assert (one["kind"], one["metadata"]["labels"]) == ("PartialObjectMetadata", {"a": "b"})
    assert "spec" not in one
    many = await read(api, PODS, PARTIALS)
    assert many["kind"] == "PartialObjectMetadataList"
    assert many["items"][0]["metadata"] == one["metadata"]


async def test_writes_and_subresources_answer_in_protobuf() -> None:
    api = await world()
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    body = protobuf.encode(deployment())
    made = await read(api, deployments, method="POST", body=body, content_type=PROTO)
    assert made["spec"]["replicas"] == 1
    scale = await read(api, deployments + "/d/scale")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 1})
    patch = b'{"spec":{"replicas":3}}'
    merge = "application/strategic-merge-patch+json"
    patched = await read(api, deployments + "/d", method="PATCH", body=patch, content_type=merge)
    assert patched["spec"]["replicas"] == 3
    gone = await read(api, deployments + "/d", method="DELETE")
    assert gone["kind"] in ("Status", "Deployment")


async def test_a_table_is_never_protobuf() -> None:
    api = await world()
    both = f"{PROTO};as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1;g=meta.k8s.io"
    assert (await api.must("GET", PODS, accept=both))["kind"] == "Table"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (f"{PROTO},application/json", PROTO),
        (f"application/json,{PROTO}", "application/json"),
        (f"application/json;q=0.5,{PROTO}", PROTO),
        (f"*/*,{PROTO}", PROTO),
        (f"{PROTO};q=0,application/json", "application/json"),
        (f"{PROTO};q=bad,application/json", "application/json"),
    ],
)
async def test_the_best_form_is_chosen(accept: str, media: str) -> None:
    api = await world()
    assert (await api.raw("GET", PODS, accept=accept)).content_type == media


async def test_plain_discovery_is_read_in_protobuf() -> None:
    api = await world()
    for path, kind in (
        ("/api", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/apis/apps/v1", "APIResourceList"),
    ):
        said = await read(api, path)
        assert said["kind"] == kind
        assert {**await api.must("GET", path), "apiVersion": "v1"} == {**said, "apiVersion": "v1"}


async def test_kept_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoded, "MESSAGES_BYTES_MAX", 200)
    api = await world()
    for index in range(9):
        await api.must("POST", MAPS, config_map(f"m{index}"))
    assert len((await read(api, MAPS))["items"]) == 9
    kept = [obj for obj in api.cache.list("configmaps") if obj.message is not None]
    assert sum(len(obj.message or b"") for obj in kept) <= 200
    assert 0 < len(kept) < 9


async def test_a_request_that_accepts_json_gets_the_cached_bytes() -> None:
    api = await world()
    await api.must("POST", MAPS, config_map())
    request = Request("GET", MAPS + "/a", ADMIN, {}, b"", "", "application/json")
    response = await api.server.dispatch(request)
    found = api.cache.get("configmaps", "default", "a")
    assert found is not None
    assert response.body == found.body
    assert orjson.loads(response.body)["kind"] == "ConfigMap"


async def test_a_live_change_is_encoded_once_and_nothing_of_it_is_kept_with_the_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = await world()
    made: list[bytes] = []
    encode = protobuf.message
    monkeypatch.setattr(protobuf, "message", lambda data: made.append(b"") or encode(data))
    url = MAPS + "?watch=1&timeoutSeconds=5"
    responses = [await api.raw("GET", url, accept=PROTO) for _ in range(20)]
    tasks = [asyncio.create_task(_whole(response)) for response in responses]
    await asyncio.sleep(1)
    await api.must("POST", MAPS, config_map("a"))
    bodies = [await task for task in tasks]
    assert len(made) == 1
    assert [kind for kind, _ in frames(bodies[0])] == ["ADDED"]
    assert len(set(bodies)) == 1
    (obj,) = api.cache.list("configmaps")
    assert obj.message is None


async def _whole(response: Response) -> bytes:
    assert response.stream is not None
    return b"".join([chunk async for chunk in response.stream])
