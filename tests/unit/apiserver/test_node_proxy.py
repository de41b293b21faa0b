"""nodes/NAME/proxy: a question to a kubelet becomes a stream, its answer a response."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from api_world import Api, world

from busk8s import errors
from busk8s.api.request import Response
from busk8s.master.apiserver.join import PUBLIC_KEY

Json = dict[str, Any]
NODES = "/api/v1/nodes"
HEAD = orjson.dumps({"status": 200, "type": "text/plain"}) + b"\n"


class Kubelet:
    """Meets NodeStreams: answers as the test says, and remembers what it was asked."""

    def __init__(self, *pieces: bytes, fails: errors.Error | None = None) -> None:
        self.pieces, self.fails = pieces, fails
        self.asked: list[tuple[str, str, Json]] = []
        self.closed = False

    async def open(self, node: str, verb: str, params: Json) -> AsyncIterator[bytes]:
        self.asked.append((node, verb, params))
        try:
            if self.fails is not None:
                raise self.fails
            for piece in self.pieces:
                yield piece
        finally:
            self.closed = True


async def with_node(kubelet: Kubelet, key: str | None = "k") -> Api:
    api = await world(streams=kubelet)
    notes = {PUBLIC_KEY: key} if key else {}
    await api.must("POST", NODES, {"metadata": {"name": "n1", "annotations": notes}})
    return api


async def whole(response: Response) -> bytes:
    assert response.stream is not None
    return b"".join([piece async for piece in response.stream])


async def test_an_answer_comes_as_the_kubelet_gives_it() -> None:
    kubelet = Kubelet(HEAD[:10], HEAD[10:] + b"first ", b"second")
    api = await with_node(kubelet)
    response = await api.raw("GET", f"{NODES}/n1/proxy/pods?a=1&a=2")
    assert (response.status, response.content_type) == (200, "text/plain")
    assert await whole(response) == b"first second"
    asked = {"method": "GET", "path": "/pods", "query": {"a": "1"}}
    assert kubelet.asked == [("n1", "kubelet", asked)]
    assert kubelet.closed


async def test_the_port_of_a_kubelet_may_be_said() -> None:
    kubelet = Kubelet(HEAD + b"ok")
    api = await with_node(kubelet)
    response = await api.raw("GET", f"{NODES}/https:n1:10250/proxy/healthz")
    assert await whole(response) == b"ok"
    assert kubelet.asked[0][0] == "n1"


async def test_without_a_path_there_is_a_redirect() -> None:
    api = await with_node(Kubelet())
    response = await api.raw("GET", f"{NODES}/n1/proxy")
    assert (response.status, response.headers) == (301, (("Location", f"{NODES}/n1/proxy/"),))


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ((), "answers in an unknown way"),
        ((b"no head\n",), "answers in an unknown way"),
        ((b"[1]\n",), "answers in an unknown way"),
        ((b"x" * 5_000, b"y"), "answers in an unknown way"),
    ],
)
async def test_a_kubelet_that_answers_rubbish_costs_the_request(
    pieces: tuple[bytes, ...], said: str
) -> None:
    kubelet = Kubelet(*pieces)
    api = await with_node(kubelet)
    status, data = await api.do("GET", f"{NODES}/n1/proxy/healthz")
    assert (status, said in data["message"]) == (500, True)
    assert kubelet.closed


async def test_a_refusal_of_the_kubelet_is_the_answer() -> None:
    api = await with_node(Kubelet(fails=errors.Error(501, "NotImplemented", "no exec here")))
    status, data = await api.do("POST", f"{NODES}/n1/proxy/exec/a/b/c")
    assert (status, data["message"]) == (501, "no exec here")


async def test_who_cannot_be_asked() -> None:
    api = await with_node(Kubelet(), key=None)
    assert (await api.do("GET", f"{NODES}/none/proxy/healthz"))[0] == 404
    status, data = await api.do("GET", f"{NODES}/n1/proxy/healthz")
    assert (status, "is not on the bus" in data["message"]) == (501, True)
    assert (await api.do("GET", f"{NODES}/n1:80/proxy/"))[0] == 501  # Nothing goes out here.
    assert (await api.do("GET", f"{NODES}/a:b:c:d/proxy/"))[0] == 400
