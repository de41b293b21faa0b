"""The API server asks itself: requests of its own, through the same dispatch as anybody's.

Owns      who asks, and how question and answer look.
Leaves    what an answer means (bootstrap, rbac/bootstrap).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson

from busk8s.api.object import Json
from busk8s.api.request import Request, Response
from busk8s.master.apiserver.authn import LOOPBACK

Dispatch = Callable[[Request], Awaitable[Response]]


async def ask(
    dispatch: Dispatch, method: str, path: str, body: Json | None = None
) -> tuple[int, Json]:
    """(HTTP status, the object or Status that came back)."""
    response = await dispatch(
        Request(
            method,
            path,
            LOOPBACK,
            body=orjson.dumps(body) if body is not None else b"",
            headers={"user-agent": "kube-apiserver"},
        )
    )
    return response.status, orjson.loads(response.body)
