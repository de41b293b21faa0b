"""Deployments and ReplicaSets together, over a model cluster, on virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from busk8s.api.object import Json, Object
from busk8s.api.scheme import DEPLOYMENTS, EVENTS, PODS, REPLICASETS
from busk8s.clock import LoopClock
from busk8s.ids import RandomIds
from busk8s.master.controllers.run import run
from busk8s.tasks import Nursery
from tests.model_cluster import ModelCluster, make_ready


def deployment(replicas: int = 3, image: str = "web:1", **spec: object) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            **spec,
        },
    }


@asynccontextmanager
async def running(cluster: ModelCluster) -> AsyncIterator[ModelCluster]:
    """`cluster` with all controllers at work, and a kubelet that makes every pod ready."""
    clock = LoopClock()
    cluster.now = clock.now

    async def kubelet() -> None:
        async for _batch in cluster.watch(PODS):
            for pod in cluster.all(PODS):
                if not (pod.data.get("status") or {}).get("conditions"):
                    make_ready(cluster, pod, clock.now())

    async with Nursery(on_error=_raise) as nursery:
        nursery.spawn(run(cluster, clock=clock, ids=RandomIds(random.Random(1))))
        nursery.spawn(kubelet())
        yield cluster


def _raise(_name: str, error: BaseException) -> None:
    raise error


async def until(true: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.05)


def web(cluster: ModelCluster) -> Object:
    return cluster.one(DEPLOYMENTS, "default/web")


def status(cluster: ModelCluster) -> Json:
    return web(cluster).data.get("status") or {}


def images(cluster: ModelCluster) -> set[str]:
    return {pod.data["spec"]["containers"][0]["image"] for pod in cluster.all(PODS)}


def reason(cluster: ModelCluster, type_: str) -> str:
    for condition in status(cluster).get("conditions", ()):
        if condition["type"] == type_:
            return str(condition["reason"])
    return ""


def settled(cluster: ModelCluster) -> bool:
    return status(cluster).get("observedGeneration") == web(cluster).metadata["generation"] and (
        reason(cluster, "Progressing") == "NewReplicaSetAvailable"
    )


async def test_a_deployment_gets_its_pods_and_says_so() -> None:
    async with running(ModelCluster()) as cluster:
        await cluster.create(DEPLOYMENTS, deployment(), namespace="default")
        await until(lambda: status(cluster).get("availableReplicas") == 3)
        await until(lambda: settled(cluster))
        await asyncio.sleep(1)
        assert len(cluster.all(PODS)) == 3
        (rs,) = cluster.all(REPLICASETS)
        assert rs.metadata["annotations"]["deployment.kubernetes.io/revision"] == "1"
        assert rs.name.startswith("web-")
        assert all(pod.name.startswith(rs.name + "-") for pod in cluster.all(PODS))
        assert reason(cluster, "Available") == "MinimumReplicasAvailable"
        told = [event.data["message"] for event in cluster.all(EVENTS)]
        assert f"Scaled up replica set {rs.name} from 0 to 3" in told
        assert sum(text.startswith("Created pod: ") for text in told) == 3


async def test_a_new_template_is_rolled_out_and_undone() -> None:
    async with running(ModelCluster()) as cluster:
        await cluster.create(DEPLOYMENTS, deployment(4), namespace="default")
        await until(lambda: settled(cluster))
        template = web(cluster).data["spec"]["template"]
        await cluster.patch(
            DEPLOYMENTS,
            "web",
            {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "web:2"}]}}}},
            namespace="default",
        )
        await until(lambda: settled(cluster) and images(cluster) == {"web:2"})
        assert len(cluster.all(REPLICASETS)) == 2
        await cluster.patch(
            DEPLOYMENTS, "web", {"spec": {"template": template}}, namespace="default"
        )
        await until(lambda: settled(cluster) and images(cluster) == {"web:1"})
        await asyncio.sleep(1)
        notes = [rs.metadata["annotations"] for rs in cluster.all(REPLICASETS)]
        revisions = [note["deployment.kubernetes.io/revision"] for note in notes]
        assert sorted(revisions) == ["2", "3"]
        undone = notes[revisions.index("3")]
        assert undone["deployment.kubernetes.io/revision-history"] == "1"
        assert web(cluster).metadata["annotations"]["deployment.kubernetes.io/revision"] == "3"
        assert len(cluster.all(PODS)) == 4


async def test_scaling_3000_pods_takes_few_steps() -> None:
    async with running(ModelCluster()) as cluster:
        await cluster.create(DEPLOYMENTS, deployment(3_000), namespace="default")
        await until(lambda: status(cluster).get("availableReplicas") == 3_000)
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 1}}, namespace="default")
        await until(lambda: len(cluster.all(PODS)) == 1)
        writes = [verb for verb, kind, _ in cluster.log if kind != "pods" and kind != "events"]
        assert len(writes) < 200
