"""Late watches, slow and lost answers: nothing is made twice, and what is wrong is put right."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.object import Json, Object
from busk8s.api.scheme import PODS, REPLICASETS, Resource
from busk8s.clock import LoopClock
from busk8s.errors import Error, unavailable
from busk8s.ids import RandomIds
from busk8s.master.controllers.run import run
from busk8s.tasks import Nursery
from busk8s.testing.simloop import SimLoop
from tests.model_cluster import ModelCluster


def replica_set(replicas: int) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        },
    }


class Story:
    """A ReplicaSet resized at random while the world is slow; counts what is asked of it."""

    def __init__(self, seed: int, sizes: list[int], losses: bool) -> None:
        self.rng = random.Random(seed)
        self.sizes = sizes
        self.losses = losses
        self.cluster = ModelCluster()
        self.cluster.latency_s = lambda: self.rng.expovariate(20)
        self.cluster.watch_lag_s = lambda: self.rng.expovariate(0.5)
        self.most = 0

    def active(self) -> int:
        return sum(not pod.deleting for pod in self.cluster.all(PODS))

    def fail(self, verb: str, resource: Resource, data: Json) -> Error | None:
        """The answer is lost: half of the time the request was carried out all the same."""
        if resource != PODS or verb != "create" or self.rng.random() > 0.2:
            return None
        key = (PODS.key, f"default/{data['metadata']['name']}")
        if self.rng.random() < 0.5 and key not in self.cluster.objects:
            self.cluster.put(PODS, {**data, "metadata": dict(data["metadata"])})
        return unavailable("the answer was lost")

    async def tell(self) -> None:
        clock = LoopClock()
        self.cluster.now = clock.now
        if self.losses:
            self.cluster.fail = self.fail
        async with Nursery() as nursery:
            ids = RandomIds(random.Random(self.rng.random()))
            nursery.spawn(run(self.cluster, clock=clock, ids=ids))
            await self.cluster.create(REPLICASETS, replica_set(0), namespace="default")
            for size in self.sizes:
                patch = {"spec": {"replicas": size}}
                await self.cluster.patch(REPLICASETS, "web", patch, namespace="default")
                await asyncio.sleep(self.rng.choice([0.1, 1, 5, 60]))
            self.cluster.fail = lambda *_: None
            # Back-off after many losses may be long; virtual time makes it short.
            await asyncio.sleep(3_000)


def simulate(story: Story) -> None:
    """Tell the story on virtual time, counting pods at each write."""
    put = story.cluster.put

    def counted(resource: Resource, data: Json) -> Object:
        made = put(resource, data)
        story.most = max(story.most, story.active())
        return made

    story.cluster.put = counted  # type: ignore[method-assign]  # a stand-in
    with asyncio.Runner(loop_factory=SimLoop) as runner:
        runner.run(asyncio.wait_for(story.tell(), 100_000))


SIZES = st.lists(st.integers(0, 12), min_size=1, max_size=4)


@settings(max_examples=20)
@given(st.integers(0, 2**32), SIZES)
def test_however_late_the_watch_is_no_pod_is_made_too_many(seed: int, sizes: list[int]) -> None:
    story = Story(seed, sizes, losses=False)
    simulate(story)
    assert story.most <= max(sizes)
    assert story.active() == sizes[-1]


@settings(max_examples=20)
@given(st.integers(0, 2**32), SIZES)
def test_lost_answers_end_in_the_right_number(seed: int, sizes: list[int]) -> None:
    story = Story(seed, sizes, losses=True)
    simulate(story)
    assert story.active() == sizes[-1]


@pytest.mark.parametrize("seed", range(3))
async def test_pods_that_are_deleted_while_the_watch_is_late_are_not_deleted_twice(
    seed: int,
) -> None:
    """Readiness changes meanwhile, so the ranking does too: the first choice must stand."""
    rng = random.Random(seed)
    cluster = ModelCluster()
    clock = LoopClock()
    cluster.now = clock.now
    async with Nursery() as nursery:
        nursery.spawn(run(cluster, clock=clock, ids=RandomIds(random.Random(1))))
        await cluster.create(REPLICASETS, replica_set(10), namespace="default")
        await asyncio.sleep(5)
        for pod in cluster.all(PODS):
            cluster.change(pod, spec={"nodeName": "n1"}, status={"phase": "Running"})
        await asyncio.sleep(5)
        cluster.watch_lag_s = lambda: 3.0
        patch = {"spec": {"replicas": 5}}
        for step in range(200):
            if step == 20:
                await cluster.patch(REPLICASETS, "web", patch, namespace="default")
            pod = rng.choice(cluster.all(PODS))
            ready = {"type": "Ready", "status": rng.choice(["True", "False"])}
            cluster.change(pod, status={"phase": "Running", "conditions": [ready]})
            await asyncio.sleep(0.1)
        assert sum(not pod.deleting for pod in cluster.all(PODS)) == 5
