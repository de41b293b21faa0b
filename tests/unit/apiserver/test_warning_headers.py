"""Warnings as headers: of deprecated kinds, of odd objects, escaped, distinct, bounded."""

from __future__ import annotations

from typing import Any

from api_world import MERGE, PODS, Api, deployment, pod, world

from busk8s.api.request import Response
from busk8s.master.apiserver import rest

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def said(response: Response) -> list[str]:
    return [value for name, value in response.headers if name == "Warning"]


async def warned(api: Api, method: str, url: str, body: Any = None, **more: Any) -> list[str]:
    response = await api.raw(method, url, body, **more)
    assert response.status < 300, response.body
    return said(response)


async def test_endpoints_are_deprecated_whatever_is_asked_of_them() -> None:
    api = await world()
    url = "/api/v1/namespaces/default/endpoints"
    wanted = ['299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"']
    assert await warned(api, "POST", url, {"metadata": {"name": "e"}}) == wanted
    for path in (url, url + "/e", url + "?watch=1&timeoutSeconds=1"):
        assert await warned(api, "GET", path) == wanted


async def test_a_writer_is_told_of_what_is_odd_once() -> None:
    api = await world()
    odd = pod()
    odd["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}] * 2
    (one,) = await warned(api, "POST", PODS, odd)
    assert one.startswith(r'299 - "spec.containers[0].env[1]: hides previous definition of \"A\"')
    made = deployment()
    await api.must("POST", DEPLOYMENTS, made)
    template = {"spec": {"nodeSelector": {"beta.kubernetes.io/os": "linux"}}}
    patch = {"spec": {"template": template}}
    found = await warned(api, "PATCH", DEPLOYMENTS + "/d", patch, content_type=MERGE)
    assert len(found) == 1
    assert "spec.template.spec.nodeSelector" in found[0]
    status = {"status": {"replicas": 1}}
    assert await warned(api, "PATCH", DEPLOYMENTS + "/d/status", status, content_type=MERGE) == []


def test_short_warnings_are_whole_long_ones_are_cut_when_they_are_many() -> None:
    one = rest.with_warnings(Response(), ["a" * 4_000, "a" * 4_000])
    assert [len(text) for text in said(one)] == [4_000 + len('299 - ""')]
    many = said(rest.with_warnings(Response(), [f"{i:03}" + "b" * 500 for i in range(100)]))
    assert {len(text) for text in many} == {256 + len('299 - ""')}
    assert len(many) == 16


def test_quotes_backslashes_and_line_breaks_stay_inside() -> None:
    (text,) = said(rest.with_warnings(Response(), ['a"b\\c\r\nX: y']))
    assert text == '299 - "a\\"b\\\\c X: y"'
