"""PodDisruptionBudget: what is left to disrupt, and that no run of evictions passes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import DEPLOYMENTS, PODDISRUPTIONBUDGETS, PODS
from busk8s.errors import Error
from busk8s.master.apiserver.subresources.eviction import spend
from busk8s.master.controllers.actions import Emit, Update
from busk8s.master.controllers.disruption import DELETION_TIMEOUT_S, Observed, plan
from tests.unit.controllers.build import NOW, pod, thing
from tests.unit.controllers.cluster import Cluster, control_plane, until

SELECTOR = {"matchLabels": {"app": "web"}}


def budget(status: Json | None = None, **spec: Any) -> Object:
    return thing(
        PODDISRUPTIONBUDGETS, "b", spec={"selector": SELECTOR, **spec}, status=status or {}
    )


def observed(budget: Object, *pods: Object, scale: int | str = 0, **more: Any) -> Observed:
    return Observed(budget, pods, more.pop("deleting", frozenset()), scale, **more)


def status_after(seen: Observed, now: float = NOW) -> Json:
    for action in plan(seen, now).actions:
        if isinstance(action, Update):
            status: Json = action.data["status"]
            return status
    return dict(seen.budget.data["status"])


THREE = (pod("a"), pod("b"), pod("c"))


@pytest.mark.parametrize(
    ("spec", "pods", "scale", "want"),
    [
        pytest.param({"minAvailable": 2}, THREE, 0, (3, 3, 2, 1), id="a number that must stay"),
        pytest.param({"minAvailable": "50%"}, THREE, 3, (3, 3, 2, 1), id="a share, rounded up"),
        pytest.param({"maxUnavailable": 1}, THREE, 3, (3, 3, 2, 1), id="a number that may go"),
        pytest.param({"maxUnavailable": "34%"}, THREE, 3, (3, 3, 1, 2), id="a share that may go"),
        pytest.param({"maxUnavailable": 1}, THREE[:2], 3, (3, 2, 2, 0), id="one is missing"),
        pytest.param(
            {"maxUnavailable": 1},
            (pod("a"), pod("b"), pod("c", ready=False)),
            3,
            (3, 2, 2, 0),
            id="one is not ready",
        ),
        pytest.param({"minAvailable": 5}, THREE, 0, (3, 3, 5, 0), id="more than there are"),
        pytest.param({"minAvailable": 0}, (), 0, (0, 0, 0, 0), id="no pods, nothing to allow"),
    ],
)
def test_counts(
    spec: Json, pods: tuple[Object, ...], scale: int, want: tuple[int, int, int, int]
) -> None:
    status = status_after(observed(budget(**spec), *pods, scale=scale))
    names = ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")
    assert tuple(status[name] for name in names) == want
    (said,) = status["conditions"]
    assert (said["type"], said["status"]) == ("DisruptionAllowed", "True" if want[3] else "False")
    assert said["reason"] == ("SufficientPods" if want[3] else "InsufficientPods")


def test_the_second_look_has_nothing_to_do() -> None:
    seen = observed(budget(minAvailable=2), *THREE)
    after = thing(PODDISRUPTIONBUDGETS, "b", spec=seen.budget.data["spec"])
    after.data["status"] = status_after(seen)
    assert not plan(replace(seen, budget=after), NOW + 60).actions


def test_a_granted_eviction_counts_until_it_is_overdue() -> None:
    status = {"disruptedPods": {"a": format_time(NOW - 10), "gone": format_time(NOW)}}
    seen = observed(budget(status, minAvailable=2), *THREE)
    first = plan(seen, NOW)
    assert status_after(seen)["disruptedPods"] == {"a": format_time(NOW - 10)}
    assert status_after(seen)["currentHealthy"] == 2
    assert first.look_again_after_s == pytest.approx(DELETION_TIMEOUT_S - 10)
    late = plan(seen, NOW + DELETION_TIMEOUT_S)
    assert [a.reason for a in late.actions if isinstance(a, Emit)] == ["NotDeleted"]
    assert status_after(seen, NOW + DELETION_TIMEOUT_S)["currentHealthy"] == 3


def test_a_size_nobody_knows_allows_nothing_and_says_why() -> None:
    seen = observed(budget(maxUnavailable=1), *THREE, scale="no size is known of Job x")
    status = status_after(seen)
    assert status["disruptionsAllowed"] == 0
    assert status["conditions"][0]["reason"] == "SyncFailed"


@given(
    st.integers(1, 8),
    st.one_of(st.integers(0, 8), st.sampled_from(["0%", "30%", "50%", "100%"])),
    st.booleans(),
    st.lists(st.sampled_from(["evict", "see", "sync", "replace"]), max_size=40),
)
def test_no_run_of_evictions_passes_the_budget(
    size: int, amount: int | str, most: bool, steps: list[str]
) -> None:
    """The controller's caches may lag: deletions are seen late, statuses are written late."""
    held = budget(maxUnavailable=amount) if most else budget(minAvailable=amount)
    names = [f"p{i}" for i in range(size)]
    alive = list(names)  # what the server has
    known = list(names)  # what the controller's cache shows
    serial = size
    for step in ["sync", *steps]:
        seen = observed(held, *[pod(n) for n in known], scale=size)
        match step:
            case "sync":
                held.data["status"] = status_after(seen)
                desired = held.data["status"]["desiredHealthy"]
            case "evict" if alive:
                try:
                    changed = spend(held.data, pod(alive[0]), NOW)
                except Error:
                    continue
                assert changed is not None
                held.data["status"] = changed["status"]
                alive.pop(0)
                assert len(alive) >= desired
            case "see":
                known = list(alive)
            case "replace" if len(alive) < size:
                serial += 1
                alive.append(f"p{serial}")


async def test_evictions_stop_at_the_budget_of_a_deployment() -> None:
    async with control_plane() as cluster:
        template = {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        spec = {"replicas": 3, "selector": SELECTOR, "template": template}
        await cluster.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
        await cluster.create(
            PODDISRUPTIONBUDGETS,
            {"metadata": {"name": "b"}, "spec": {"selector": SELECTOR, "maxUnavailable": 1}},
        )
        await until(lambda: _allowed(cluster) == 1)
        cluster.kubelets_run = False
        first, second, _ = (found.name for found in cluster.all(PODS))
        await cluster.client.evict("default", first)
        with pytest.raises(Error, match="disruption budget") as refused:
            await cluster.client.evict("default", second)
        assert refused.value.code == 429
        cluster.kubelets_run = True
        gone = cluster.one(PODS, first)
        await cluster.patch(PODS, first, {"metadata": {"annotations": {"wake": "the kubelet"}}})
        await until(lambda: cluster.find(PODS, gone.name) is None)
        await until(lambda: len(cluster.all(PODS)) == 3)
        for made in cluster.all(PODS):
            await cluster.patch(PODS, made.name, {"metadata": {"annotations": {"wake": "1"}}})
        await until(lambda: _allowed(cluster) == 1)


def _allowed(cluster: Cluster) -> int:
    found: int = cluster.one(PODDISRUPTIONBUDGETS, "b").data["status"]["disruptionsAllowed"]
    return found
