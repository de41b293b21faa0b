"""The bus over real sockets: what gets through, what does not, what comes back by itself."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path

import orjson
import psutil
import pytest
from bus_world import cluster, until

from busk8s import protocol
from busk8s.api.object import Json
from busk8s.api.request import Request
from busk8s.bus.link import Identity, Link
from busk8s.bus.streams import Stream, StreamOver
from busk8s.bus.transport import new_keys
from busk8s.errors import Error
from busk8s.master.apiserver.components import VERB, Components
from busk8s.protocol import (
    Ack,
    Beat,
    Call,
    Hello,
    Refusal,
    StreamCredit,
    StreamData,
    StreamOpen,
    Welcome,
    channel,
    encode,
)

pytestmark = pytest.mark.realtime


def held(link: Link, topic: str) -> list[str]:
    return sorted(key[2] for key in link._followers[topic].clone.objects)


async def test_a_follower_gets_the_snapshot_then_the_changes() -> None:
    async with cluster() as c, asyncio.timeout(10):
        c.world.put("node/n1", "a", "b")
        link = c.worker("n1")
        reading = link.follow("node/n1")
        first = await anext(reading)
        assert [o.name for o in first[0].objects] == ["a", "b"]
        c.world.put("node/n1", "c")
        c.world.remove("node/n1", "a")
        changes = await anext(reading)
        assert [(change.gone, change.object.name) for change in changes] == [
            (False, "c"),
            (True, "a"),
        ]
        assert link.user == "system:node:n1"


async def test_a_call_is_answered_as_the_user_of_the_key() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        answer = await link.call("GET", "/api/v1/pods")
        assert orjson.loads(answer.body) == {"path": "/api/v1/pods", "user": "system:node:n1"}


async def test_a_component_on_ipc_is_who_it_says(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c, asyncio.timeout(10):
        c.world.put("kind/pods", "a")
        link = c.link(Identity("kube-scheduler"), None)
        reading = link.follow("kind/pods")
        assert len((await anext(reading))[0].objects) == 1
        assert orjson.loads((await link.call("GET", "/x")).body)["user"] == "system:kube-scheduler"


# --- who is heard, and who hears ------------------------------------------------------------------


async def test_a_wrong_server_key_never_becomes_live() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.link(Identity("kubelet", "n1"), c.admit("n1"), server_key=new_keys().public)
        await until(lambda: link.trouble)
        assert not link.live
        assert len(c.world.hub.sessions) == 0


async def test_an_unknown_client_key_is_refused_and_hears_nothing() -> None:
    async with cluster() as c, asyncio.timeout(10):
        keys = new_keys()
        link = c.link(Identity("kubelet", "n1"), keys)
        await until(lambda: "unknown key: join first" in link.trouble)
        heard = c.listen(keys, channel("net", 0), channel("node/n1", 0))
        c.world.put("net", "a")
        await asyncio.sleep(0.5)
        assert heard == []


async def test_a_foreign_topic_is_refused_and_its_feed_is_silent() -> None:
    async with cluster() as c, asyncio.timeout(10):
        keys = c.admit("n1")
        heard = c.listen(keys, channel("node/n2", 0), b"node/", b"", channel("kind/secrets", 0))
        mine = c.listen(keys, channel("node/n1", 0))
        link = c.link(Identity("kubelet", "n1"), keys)
        with pytest.raises(Error, match='system:node:n1 may not follow "node/n2"'):
            await anext(link.follow("node/n2"))
        await asyncio.sleep(0.2)
        for topic in ("node/n2", "kind/secrets", "node/n1"):
            c.world.put(topic, "a")
        await until(lambda: mine)
        await asyncio.sleep(0.3)
        assert heard == []


async def test_no_trick_with_foreign_frames_moves_a_grant_to_another_peer() -> None:
    """1. A peer sends a frame that is no subscription, which libzmq miscounts.
    2. Before the master reads, a victim and the peer subscribe to the victim's view.
    3. The master's grant for the victim would go to the peer; so it grants nothing then."""
    async with cluster() as c, asyncio.timeout(10):
        victim, thief = c.admit("n2"), c.admit("n1")
        trick, ear, honest = c.publisher_socket(thief), c.publisher_socket(thief), c.raw(victim)
        await asyncio.sleep(0.3)
        trick.send(b"no subscription at all")
        time.sleep(0.1)  # The master's loop stands still meanwhile: all three frames wait.
        honest.connection.subscribe(channel("node/n2", 0))
        time.sleep(0.1)
        ear.send(b"\x01" + channel("node/n2", 0))
        time.sleep(0.1)
        await asyncio.sleep(0.2)
        c.world.put("node/n2", "a")
        await asyncio.sleep(0.2)
        assert not ear.poll(0)
        assert c.served.foreign_frames == 1
        link = c.link(Identity("kubelet", "n2"), victim)
        reading = link.follow("node/n2")
        await anext(reading)


async def test_a_peer_cannot_speak_in_another_peers_session() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        await link.wait_live()
        raw = c.raw(c.admit("n2"))
        raw.request(encode(Hello(session=link._session, component="kubelet", node="n1")))
        refusal = await raw.answer()
        assert isinstance(refusal, Refusal)
        raw.beat(encode(Beat(session=link._session, number=1, node="n1")))
        ack = await raw.answer()
        assert isinstance(ack, Ack)
        assert not ack.known


async def test_calls_before_hello_are_refused() -> None:
    async with cluster() as c, asyncio.timeout(10):
        raw = c.raw(c.admit("n1"))
        raw.request(encode(Call(id="1", method="GET", path="/")))
        refusal = await raw.answer()
        assert isinstance(refusal, Refusal)
        assert (refusal.id, refusal.reason) == ("1", "UnknownSession")


# --- what is too much -----------------------------------------------------------------------------


async def test_a_message_over_the_limit_is_refused_on_both_sides() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        await link.wait_live()
        with pytest.raises(Error) as caught:
            await link.call("POST", "/x", body=b"x" * protocol.MESSAGE_BYTES_MAX)
        assert caught.value.code == 413
        raw = c.raw(c.admit("n2"))
        raw.request(b"x" * (protocol.MESSAGE_BYTES_MAX + 1))
        refusal = await raw.answer()
        assert isinstance(refusal, Refusal)
        assert refusal.code == 413
        assert (await link.call("GET", "/x")).status == 200


async def test_ten_thousand_random_frames_leave_the_hub_answering_with_flat_memory() -> None:
    async with cluster() as c, asyncio.timeout(30):
        link = c.worker("n1")
        await link.wait_live()
        raw, rng, me = c.raw(c.admit("n2")), random.Random(7), psutil.Process()
        good = encode(Call(id="1", method="GET", path="/"))

        async def storm(count: int) -> None:
            want = c.world.hub.undecodable
            for number in range(count):
                frame = bytearray(good if number % 2 else rng.randbytes(rng.randrange(1, 2000)))
                frame[0] = 0xC1  # Never valid in msgpack: every one of them must be counted.
                said = raw.request if number % 4 < 2 else raw.beat
                want += said(bytes(frame))  # A full queue drops it here: nothing to count there.
                if number % 8 == 7:
                    await asyncio.sleep(0.001)
            await until(lambda: c.world.hub.undecodable == want, 10)

        await storm(3000)
        before = me.memory_info().rss
        await storm(7000)
        assert me.memory_info().rss - before < 8_000_000
        assert (await link.call("GET", "/x")).status == 200
        assert len(c.world.hub.sessions) == 1


# --- what comes back by itself --------------------------------------------------------------------


async def test_a_call_said_twice_is_done_once() -> None:
    async with cluster() as c, asyncio.timeout(10):
        raw = c.raw(c.admit("n1"))
        raw.request(encode(Hello(session="s", component="kubelet", node="n1")))
        assert isinstance(await raw.answer(), Welcome)
        frame = encode(Call(id="7", method="POST", path="/x"))
        for _ in range(3):
            raw.request(frame)
        first = await raw.answer()
        raw.request(frame)
        assert await raw.answer() == first
        assert len(c.world.requests) == 1


async def test_a_restarted_master_is_found_again_and_what_changed_meanwhile_arrives() -> None:
    async with cluster() as c, asyncio.timeout(20):
        link = c.worker("n1")
        reading = link.follow("node/n1")
        await anext(reading)
        c.stop()
        answer = asyncio.get_running_loop().create_task(link.call("GET", "/late"))
        await until(lambda: not link.live)
        c.world.put("node/n1", "while-away")
        await asyncio.sleep(0.5)
        began = time.monotonic()
        c.restart()
        changes = await anext(reading)
        assert [o.name for o in changes[0].objects] == ["while-away"]
        assert (await answer).status == 200
        assert time.monotonic() - began < 2.0


async def test_a_lost_last_delta_is_found_within_a_beat() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        reading = link.follow("node/n1")
        await anext(reading)
        c.world.hub.feed._flush, flush = (lambda: None), c.world.hub.feed._flush
        c.world.put("node/n1", "lost")
        await asyncio.sleep(0.05)
        c.world.hub.feed._flush = flush
        (change,) = await anext(reading)
        assert change.object.name == "lost"


async def test_a_slow_reader_gets_one_reset_instead_of_a_queue_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("busk8s.bus.follower.BATCHES_WAITING_MAX", 5)
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        reading = link.follow("node/n1")
        await anext(reading)
        for number in range(20):
            c.world.put("node/n1", f"p{number}")
            await asyncio.sleep(0.01)
        await until(lambda: len(held(link, "node/n1")) == 20)
        (whole,) = await anext(reading)
        assert len(whole.objects) == 20


# --- streams and the tap --------------------------------------------------------------------------


async def test_a_stream_flows_with_credit_and_ends() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        written = 0

        async def count(params: Json, stream: Stream) -> None:
            nonlocal written
            for _ in range(params["times"]):
                await stream.write(b"x" * 50_000)
                written += 50_000

        link.on_stream("log", count)
        await link.wait_live()
        opened = c.world.hub.open_stream("n1", "log", {"times": 40})
        first = await anext(opened)
        await asyncio.sleep(0.3)
        assert written <= protocol.STREAM_CREDIT_BYTES
        rest = [piece async for piece in opened]
        assert len(first) + sum(map(len, rest)) == 2_000_000


async def test_a_stream_flows_both_ways_by_channel_and_begins_when_it_is_let() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        began = False

        async def echo(params: Json, stream: Stream) -> None:
            nonlocal began
            stream.grant()
            await stream.granted()
            began = True
            while (piece := await stream.read()) is not None and piece.channel == 0:
                await stream.write(piece.data, 1, last=piece.last)
            assert piece is not None
            await stream.write(piece.data.upper(), 3)

        link.on_stream("echo", echo)
        await link.wait_live()
        opened = c.world.hub.open_stream("n1", "echo", {}, held=True)
        await opened.granted()
        assert not began
        opened.grant()
        sent = b"0123456789" * 100_000

        async def feed() -> None:
            await opened.write(sent, 0, last=True)
            await opened.write(b"done", 4)

        feeding = asyncio.create_task(feed())
        got: dict[int, bytearray] = {}
        lasts = []
        while (piece := await opened.read()) is not None:
            got.setdefault(piece.channel, bytearray()).extend(piece.data)
            lasts += [piece.channel] if piece.last else []
        await feeding
        assert got == {1: sent, 3: b"DONE"}
        assert lasts == [1]


async def test_a_worker_that_does_not_read_holds_the_writer_back() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")

        async def idle(params: Json, stream: Stream) -> None:
            stream.grant()
            await asyncio.sleep(1000)

        link.on_stream("idle", idle)
        await link.wait_live()
        opened = c.world.hub.open_stream("n1", "idle", {})
        sent = 0

        async def feed() -> None:
            nonlocal sent
            while True:
                await opened.write(b"x" * 10_000)
                sent += 10_000

        feeding = asyncio.create_task(feed())
        await asyncio.sleep(0.3)
        assert 0 < sent <= protocol.STREAM_CREDIT_BYTES
        await opened.aclose()  # Whoever waits for credit is let go.
        with pytest.raises(StreamOver):
            await feeding


async def test_a_worker_that_sends_more_than_its_credit_loses_the_stream() -> None:
    async with cluster() as c, asyncio.timeout(10):
        raw = c.raw(c.admit("n1"))
        raw.request(encode(Hello(session="mine", component="kubelet", node="n1")))
        await raw.answer()
        opened = c.world.hub.open_stream("n1", "log", {})
        opening = await raw.answer()
        assert isinstance(opening, StreamOpen)
        pieces = protocol.STREAM_CREDIT_BYTES // protocol.STREAM_PIECE_COST_BYTES + 1
        for _ in range(pieces):
            raw.request(encode(StreamData(stream=opening.stream, data=b"")))
        for hostile in (
            StreamCredit(stream=opening.stream, credit=-5),
            StreamData(stream="s9", data=b""),
        ):
            raw.request(encode(hostile))
        await until(lambda: opened.ended)
        for _ in range(pieces - 1):
            assert await opened.read() is not None
        with pytest.raises(Error, match="more than its credit"):
            await opened.read()


async def test_a_node_is_not_asked_for_streams_under_another_nodes_name() -> None:
    async with cluster() as c, asyncio.timeout(10):
        thief = c.raw(c.admit("n2"))
        thief.request(encode(Hello(session="mine", component="kubelet", node="n1")))
        await thief.answer()
        with pytest.raises(Error, match='node "n1" is not connected'):
            c.world.hub.open_stream("n1", "exec", {})


async def test_a_stream_that_fails_says_why() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")

        async def fail(params: Json, stream: Stream) -> None:
            raise Error(404, "NotFound", "no such container")

        link.on_stream("log", fail)
        await link.wait_live()
        with pytest.raises(Error, match="no such container"):
            await anext(c.world.hub.open_stream("n1", "log", {}))
        with pytest.raises(Error, match="does not serve dance"):
            await anext(c.world.hub.open_stream("n1", "dance", {}))
        with pytest.raises(Error, match='node "n2" is not connected'):
            c.world.hub.open_stream("n2", "log", {})


async def test_a_component_of_the_master_shows_its_page_as_long_as_it_is_there(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path) as c, asyncio.timeout(10):
        components = Components(c.world.hub)
        assert not components.there("kube-scheduler")
        link = c.link(Identity("kube-scheduler"), None)

        async def page(params: Json, stream: Stream) -> None:
            await stream.write(f"page {params['path']}".encode())

        link.on_stream(VERB, page)
        await link.wait_live()
        assert components.there("kube-scheduler")
        assert not components.there("kube-controller-manager")
        asked = components.handlers()
        answer = await asked["kube-scheduler/slis"](Request("GET", "/metrics/kube-scheduler/slis"))
        assert answer.body == b"page /metrics/slis"
        away = Request("GET", "/metrics/kube-controller-manager")
        with pytest.raises(Error, match="is not connected to the master"):
            await asked["kube-controller-manager"](away)


async def test_a_cancelled_stream_stops_its_handler() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        stopped = asyncio.Event()

        async def forever(params: Json, stream: Stream) -> None:
            try:
                while True:
                    await stream.write(b"tick")
                    await asyncio.sleep(0.01)
            finally:
                stopped.set()

        link.on_stream("log", forever)
        await link.wait_live()
        opened = c.world.hub.open_stream("n1", "log", {})
        assert await anext(opened) == b"tick"
        await opened.aclose()
        await stopped.wait()


async def test_the_tap_shows_what_passes_and_never_what_is_in_it(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c, asyncio.timeout(10):
        admin, worker = c.link(Identity("admin"), None), c.worker("n1")
        await admin.wait_live()
        await worker.wait_live()
        seen: list[tuple[str, str, str]] = []
        tap = admin.tap()
        first = asyncio.get_running_loop().create_task(anext(tap))
        await asyncio.sleep(0.3)
        await worker.call("GET", "/api/v1/secret-things")
        c.world.put("net", "svc", body=b'{"password":"hidden"}')
        for frame in [await first, await anext(tap)]:
            seen += [event[1:4] for event in frame.events]
            assert b"hidden" not in encode(frame)
        assert ("system:node:n1", "<", "call GET") in seen
        await tap.aclose()


async def test_the_tap_is_for_admins() -> None:
    async with cluster() as c, asyncio.timeout(10):
        link = c.worker("n1")
        await link.wait_live()
        tap = link.tap()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(tap)
        assert not c.world.hub.tap.open


# --- a subscriber that stands still ---------------------------------------------------------------

FROZEN_S = 20.0


@pytest.mark.slow
async def test_a_frozen_subscriber_catches_up_and_holds_up_nobody(tmp_path: Path) -> None:
    """1. Two processes follow `net`. 2. One is stopped by SIGSTOP for 20 s under load.
    3. The other stays current, the hub's memory stays bounded. 4. The stopped one goes on, finds
    what it missed, and holds the same as the source."""
    async with cluster() as c, asyncio.timeout(60):
        frozen, awake = await c.follower_process("n1"), await c.follower_process("n2")
        me, began = psutil.Process(), time.monotonic()
        await until(lambda: frozen.seen and awake.seen, 10)
        frozen.process.send_signal(signal.SIGSTOP)
        before, number = me.memory_info().rss, 0
        while time.monotonic() - began < FROZEN_S:
            number += 1
            names = [f"p{n}" for n in range(number % 7, 100, 7)]
            c.world.put("net", *names, body=b"x" * 1000)
            await asyncio.sleep(0.01)
        assert me.memory_info().rss - before < 120_000_000
        await until(lambda: awake.seen[-1] == c.world.revision, 2)
        frozen.process.send_signal(signal.SIGCONT)
        await until(lambda: frozen.seen[-1] == c.world.revision, 8)
        c.world.put("net", "after")
        await until(lambda: frozen.seen[-1] == c.world.revision == awake.seen[-1], 3)
