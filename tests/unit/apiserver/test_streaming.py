"""exec, attach and portforward: what is refused before anything is upgraded, and how."""

from __future__ import annotations

from typing import Any

import pytest
from api_world import ADMIN, PODS, pod, running_pod, world

from busk8s.api.request import Request, Response, User
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.streaming.options import choose_container, port_of

WEBSOCKET = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "v5.channel.k8s.io",
}
SPDY = {"upgrade": "SPDY/3.1", "connection": "Upgrade"}


async def asked(path: str, headers: dict[str, str], **given: Any) -> Response:
    api = await world(**given)
    await running_pod(api)
    await api.must("POST", PODS, pod("waiting"))
    path, _, text = path.partition("?")
    query: dict[str, list[str]] = {}
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        query.setdefault(name, []).append(value)
    request = Request("POST", f"{PODS}/{path}", ADMIN, query, b"", "", "")
    request.headers = headers
    request.upgrade = bool(headers)
    return await api.server.dispatch(request)


@pytest.mark.parametrize(
    ("path", "headers", "code", "said"),
    [
        ("a/exec?command=ls&stdout=1", {}, 400, "Upgrade request required"),
        ("a/exec?stdout=1", WEBSOCKET, 400, "at least one command"),
        ("a/exec?command=ls", WEBSOCKET, 400, "at least 1 of stdin, stdout, stderr"),
        ("a/attach?stderr=1&tty=1", WEBSOCKET, 400, "at least 1 of stdin, stdout, stderr"),
        ("a/exec?command=ls&stdout=1&container=x", WEBSOCKET, 400, "container x is not valid"),
        ("waiting/exec?command=ls&stdout=1", WEBSOCKET, 400, "does not have a host assigned"),
        ("none/exec?command=ls&stdout=1", WEBSOCKET, 404, "not found"),
        ("a/exec?command=ls&stdout=1", SPDY, 400, "X-Stream-Protocol-Version is required"),
        (
            "a/exec?command=ls&stdout=1",
            {**SPDY, "x-stream-protocol-version": "v9.channel.k8s.io"},
            403,
            "client supports [v9.channel.k8s.io], server accepts [v4.channel.k8s.io",
        ),
        ("a/exec?command=ls&stdout=1", {"upgrade": "h2c"}, 400, "missing upgrade headers"),
        ("a/portforward?ports=0", WEBSOCKET, 400, "as a port"),
        ("a/portforward", {}, 400, "Upgrade request required"),
    ],
    ids=[
        "no upgrade", "no command", "no output", "a terminal has no error output",
        "another container", "no node", "no pod", "no version", "an unknown version",
        "another protocol", "port 0", "no upgrade of ports",
    ],
)  # fmt: skip
async def test_what_is_refused(path: str, headers: dict[str, str], code: int, said: str) -> None:
    answer = await asked(path, headers, streams=Nobody())
    assert (answer.status, said in answer.body.decode()) == (code, True), answer.body


class Nobody:
    """Nodes that are never reached: every case here is refused before."""

    def open(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a node was asked")


class OnlyGet:
    def authorize(self, attributes: Attributes) -> str | None:
        return None if attributes.user is ADMIN or attributes.verb == "get" else "no"


async def test_a_get_needs_the_permission_to_create() -> None:
    api = await world(authorizer=OnlyGet(), streams=Nobody())
    await running_pod(api)
    query = {"command": ["ls"], "stdout": ["true"]}
    request = Request("GET", f"{PODS}/a/exec", User("jo"), query, b"", "", "")
    request.headers, request.upgrade = WEBSOCKET, True
    answer = await api.server.dispatch(request)
    assert answer.status == 403
    assert 'cannot create resource \\"pods/exec\\"' in answer.body.decode()


@pytest.mark.parametrize(
    ("spec", "wanted", "want"),
    [
        ({"containers": [{"name": "a"}]}, "", "a"),
        ({"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]}, "i", "i"),
        ({"containers": [{"name": "a"}], "ephemeralContainers": [{"name": "e"}]}, "e", "e"),
    ],
    ids=["the only one", "an init container", "an ephemeral one"],
)
def test_which_container_is_meant(spec: dict[str, Any], wanted: str, want: str) -> None:
    assert choose_container({"metadata": {"name": "p"}, "spec": spec}, wanted) == want


@pytest.mark.parametrize(
    ("text", "port"),
    [("80", 80), ("65535", 65535), ("65536", None), ("0", None), ("-1", None), ("http", None),
     ("\u0663", None)],
)  # fmt: skip
def test_ports(text: str, port: int | None) -> None:
    assert port_of(text) == port
