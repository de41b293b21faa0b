"""kube-proxy against the real kernel: pods of the process runtime called through their Services.

Everything happens in network namespaces that the tests make.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from busk8s.api.object import Object, encode
from busk8s.api.scheme import RESOURCES
from busk8s.client.interface import Change, Put, Reset
from busk8s.clock import SystemClock
from busk8s.testing.runtime_contract import FOREVER, eventually, pod, program, started
from busk8s.worker.network.netlink import Netlink
from busk8s.worker.proxy import run as proxy
from busk8s.worker.proxy.nftables import NftFailed, NftTable, nft, ruleset_generation
from busk8s.worker.proxy.ports import Endpoint, ServicePort, service_ports
from busk8s.worker.proxy.rules import Ruleset, ruleset
from busk8s.worker.proxy.run import KernelBackend
from busk8s.worker.runtime.process import ProcessRuntime
from busk8s.worker.runtime.supervisor import cluster_name
from tests.namespaces import enter, fresh_netns, new_netns
from tests.unit.worker.cluster_objects import endpoint, endpoint_slice, node, service

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]
SERVICES = "10.96.0.0/16"
# Answers every connection with its own name and the caller's address.
SERVER = """
import socket, sys
listener = socket.create_server(("0.0.0.0", 8080))
while True:
    link, peer = listener.accept()
    link.sendall(f"{sys.argv[1]} {peer[0]}".encode())
    link.close()
"""
CALLER = """
import socket, sys
for _ in range(int(sys.argv[3])):
    try:
        link = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
        print(link.makefile().read())
        link.close()
    except OSError as error:
        print(type(error).__name__, "-")
"""


class Worker:
    """A node: its runtime, its proxy's backend, and what runs there."""

    def __init__(self, name: str, root: Path, cidr: str, address: str) -> None:
        self.name, self.cidr, self.address = name, cidr, address
        self.runtime = ProcessRuntime(root)
        self.backend = KernelBackend(cluster_name(str(root)), SERVICES)
        self.containers: dict[str, str] = {}
        self.ips: dict[str, str] = {}

    @property
    def node(self) -> Any:
        return node(self.name, self.address, self.cidr)

    async def serve(self, name: str) -> Any:
        """Run a server pod; its endpoint."""
        sandbox = await self.runtime.run_sandbox(pod(name))
        config = program(sys.executable, "-S", "-c", SERVER, name)
        self.containers[name] = await started(self.runtime, sandbox.id, config)
        self.ips[name] = sandbox.ip
        await eventually(lambda: self._listens(name))
        return endpoint(sandbox.ip, self.name)

    async def call(self, name: str, ip: str, port: int, times: int = 1) -> list[list[str]]:
        """What pod `name` hears when it calls: [server, caller's address as the server saw it]."""
        command = (sys.executable, "-S", "-c", CALLER, ip, str(port), str(times))
        result = await self.runtime.exec_sync(self.containers[name], command, 20)
        return [line.split() for line in result.stdout.decode().splitlines()]

    async def _listens(self, name: str) -> bool:
        result = await self.runtime.exec_sync(
            self.containers[name], ("grep", "-c", ":1F90", "/proc/net/tcp"), 5
        )
        return result.exit_code == 0


@asynccontextmanager
async def worker(name: str, root: Path, cidr: str, address: str) -> AsyncIterator[Worker]:
    one = Worker(name, root, cidr, address)
    await one.runtime.open()
    try:
        await one.runtime.set_pod_cidr(cidr)
        yield one
    finally:
        await one.backend.close()
        await one.runtime.shutdown()


@asynccontextmanager
async def one_worker(root: Path) -> AsyncIterator[Worker]:
    with fresh_netns():
        async with worker("n1", root / "n1", "10.231.0.0/24", "10.231.0.1") as one:
            yield one


async def serve(workers: Sequence[Worker], services: list[Any], slices: list[Any]) -> None:
    nodes = [one.node for one in workers]
    for one in workers:
        ports = service_ports(services, slices, one.name)
        await one.backend.apply(ports, nodes, one.name)


async def call(ip: str, port: int, times: int = 1) -> list[str]:
    """From the node itself."""
    heard = []
    for _ in range(times):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(ip, port)
            heard.append((await reader.read()).decode().split()[0])
            writer.close()
    return heard


NODE_PORT = [{"port": 80, "nodePort": 30080}]


async def test_a_service_answers_by_every_address_it_has(tmp_path: Path) -> None:
    async with one_worker(tmp_path) as one:
        ends = [await one.serve("a"), await one.serve("b")]
        web = service("web", "10.96.0.10", ports=NODE_PORT, externalIPs=["192.0.2.77"])
        await serve([one], [web], [endpoint_slice("web", ends)])
        # From the node, by cluster IP: both endpoints, about evenly.
        heard = Counter(await call("10.96.0.10", 80, 40))
        assert sorted(heard) == ["a", "b"]
        assert min(heard.values()) >= 6
        # By node port, on the node's address and on loopback.
        assert set(await call("10.231.0.1", 30080, 10)) == {"a", "b"}
        assert set(await call("127.0.0.1", 30080, 10)) == {"a", "b"}
        # From a pod: the other pod sees the caller's own address; itself, it sees the node's.
        answers = await one.call("a", "10.96.0.10", 80, 20)
        assert {tuple(answer) for answer in answers} == {
            ("a", "10.231.0.1"),
            ("b", one.ips["a"]),
        }
        assert (await one.call("b", "192.0.2.77", 80))[0][0] in ("a", "b")
        assert (await one.call("b", "10.231.0.1", 30080))[0][0] in ("a", "b")


async def test_changes_take_effect_and_nobody_home_is_refused_at_once(tmp_path: Path) -> None:
    async with one_worker(tmp_path) as one:
        a, b = await one.serve("a"), await one.serve("b")
        web = service("web", "10.96.0.10", ports=NODE_PORT)
        await serve([one], [web], [endpoint_slice("web", [a])])
        assert set(await call("10.96.0.10", 80, 5)) == {"a"}
        await serve([one], [web], [endpoint_slice("web", [b])])
        assert set(await call("10.96.0.10", 80, 5)) == {"b"}
        await serve([one], [web], [])
        for ip, port in (("10.96.0.10", 80), ("10.231.0.1", 30080)):
            with pytest.raises(ConnectionRefusedError):
                await call(ip, port)
        assert await one.call("a", "10.96.0.10", 80) == [["ConnectionRefusedError", "-"]]


async def test_a_client_sticks_to_its_endpoint_when_asked_to(tmp_path: Path) -> None:
    async with one_worker(tmp_path) as one:
        ends = [await one.serve(name) for name in ("a", "b", "c")]
        web = service("web", "10.96.0.10", sessionAffinity="ClientIP")
        await serve([one], [web], [endpoint_slice("web", ends)])
        assert len({tuple(answer) for answer in await one.call("a", "10.96.0.10", 80, 15)}) == 1


async def test_local_traffic_policy_keeps_to_this_node(tmp_path: Path) -> None:
    async with one_worker(tmp_path) as one:
        ends = [await one.serve("a"), endpoint("10.231.9.9", "elsewhere")]
        web = service("web", "10.96.0.10", internalTrafficPolicy="Local")
        await serve([one], [web], [endpoint_slice("web", ends)])
        assert set(await call("10.96.0.10", 80, 10)) == {"a"}


async def test_two_workers_in_one_network_namespace_share_the_services(tmp_path: Path) -> None:
    with fresh_netns():
        async with (
            worker("n1", tmp_path / "1", "10.231.0.0/24", "10.231.0.1") as one,
            worker("n2", tmp_path / "2", "10.231.1.0/24", "10.231.0.1") as two,
        ):
            ends = [await one.serve("a"), await two.serve("b")]
            web = service("web", "10.96.0.10", ports=NODE_PORT)
            await serve([one, two], [web], [endpoint_slice("web", ends)])
            assert set(await call("10.96.0.10", 80, 20)) == {"a", "b"}
            assert set(await call("127.0.0.1", 30080, 20)) == {"a", "b"}
            for caller, name in ((one, "a"), (two, "b")):
                answers = await caller.call(name, "10.96.0.10", 80, 20)
                assert {answer[0] for answer in answers} == {"a", "b"}
            # Pods see each other's own addresses across the two bridges.
            assert await one.call("a", two.ips["b"], 8080) == [["b", one.ips["a"]]]


def cable(ours: str, theirs: str, netns: int) -> None:
    """Connect this network namespace to `netns`: 192.0.2.1 here, 192.0.2.2 there."""
    netlink = Netlink()
    bridge = netlink.add_bridge("lan", b"\x02\0\0\0\0\1")
    netlink.add_veth("lan-b", bridge, peer="eth0", peer_netns=netns, mac=b"\x02\0\0\0\0\2")
    netlink.add_address(bridge, ours, 24)
    netlink.close()
    with enter(netns):
        inside = Netlink()
        inside.set_up(inside.index("eth0"))
        inside.add_address(inside.index("eth0"), theirs, 24)
        inside.close()


async def test_a_service_leads_to_pods_of_another_host(tmp_path: Path) -> None:
    with fresh_netns(), new_netns() as far:
        cable("192.0.2.1", "192.0.2.2", far)
        async with AsyncExitStack() as stack:
            here = worker("n1", tmp_path / "1", "10.231.0.0/24", "192.0.2.1")
            one = await stack.enter_async_context(here)
            with enter(far):
                there = worker("n2", tmp_path / "2", "10.231.1.0/24", "192.0.2.2")
                two = await stack.enter_async_context(there)
            ends = [await two.serve("b")]
            web = service("web", "10.96.0.10", ports=NODE_PORT)
            slices = [endpoint_slice("web", ends)]
            await one.serve("a")
            nodes = [one.node, two.node]
            await one.backend.apply(service_ports([web], slices, "n1"), nodes, "n1")
            with enter(far):
                await two.backend.apply(service_ports([web], slices, "n2"), nodes, "n2")
            assert await one.call("a", "10.96.0.10", 80) == [["b", one.ips["a"]]]
            assert await call("10.96.0.10", 80) == ["b"]
            assert await call("192.0.2.1", 30080) == ["b"]
            assert await call("192.0.2.2", 30080) == ["b"]
            with enter(far):
                await two.backend.close()


@asynccontextmanager
async def table() -> AsyncIterator[NftTable]:
    with fresh_netns():
        yield NftTable("0123456789")


def random_table(rng: random.Random) -> Ruleset:
    ports = []
    for number in range(1, 6):
        every = tuple(Endpoint(f"10.0.0.{i}", 80, i == 1) for i in range(1, rng.randint(1, 5)))
        some = every[: rng.randint(0, len(every))]
        ports.append(
            ServicePort(
                "default", f"s{number}", "", rng.choice(["tcp", "udp"]), 80,
                cluster_ips=(f"10.96.0.{number}",), external_ips=rng.choice([(), ("192.0.2.1",)]),
                node_port=rng.choice([0, 30000 + number]), internal=rng.choice([every, some]),
                external=rng.choice([every, some]), all=every,
                external_local=rng.random() < 0.5, affinity_s=rng.choice([0, 60]),
            )
        )  # fmt: skip
    chosen = rng.sample(ports, rng.randint(0, 5))
    return ruleset(chosen, own_pods=["10.0.0.0/24"], all_pods=["10.0.0.0/24", "10.0.1.0/24"])


async def test_the_kernel_agrees_with_every_difference() -> None:
    async def listing(one: NftTable) -> list[str]:
        """Order in a listing follows the order of making, in which nothing is promised."""
        return sorted((await nft("list", *one.table.split()[:0], "ruleset")).splitlines())

    rng = random.Random(7)
    async with table() as changed:
        for _ in range(12):
            wanted = random_table(rng)
            await changed.apply(wanted)
            seen = await listing(changed)
            fresh = NftTable("0123456789")
            await fresh.apply(wanted)
            assert seen == await listing(fresh)
        await changed.remove()
        await changed.remove()
        assert await nft("list", "ruleset") == ""


async def test_a_table_that_others_changed_is_made_anew() -> None:
    rng = random.Random(3)
    async with table() as one:
        await one.apply(random_table(rng))
        assert await one.check()
        # 1. Removed behind our back: the periodic check mends it.
        await nft("delete", "table", *one.table.split())
        assert not await one.check()
        # 2. Removed just before a change: the change mends it.
        await nft("flush", "ruleset")
        await one.apply(random_table(rng))
        assert await one.check()
        # 3. A rule added by somebody.
        await nft("add", "rule", *one.table.split(), "pre", "counter")
        assert not await one.check()


async def test_two_clusters_on_a_host_do_not_mend_in_turn_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The kernel counts the changes of all tables: each mending looked like the other's change."""
    rng = random.Random(4)
    async with table() as one:
        other = NftTable("9876543210")
        await one.apply(random_table(rng))
        await other.apply(random_table(rng))
        for _ in range(2):
            await one.check()
            await other.check()
        before = ruleset_generation()
        for _ in range(3):
            assert await one.check()
            assert await other.check()
        assert ruleset_generation() == before
        assert "somebody" not in caplog.text
        await other.remove()


class FakeNet:
    """A client that shows one view, as a test changes it."""

    def __init__(self) -> None:
        self.batches: asyncio.Queue[list[Change]] = asyncio.Queue(16)

    async def watch_view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        assert topic == "net"
        while True:
            yield await self.batches.get()


def as_object(key: str, data: Any) -> Object:
    resource = RESOURCES[key]
    whole = {"kind": resource.kind, "apiVersion": resource.api_version} | data
    meta = whole["metadata"]
    body = encode(whole)
    return Object(resource, meta.get("namespace", ""), meta["name"], revision=1, body=body)


async def test_the_proxy_follows_its_view_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with one_worker(tmp_path) as one:
        ends = [await one.serve("a")]
        net = FakeNet()
        web = as_object("services", service("web", "10.96.0.10"))
        first = [as_object("nodes", one.node), web]
        later = as_object("endpointslices.discovery.k8s.io", endpoint_slice("web", ends))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(
                proxy.run(net, backend=one.backend, clock=SystemClock(), node_name="n1")  # type: ignore[arg-type]  # only the view is used
            )
            await net.batches.put([Reset(tuple(first), 1)])
            await net.batches.put([Put(later)])

            async def answers() -> bool:
                try:
                    return await call("10.96.0.10", 80) == ["a"]
                except OSError:
                    return False

            await eventually(answers)
            running.cancel()
        with pytest.raises(NftFailed):
            await nft("list", "table", *one.backend._table.table.split())
        one.backend = KernelBackend("0123456789")


async def test_idle_pods_reach_beyond_the_cluster_as_their_node(tmp_path: Path) -> None:
    with fresh_netns(), new_netns() as far:
        cable("192.0.2.1", "192.0.2.2", far)
        async with worker("n1", tmp_path / "1", "10.231.0.0/24", "192.0.2.1") as one:
            sandbox = await one.runtime.run_sandbox(pod("a"))
            config = program(*FOREVER)
            one.containers["a"] = await started(one.runtime, sandbox.id, config)
            await serve([one], [], [])
            with enter(far):
                server = await asyncio.start_server(greet, "192.0.2.2", 9000)
            async with server:
                assert await one.call("a", "192.0.2.2", 9000) == [["you", "192.0.2.1"]]


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(f"you {writer.get_extra_info('peername')[0]}".encode())
    writer.close()
