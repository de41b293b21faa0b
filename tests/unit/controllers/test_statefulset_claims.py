"""StatefulSet: each member has claims of its own, which outlive it unless told otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.object import Json, Object
from busk8s.api.scheme import (
    CONTROLLERREVISIONS,
    EVENTS,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    STATEFULSETS,
)
from busk8s.master.controllers.actions import Create, Patch, Plan
from busk8s.master.controllers.children import Claim, spec_of
from busk8s.master.controllers.history import new_name
from busk8s.master.controllers.statefulset_claims import is_claim_of
from busk8s.master.controllers.statefulset_plan import Observed, plan
from tests.unit.controllers.cluster import control_plane, until
from tests.unit.controllers.test_statefulset import World, stateful_set

DATA = {
    "metadata": {"name": "data", "labels": {"tier": "db"}},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    },
}


class ClaimWorld(World):
    def planned(self) -> Plan:
        sts, pods = self.one(STATEFULSETS, "s"), tuple(self.all(PODS))
        revisions = Claim(tuple(self.all(CONTROLLERREVISIONS)), ())
        bearer = self.get(CONTROLLERREVISIONS, new_name(sts)[0])
        going = frozenset(pod.uid for pod in pods if pod.deleting)
        claims = {claim.name: claim for claim in self.all(PERSISTENTVOLUMECLAIMS)}
        seen = Observed(sts, Claim(pods, ()), revisions, bearer, going, claims=claims)
        return plan(seen, self.now)

    @property
    def owners(self) -> dict[str, list[tuple[str, bool]]]:
        return {
            claim.name: [
                (f"{r['kind']} {r['name']}", r.get("controller", False))
                for r in claim.metadata.get("ownerReferences") or ()
            ]
            for claim in self.all(PERSISTENTVOLUMECLAIMS)
        }


def world(replicas: int = 2, **spec: Any) -> ClaimWorld:
    return ClaimWorld(stateful_set(replicas, volumeClaimTemplates=[DATA], **spec))


def made(planned: Plan) -> list[str]:
    return [
        f"{a.data['kind']} {a.data['metadata']['name']}"
        for a in planned.actions
        if isinstance(a, Create)
    ]


def test_a_claim_is_made_before_its_pod() -> None:
    seen = world()
    seen.perform(seen.planned())  # the revision
    first = seen.planned()
    assert made(first) == ["PersistentVolumeClaim data-s-0"]
    seen.perform(first)
    claim = seen.one(PERSISTENTVOLUMECLAIMS, "data-s-0")
    assert claim.labels == {"tier": "db", "app": "s"}
    assert spec_of(claim) == DATA["spec"]
    assert made(seen.planned()) == ["Pod s-0"]


def test_a_pod_mounts_its_claims_in_place_of_volumes_of_their_names() -> None:
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "other", "emptyDir": {}}]
    template: Json = {
        "metadata": {"labels": {"app": "s"}},
        "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": volumes},
    }
    seen = world(1, template=template)
    seen.settle()
    assert spec_of(seen.one(PODS, "s-0"))["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-s-0"}},
        {"name": "other", "emptyDir": {}},
    ]


def test_claims_outlive_pods_and_are_found_again() -> None:
    seen = world(2)
    seen.settle()
    seen.change(replicas=1)
    seen.settle()
    assert seen.owners == {"data-s-0": [], "data-s-1": []}
    seen.change(replicas=2)
    assert made(seen.planned()) == ["Pod s-1"]


def test_a_claim_on_its_way_out_is_waited_for() -> None:
    seen = world(1)
    seen.settle()
    seen.delete(PODS, "s-0", seen.one(PODS, "s-0").uid)
    seen.reap("s-0")
    claim = seen.objects[PERSISTENTVOLUMECLAIMS.key, "data-s-0"]
    claim["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z"
    assert made(seen.planned()) == []
    del seen.objects[PERSISTENTVOLUMECLAIMS.key, "data-s-0"]
    assert made(seen.planned()) == ["PersistentVolumeClaim data-s-0"]


def test_a_pending_pod_gets_a_claim_that_is_gone_again() -> None:
    seen = world(1)
    for _ in range(3):
        seen.perform(seen.planned())
    assert "s-0" in seen.images
    del seen.objects[PERSISTENTVOLUMECLAIMS.key, "data-s-0"]
    assert made(seen.planned()) == ["PersistentVolumeClaim data-s-0"]


OF_SET, OF_POD = ("StatefulSet s", True), ("Pod s-1", True)


@pytest.mark.parametrize(
    ("deleted", "scaled", "before", "after"),
    [
        ("Retain", "Retain", [], []),
        ("Delete", "Retain", [OF_SET], [OF_SET]),
        ("Retain", "Delete", [], [OF_POD]),
        ("Delete", "Delete", [OF_SET], [OF_POD]),
    ],
)
def test_the_policy_says_with_whom_a_claim_goes(
    deleted: str, scaled: str, before: list[Any], after: list[Any]
) -> None:
    policy = {"whenDeleted": deleted, "whenScaled": scaled}
    seen = world(2, persistentVolumeClaimRetentionPolicy=policy)
    seen.settle()
    assert seen.owners == {"data-s-0": before, "data-s-1": before}
    seen.change(replicas=1)
    for _ in range(2):  # 1. the claim's owner 2. the pod goes
        seen.perform(seen.planned())
    assert seen.one(PODS, "s-1").deleting
    assert seen.owners == {"data-s-0": before, "data-s-1": after}


def test_a_policy_taken_back_frees_the_claims() -> None:
    seen = world(1, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"})
    seen.settle()
    seen.change(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain"})
    seen.settle()
    assert seen.owners == {"data-s-0": []}


def test_a_claim_that_somebody_else_controls_is_left_alone() -> None:
    seen = world(1, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"})
    seen.perform(seen.planned())
    seen.perform(seen.planned())
    other = {"kind": "X", "name": "x", "uid": "x", "apiVersion": "x/v1", "controller": True}
    seen.objects[PERSISTENTVOLUMECLAIMS.key, "data-s-0"]["metadata"]["ownerReferences"] = [other]
    seen.settle()
    assert seen.owners == {"data-s-0": [("X x", True)]}
    assert not [a for a in seen.planned().actions if isinstance(a, Patch)]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("data-s-0", True), ("data-s-12", True), ("data-s-", False), ("data-t-0", False),
     ("data-s-x", False), ("s-0", False)],
)  # fmt: skip
def test_names_of_claims(name: str, is_one: bool) -> None:
    assert is_claim_of(world().one(STATEFULSETS, "s"), name) is is_one


async def test_claims_go_with_their_set_where_the_policy_says_so() -> None:
    async with control_plane() as cluster:
        sts: Object = stateful_set(2, volumeClaimTemplates=[DATA])
        spec = spec_of(sts) | {
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Delete",
                "whenScaled": "Retain",
            }
        }
        await cluster.create(STATEFULSETS, {"metadata": {"name": "s"}, "spec": spec})
        await until(lambda: len(cluster.all(PERSISTENTVOLUMECLAIMS)) == 2)
        await until(lambda: len(cluster.all(PODS)) == 2)
        reasons = {e.data["message"] for e in cluster.all(EVENTS)}
        assert "create Claim data-s-0 Pod s-0 in StatefulSet s success" in reasons
        await cluster.client.delete(STATEFULSETS, "s", namespace="default")
        await until(lambda: not cluster.all(PERSISTENTVOLUMECLAIMS), 120)
