"""The scheduler against the API server: pods wait, are placed, and are told why not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from busk8s.api.object import Json
from busk8s.api.scheme import EVENTS, NODES, PODS
from busk8s.errors import Error
from busk8s.ids import RandomIds
from busk8s.master.scheduler.run import run
from busk8s.metrics import Family, text
from busk8s.tasks import Nursery
from tests.unit.controllers.cluster import Cluster, until


@asynccontextmanager
async def scheduled() -> AsyncIterator[Cluster]:
    cluster = Cluster()
    await cluster.open()
    fell: list[BaseException] = []
    async with Nursery(lambda _, error: fell.append(error)) as nursery:
        ids = RandomIds(random.Random(1))
        nursery.spawn(run(cluster.client, clock=cluster.clock, ids=ids, rng=random.Random(2)))
        yield cluster
    assert not fell, fell


async def add_node(cluster: Cluster, name: str, cpu: str = "2", pods: str = "110") -> None:
    await cluster.create(NODES, {"metadata": {"name": name}})
    amounts = {"cpu": cpu, "memory": "4Gi", "pods": pods}
    await cluster.patch(NODES, name, {"status": {"allocatable": amounts}}, "status")


def pod(name: str, cpu: str = "100m", **spec: Any) -> Json:
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def node_of(cluster: Cluster, name: str) -> str:
    found = cluster.find(PODS, name)
    return str(found.data["spec"].get("nodeName", "")) if found else ""


def why_not(cluster: Cluster, name: str) -> str:
    conditions = cluster.one(PODS, name).data["status"].get("conditions", ())
    return next((c["message"] for c in conditions if c.get("reason") == "Unschedulable"), "")


def events(cluster: Cluster, reason: str) -> list[str]:
    return [e.data["message"] for e in cluster.all(EVENTS) if e.data["reason"] == reason]


async def test_what_was_tried_and_how_it_ended_is_counted() -> None:
    cluster = Cluster()
    await cluster.open()
    told: list[Family] = []
    async with Nursery(lambda _, error: None) as nursery:
        ids = RandomIds(random.Random(1))
        rng = random.Random(2)
        nursery.spawn(run(cluster.client, clock=cluster.clock, ids=ids, rng=rng, tell=told.extend))
        await add_node(cluster, "n1")
        await cluster.create(PODS, pod("a"))
        await cluster.create(PODS, pod("big", cpu="64"))
        await until(lambda: node_of(cluster, "a") and why_not(cluster, "big"))
        page = text(told).decode()
    by = 'profile="default-scheduler",result='
    assert f'scheduler_schedule_attempts_total{{{by}"scheduled"}} 1\n' in page
    assert f'scheduler_schedule_attempts_total{{{by}"unschedulable"}} 1\n' in page
    assert 'scheduler_pending_pods{queue="unschedulable"} 1\n' in page
    assert 'scheduler_pod_scheduling_sli_duration_seconds_count{attempts="1"} 1\n' in page
    assert 'scheduler_scheduler_cache_size{type="nodes"} 1\n' in page


async def test_a_pod_is_bound_and_an_event_says_where() -> None:
    async with scheduled() as cluster:
        await add_node(cluster, "n1")
        await cluster.create(PODS, pod("a"))
        await until(lambda: node_of(cluster, "a") == "n1")
        await until(lambda: events(cluster, "Scheduled"))
        assert events(cluster, "Scheduled") == ["Successfully assigned default/a to n1"]


async def test_an_unschedulable_pod_is_told_why_and_placed_once_a_node_fits() -> None:
    async with scheduled() as cluster:
        await add_node(cluster, "small", cpu="1")
        await cluster.create(PODS, pod("big", cpu="3"))
        await until(lambda: why_not(cluster, "big"))
        assert why_not(cluster, "big") == "0/1 nodes are available: 1 Insufficient cpu."
        await until(lambda: events(cluster, "FailedScheduling"))
        await add_node(cluster, "large", cpu="4")
        await until(lambda: node_of(cluster, "big") == "large")


async def test_room_that_a_finished_pod_leaves_is_used() -> None:
    async with scheduled() as cluster:
        await add_node(cluster, "n1", cpu="1")
        await cluster.create(PODS, pod("first", cpu="1"))
        await until(lambda: node_of(cluster, "first"))
        await cluster.create(PODS, pod("second", cpu="1"))
        await until(lambda: why_not(cluster, "second"))
        await cluster.patch(PODS, "first", {"status": {"phase": "Succeeded"}}, "status")
        await until(lambda: node_of(cluster, "second") == "n1")


async def test_a_node_is_never_given_more_than_it_has() -> None:
    async with scheduled() as cluster:
        await add_node(cluster, "n1", cpu="1")
        await add_node(cluster, "n2", cpu="1")
        for number in range(30):
            await cluster.create(PODS, pod(f"p{number}", cpu="100m"))
        await until(lambda: sum(bool(node_of(cluster, f"p{n}")) for n in range(30)) == 20)
        await asyncio.sleep(20)
        placed = [node_of(cluster, f"p{n}") for n in range(30)]
        assert (placed.count("n1"), placed.count("n2"), placed.count("")) == (10, 10, 10)


async def test_gated_pods_and_those_of_other_schedulers_are_left_alone() -> None:
    async with scheduled() as cluster:
        await add_node(cluster, "n1")
        await cluster.create(PODS, pod("gated", schedulingGates=[{"name": "x/y"}]))
        await cluster.create(PODS, pod("other", schedulerName="mine"))
        await cluster.create(PODS, pod("plain"))
        await until(lambda: node_of(cluster, "plain"))
        await asyncio.sleep(5)
        assert not node_of(cluster, "gated")
        assert not node_of(cluster, "other")
        await cluster.patch(PODS, "gated", {"spec": {"schedulingGates": None}})
        await until(lambda: node_of(cluster, "gated") == "n1")


async def test_a_pod_that_names_its_node_counts_there_without_being_scheduled() -> None:
    async with scheduled() as cluster:
        await add_node(cluster, "n1", cpu="1")
        await cluster.create(PODS, pod("named", cpu="800m", nodeName="n1"))
        await cluster.create(PODS, pod("late", cpu="400m"))
        await until(lambda: why_not(cluster, "late"))
        assert not events(cluster, "Scheduled")


async def test_a_binding_that_fails_is_taken_back_and_tried_again() -> None:
    async with scheduled() as cluster:
        real, refused = cluster.client.bind, []

        async def bind(namespace: str, name: str, node: str, *, uid: str = "") -> None:
            if not refused:
                refused.append(name)
                raise Error(500, "InternalError", "once")
            await real(namespace, name, node, uid=uid)

        cluster.client.bind = bind  # type: ignore[method-assign]  # a stand-in
        await add_node(cluster, "n1", cpu="1")
        await cluster.create(PODS, pod("a", cpu="1"))
        await until(lambda: node_of(cluster, "a") == "n1")
        assert refused == ["a"]
        assert any("once" in said for said in events(cluster, "FailedScheduling"))
