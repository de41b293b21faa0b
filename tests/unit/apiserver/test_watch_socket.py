"""A watch over a WebSocket: a message an event; whoever hangs up ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from api_world import ADMIN, Api, config_map, world
from test_streaming import WEBSOCKET
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, TextMessage

from busk8s.api import protobuf
from busk8s.api.request import Request

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


class Browser:
    """The client's end: a Duplex for the server, a WebSocket for the test."""

    def __init__(self) -> None:
        self._connection = Connection(ConnectionType.CLIENT)
        self._sent: asyncio.Queue[bytes] = asyncio.Queue(100)
        self.events: list[Event] = []

    async def read(self) -> bytes:
        return await self._sent.get()

    async def write(self, data: bytes) -> None:
        self._connection.receive_data(data)
        self.events += self._connection.events()

    def say(self, event: Event) -> None:
        self._sent.put_nowait(self._connection.send(event))

    def hang_up(self) -> None:
        self._sent.put_nowait(b"")

    def messages(self, kind: type[Event]) -> list[Any]:
        return [event.data for event in self.events if isinstance(event, kind)]


async def watching(api: Api, accept: str = "", **query: str) -> tuple[Browser, asyncio.Task[None]]:
    asked = {"watch": ["1"], **{name: [value] for name, value in query.items()}}
    request = Request("GET", CONFIG_MAPS, ADMIN, asked, b"", "", accept)
    request.headers, request.upgrade = WEBSOCKET, True
    answer = await api.server.dispatch(request)
    assert answer.status == 101
    assert ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") in answer.headers
    assert answer.upgrade is not None
    browser = Browser()
    task = asyncio.get_running_loop().create_task(answer.upgrade(browser))
    await asyncio.sleep(0.1)
    return browser, task


async def test_each_event_is_a_message() -> None:
    api = await world()
    await api.must("POST", CONFIG_MAPS, config_map("a"))
    browser, task = await watching(api)
    await api.must("POST", CONFIG_MAPS, config_map("b"))
    await api.must("DELETE", f"{CONFIG_MAPS}/a")
    await asyncio.sleep(0.1)
    said = [orjson.loads(text) for text in browser.messages(TextMessage)]
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in said] == [
        ("ADDED", "a"),
        ("ADDED", "b"),
        ("DELETED", "a"),
    ]
    browser.hang_up()
    await task


async def test_events_in_protobuf_are_binary_messages_without_their_length() -> None:
    api = await world()
    await api.must("POST", CONFIG_MAPS, config_map("a"))
    await api.must("POST", CONFIG_MAPS, config_map("b"))
    browser, task = await watching(api, protobuf.CONTENT_TYPE)
    said = browser.messages(BytesMessage)
    assert len(said) == 2
    assert all(b"ADDED" in bytes(each) for each in said)
    browser.hang_up()
    await task


async def test_a_watch_that_ends_closes_the_socket() -> None:
    api = await world()
    browser, task = await watching(api, timeoutSeconds="5")
    await task
    assert [type(event) for event in browser.events] == [CloseConnection]


@pytest.mark.parametrize("politely", [True, False], ids=["with a close", "without a word"])
async def test_a_client_that_leaves_leaves_no_watcher(politely: bool) -> None:
    api = await world()
    browser, task = await watching(api)
    browser.say(TextMessage("what the client says is nobody's business"))
    if politely:
        browser.say(CloseConnection(1000))
    else:
        browser.hang_up()
    await task
    assert not api.cache._shelves["configmaps"].watchers


async def test_what_is_no_websocket_is_refused() -> None:
    api = await world()
    request = Request("GET", CONFIG_MAPS, ADMIN, {"watch": ["1"]}, b"", "", "")
    request.headers, request.upgrade = {"upgrade": "websocket"}, True
    answer = await api.server.dispatch(request)
    assert (answer.status, b"version 13" in answer.body) == (400, True)
