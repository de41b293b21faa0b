"""ReplicaSet: what is done for what is seen, and who is given up first."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.object import Object
from busk8s.api.scheme import REPLICASETS, REPLICATIONCONTROLLERS
from busk8s.errors import Error
from busk8s.master.controllers.actions import Create, Delete, Patch
from busk8s.master.controllers.children import Claim, claim
from busk8s.master.controllers.replicaset import (
    BURST_MAX,
    Observed,
    cost_of_loss,
    new_status,
    plan,
    pod_from,
    selector_of,
)
from tests.unit.controllers.build import NOW, pod, thing


def replica_set(replicas: int = 2, **more: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    selector = {"matchLabels": {"app": "web"}}
    spec = {"replicas": replicas, "selector": selector, "template": template}
    spec |= more.pop("spec", {})
    return thing(REPLICASETS, "web", spec=spec, **more)


def replication_controller(replicas: int, selector: dict[str, str]) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    spec = {"replicas": replicas, "selector": selector, "template": template}
    return thing(REPLICATIONCONTROLLERS, "web", spec=spec)


def observed(rs: Object, *active: Object, **more: Any) -> Observed:
    fields = {"terminating": 0, "neighbours": {}, "failure": None} | more
    return Observed(rs=rs, claim=Claim(active, ()), active=active, **fields)


def verbs(rs: Object, *active: Object, **more: Any) -> list[str]:
    done = plan(observed(rs, *active, **more), NOW).actions
    return [type(action).__name__ for action in done if not isinstance(action, Patch)]


@pytest.mark.parametrize(
    ("rs", "pods", "want"),
    [
        pytest.param(replica_set(), [], ["Create"] * 2, id="none yet"),
        pytest.param(replica_set(), [pod("a"), pod("b")], [], id="enough"),
        pytest.param(replica_set(1), [pod("a"), pod("b")], ["Delete"], id="one too many"),
        pytest.param(replica_set(0), [], [], id="none wanted"),
        pytest.param(replica_set(9_999), [], ["Create"] * BURST_MAX, id="a burst has its limit"),
        pytest.param(
            replica_set(metadata={"deletionTimestamp": "2027-01-15T08:00:00Z"}),
            [],
            [],
            id="a deleted set makes no pods",
        ),
    ],
)
def test_plan(rs: Object, pods: list[Object], want: list[str]) -> None:
    assert verbs(rs, *pods) == want


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(pod("x", node=""), pod("y"), id="not bound before bound"),
        pytest.param(pod("x", phase="Pending"), pod("y"), id="pending before running"),
        pytest.param(pod("x", phase="Unknown"), pod("y"), id="unknown before running"),
        pytest.param(pod("x", ready=False), pod("y"), id="not ready before ready"),
        pytest.param(
            pod("x", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}),
            pod("y"),
            id="cheaper before dearer",
        ),
        pytest.param(pod("x", node="full"), pod("y", node="n1"), id="from the fuller node"),
        pytest.param(pod("x", ready_for_s=10), pod("y", ready_for_s=500), id="shorter ready"),
        pytest.param(pod("x", restarts=4), pod("y"), id="more restarts"),
        pytest.param(pod("x", age_s=20), pod("y", age_s=5_000), id="younger"),
    ],
)
def test_who_is_given_up_first(first: Object, second: Object) -> None:
    cost = cost_of_loss({"full": 3, "n1": 1}, NOW)
    assert cost(first) < cost(second)


def test_a_readiness_rank_says_more_than_age() -> None:
    cost = cost_of_loss({}, NOW)
    assert cost(pod("x", ready=False, age_s=9_000)) < cost(pod("y", age_s=10))


def test_status_counts_what_is_there() -> None:
    rs = replica_set(4, spec={"minReadySeconds": 30})
    seen = observed(
        rs,
        pod("old", ready_for_s=60),
        pod("fresh", ready_for_s=10),
        pod("unready", ready=False, labels={"app": "web", "extra": "1"}),
        terminating=1,
    )
    status, soon = new_status(seen, NOW)
    assert status == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 1,
    }
    assert soon == pytest.approx(20)


def test_a_failure_is_told_before_it_is_tried_again() -> None:
    failure = Error(403, "Forbidden", "exceeded quota")
    actions = plan(observed(replica_set(), failure=failure), NOW).actions
    first = actions[0]
    assert isinstance(first, Patch)
    assert isinstance(first.patch, dict)
    (condition,) = first.patch["status"]["conditions"]
    assert condition["type"] == "ReplicaFailure"
    assert condition["reason"] == "FailedCreate"
    assert condition["message"] == "exceeded quota"
    assert isinstance(actions[1], Create)


def test_a_pod_is_made_from_the_template_and_owned() -> None:
    made = pod_from(replica_set())
    assert made["metadata"]["generateName"] == "web-"
    assert made["metadata"]["labels"] == {"app": "web"}
    assert made["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "web",
            "uid": "uid of web",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_what_matches_is_adopted_and_what_does_not_is_released() -> None:
    rs = replica_set()
    mine, stray = pod("mine", owner=rs.uid), pod("stray", owner=rs.uid, labels={"app": "other"})
    orphan, foreign = pod("orphan"), pod("foreign", labels={"app": "other"})
    result = claim(
        rs, selector_of(rs), [mine, stray], [orphan, foreign], lambda found: found.deleting
    )
    assert result.mine == (mine,)
    assert [patch.object.name for patch in result.patches] == ["stray", "orphan"]


pods_st = st.lists(
    st.builds(
        pod,
        st.text("abcdef", min_size=1, max_size=4),
        node=st.sampled_from(["", "n1", "n2"]),
        ready=st.booleans(),
        phase=st.sampled_from(["Pending", "Running"]),
        restarts=st.integers(0, 3),
    ),
    max_size=30,
    unique_by=lambda found: found.name,
)


@given(st.integers(0, 1_200), pods_st)
def test_it_ends_in_few_steps_and_never_creates_and_deletes_at_once(
    replicas: int, pods: list[Object]
) -> None:
    rs, serial = replica_set(replicas), itertools.count()
    for _step in range(6):
        actions = plan(observed(rs, *pods), NOW).actions
        kinds = {type(action) for action in actions if not isinstance(action, Patch)}
        assert len(kinds) <= 1
        for action in actions:
            match action:
                case Create():
                    pods = [*pods, pod(f"new{next(serial)}", node="", ready=False)]
                case Delete(object=victim):
                    pods = [found for found in pods if found is not victim]
        if not kinds:
            break
    assert len(pods) == replicas


def test_a_replication_controller_selects_by_plain_labels() -> None:
    rc = replication_controller(2, {"app": "web"})
    assert selector_of(rc).matches({"app": "web", "tier": "x"})
    assert not selector_of(rc).matches({"app": "other"})


def test_a_replication_controller_owns_its_pods_and_counts_no_terminating_ones() -> None:
    rc = replication_controller(2, {"app": "web"})
    assert verbs(rc, pod("a")) == ["Create"]
    (owner,) = pod_from(rc)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["apiVersion"]) == ("ReplicationController", "v1")
    status, _ = new_status(observed(rc, pod("a"), terminating=3), NOW)
    assert status["replicas"] == 1
    assert "terminatingReplicas" not in status
