"""Pods with claims: where they may go, what they wait for, volumes chosen with the node."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from busk8s.api.claiming import SELECTED_NODE
from busk8s.api.object import Json, Object
from busk8s.api.scheme import (
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    STORAGECLASSES,
)
from busk8s.client.recorder import Recorder
from busk8s.client.reflector import SharedCaches
from busk8s.ids import RandomIds
from busk8s.master.controllers.children import spec_of, status_of
from busk8s.master.controllers.claim_binding import ClaimBinder
from busk8s.master.controllers.loop import Loop
from busk8s.master.controllers.perform import Performer
from busk8s.master.controllers.volume_release import VolumeKeeper
from busk8s.tasks import Nursery, supervise
from tests.unit.controllers.cluster import Cluster, until
from tests.unit.scheduler.test_loop import add_node, events, node_of, pod, scheduled, why_not

LATE = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}


def on(node: str) -> Json:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}


def using(name: str, claim: str, **spec: Any) -> Json:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
    return pod(name, volumes=volumes, **spec)


async def volume(cluster: Cluster, name: str, **spec: Any) -> None:
    base = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/tmp/x"},
    }  # fmt: skip
    data = {"metadata": {"name": name}, "spec": base | spec}
    await cluster.create(PERSISTENTVOLUMES, data, namespace="")


async def claim(cluster: Cluster, name: str, **spec: Any) -> None:
    resources = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources} | spec
    await cluster.create(PERSISTENTVOLUMECLAIMS, {"metadata": {"name": name}, "spec": spec})


async def storage_class(cluster: Cluster, name: str, **fields: Any) -> None:
    await cluster.create(STORAGECLASSES, {"metadata": {"name": name}, **fields}, namespace="")


async def bind_claims(cluster: Cluster) -> None:
    """The controllers of claims and volumes alone: nodes here have no heart that beats."""
    ids, caches = RandomIds(random.Random(3)), SharedCaches(cluster.client)
    recorder = Recorder(cluster.client, "controllers", clock=cluster.clock, ids=ids)
    performer = Performer(cluster.client, caches, recorder, ids)
    loop = Loop([ClaimBinder(caches), VolumeKeeper(caches)], caches, performer, cluster.clock)
    await supervise(caches.run(), loop.run(), recorder.run())


@asynccontextmanager
async def managed() -> AsyncIterator[Cluster]:
    """Two nodes with their host names, the scheduler, and who binds claims."""
    async with scheduled() as cluster, Nursery(lambda name, error: None) as nursery:
        nursery.spawn(bind_claims(cluster))
        for name in ("n1", "n2"):
            await add_node(cluster, name)
            labels = {"metadata": {"labels": {"kubernetes.io/hostname": name}}}
            await cluster.patch(NODES, name, labels, "")
        yield cluster


def of(cluster: Cluster, name: str) -> Object:
    return cluster.one(PERSISTENTVOLUMECLAIMS, name)


async def test_a_pod_waits_for_its_claim_and_says_so() -> None:
    async with managed() as cluster:
        await cluster.create(PODS, using("p", "c"))
        await until(lambda: why_not(cluster, "p"))
        assert why_not(cluster, "p") == (
            '0/2 nodes are available: persistentvolumeclaim "c" not found.'
        )
        await claim(cluster, "c")
        await until(lambda: "unbound immediate" in why_not(cluster, "p"))
        assert why_not(cluster, "p") == (
            "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."
        )
        await volume(cluster, "v")
        await until(lambda: node_of(cluster, "p"))


async def test_a_pod_goes_where_its_volume_is() -> None:
    async with managed() as cluster:
        for name in ("n1", "n2"):
            await volume(cluster, f"v-{name}", nodeAffinity=on(name), storageClassName=name)
            await claim(cluster, f"c-{name}", storageClassName=name)
            await until(lambda name=name: status_of(of(cluster, f"c-{name}"))["phase"] == "Bound")
            await cluster.create(PODS, using(f"p-{name}", f"c-{name}"))
        await until(lambda: node_of(cluster, "p-n1") and node_of(cluster, "p-n2"))
        assert (node_of(cluster, "p-n1"), node_of(cluster, "p-n2")) == ("n1", "n2")
        await volume(cluster, "far", nodeAffinity=on("n9"), storageClassName="n9")
        await claim(cluster, "far", storageClassName="n9")
        await cluster.create(PODS, using("lost", "far"))
        await until(lambda: "affinity" in why_not(cluster, "lost"))
        assert why_not(cluster, "lost") == (
            "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity."
        )


async def test_the_volume_of_a_late_claim_is_chosen_with_the_node() -> None:
    async with managed() as cluster:
        await storage_class(cluster, "late", **LATE)
        for name in ("n1", "n2"):
            await volume(cluster, f"v-{name}", nodeAffinity=on(name), storageClassName="late")
        await claim(cluster, "c", storageClassName="late")
        await until(lambda: events(cluster, "WaitForFirstConsumer"))
        selector = {"kubernetes.io/hostname": "n2"}
        await cluster.create(PODS, using("p", "c", nodeSelector=selector))
        await until(lambda: node_of(cluster, "p"))
        assert node_of(cluster, "p") == "n2"
        assert spec_of(of(cluster, "c"))["volumeName"] == "v-n2"
        assert not events(cluster, "FailedScheduling")
        await claim(cluster, "d", storageClassName="late")
        await cluster.create(PODS, using("q", "d", nodeSelector=selector))
        await until(lambda: why_not(cluster, "q"))
        assert "1 node(s) didn't find available persistent volumes to bind" in why_not(cluster, "q")


async def test_a_provisioner_is_told_the_node() -> None:
    async with managed() as cluster:
        mode = {"volumeBindingMode": "WaitForFirstConsumer"}
        await storage_class(cluster, "made", provisioner="example.com/p", **mode)
        await claim(cluster, "c", storageClassName="made")
        selector = {"kubernetes.io/hostname": "n2"}
        await cluster.create(PODS, using("p", "c", nodeSelector=selector))

        def selected() -> str:
            notes = of(cluster, "c").metadata.get("annotations") or {}
            return str(notes.get(SELECTED_NODE, ""))

        await until(lambda: selected() == "n2")
        await until(lambda: events(cluster, "ExternalProvisioning"))
        assert not node_of(cluster, "p")
        reference = {"namespace": "default", "name": "c"}
        await volume(
            cluster, "new", storageClassName="made", claimRef=reference, nodeAffinity=on("n2")
        )
        await until(lambda: node_of(cluster, "p") == "n2")
