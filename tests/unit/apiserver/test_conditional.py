"""Documents that clients keep: ETag, 304, addresses that never change."""

from __future__ import annotations

import orjson
import pytest
from api_world import ADMIN, Api, world

from busk8s.api.request import Request, Response
from busk8s.master.apiserver import http_response as form
from busk8s.master.apiserver.discovery import AGGREGATED


async def ask(api: Api, url: str, accept: str = "", **headers: str) -> Response:
    path, _, query = url.partition("?")
    given = {"hash": [query.removeprefix("hash=")]} if query else {}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.server.dispatch(
        Request("GET", path, ADMIN, given, accept=accept, headers=named)
    )


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/openapi/v2", ""),
        ("/openapi/v3", ""),
        ("/openapi/v3/apis/apps/v1", ""),
        ("/openapi/v2", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"),
        ("/apis", AGGREGATED),
        ("/api", AGGREGATED),
    ],
)
async def test_who_has_the_document_is_told_so(path: str, accept: str) -> None:
    api = await world()
    first = await ask(api, path, accept)
    headers = dict(first.headers)
    etag = headers["ETag"]
    assert (first.status, headers["Vary"]) == (200, "Accept")
    for said in (etag, f'"x", W/{etag}', "*"):
        again = await ask(api, path, accept, if_none_match=said)
        assert (again.status, again.body, dict(again.headers)["ETag"]) == (304, b"", etag)
    assert (await ask(api, path, accept, if_none_match='"x"')).status == 200


async def test_an_address_with_a_hash_never_changes_and_an_old_one_leads_on() -> None:
    api = await world()
    index = orjson.loads((await ask(api, "/openapi/v3")).body)
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    kept = await ask(api, url)
    assert dict(kept.headers)["Cache-Control"] == "public, immutable, max-age=31536000"
    head = form.head(kept, length=0, audit_id="a", date="d", close=False)
    assert head.count(b"Cache-Control") == 1
    old = await ask(api, url.partition("=")[0] + "=OLD")
    assert (old.status, dict(old.headers)["Location"]) == (301, url)
    plain = form.head(await ask(api, "/api"), length=0, audit_id="a", date="d", close=False)
    assert b"Cache-Control: no-cache, private\r\n" in plain
