"""Volumes on the nodes' own disks: made where the pod goes, and removed with their directory."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.claiming import LOCAL_PROVISIONER, PROVISIONED_BY, SELECTED_NODE, VOLUMES_PLACE
from busk8s.api.object import Json, Object
from busk8s.api.scheme import (
    EVENTS,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    STORAGECLASSES,
)
from busk8s.api.validation import validate_create
from busk8s.master.controllers.actions import Create, Delete, Emit, Plan, Update
from busk8s.master.controllers.children import status_of
from busk8s.master.controllers.local_volumes import NODE, Released, Wanted, provide, remove
from tests.unit.controllers.build import thing
from tests.unit.controllers.cluster import control_plane, until
from tests.unit.controllers.test_claim_binding import claim, told

LATE = "WaitForFirstConsumer"
ON_N1 = {SELECTED_NODE: "n1"}


def storage_class(**fields: Any) -> Object:
    base = {"provisioner": LOCAL_PROVISIONER, "volumeBindingMode": LATE, "reclaimPolicy": "Delete"}
    return thing(STORAGECLASSES, "local", **(base | fields))


def node(place: str = "/data/volumes") -> Object:
    notes = {VOLUMES_PLACE: place} if place else {}
    labels = {"kubernetes.io/hostname": "host1"}
    return thing(NODES, "n1", metadata={"annotations": notes, "labels": labels})


def provided(wanted: Object, *, on: Object | None = None, **fields: Any) -> Plan:
    return provide(Wanted(wanted, storage_class(**fields), on, made=False))


def test_a_claim_gets_a_volume_on_the_node_of_its_pod() -> None:
    plan = provided(claim(annotations=ON_N1, storageClassName="local"), on=node())
    (create,) = plan.actions
    assert isinstance(create, Create)
    assert create.resource == PERSISTENTVOLUMES
    causes = validate_create(PERSISTENTVOLUMES, create.data)
    assert [c.field for c in causes] == ["metadata.name"]  # a real uid would do
    assert create.data["metadata"] == {
        "name": "pvc-uid of c",
        "annotations": {PROVISIONED_BY: LOCAL_PROVISIONER, NODE: "n1"},
    }
    spec = create.data["spec"]
    assert spec["local"] == {"path": "/data/volumes/pvc-uid of c"}
    assert (spec["capacity"], spec["accessModes"]) == ({"storage": "1Gi"}, ["ReadWriteOnce"])
    assert (spec["storageClassName"], spec["persistentVolumeReclaimPolicy"]) == ("local", "Delete")
    assert spec["claimRef"]["uid"] == "uid of c"
    (term,) = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["host1"]


def test_a_claim_without_a_node_waits_and_one_that_has_its_volume_too() -> None:
    assert not provided(claim()).actions
    made = Wanted(claim(annotations=ON_N1), storage_class(), node(), made=True)
    assert not provide(made).actions


def test_a_node_that_is_gone_is_not_waited_for() -> None:
    (update,) = provided(claim(annotations=ON_N1 | {"a": "b"})).actions
    assert isinstance(update, Update)
    assert update.data["metadata"]["annotations"] == {"a": "b"}


IMPOSSIBLE: dict[str, tuple[Json, Json, str, str]] = {
    "shared": ({"accessModes": ["ReadWriteMany"]}, {}, "/d", "only ReadWriteOnce"),
    "a device": ({"volumeMode": "Block"}, {}, "/d", "only volumeMode Filesystem"),
    "labels": ({"selector": {"matchLabels": {"a": "b"}}}, {}, "/d", "claim Selector is not"),
    "at once": ({}, {"volumeBindingMode": "Immediate"}, "/d", "volumes of a node need"),
    "no place": ({}, {}, "", "node n1 has no place for volumes"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_provided_is_said(case: str) -> None:
    spec, fields, place, said = IMPOSSIBLE[case]
    plan = provided(claim(annotations=ON_N1, **spec), on=node(place), **fields)
    ((reason, message),) = told(plan)
    assert (reason, message.startswith(said)) == ("ProvisioningFailed", True)
    assert len(plan.actions) == 1


def released(path: str = "/data/volumes/pvc-1") -> Object:
    marks = {PROVISIONED_BY: LOCAL_PROVISIONER, NODE: "n1"}
    return thing(
        PERSISTENTVOLUMES, "pvc-1", metadata={"annotations": marks},
        spec={"local": {"path": path}, "persistentVolumeReclaimPolicy": "Delete"},
        status={"phase": "Released"},
    )  # fmt: skip


def removed(found: Object, phase: str = "", *, on: Object | None) -> Plan:
    remover = thing(PODS, "remove-pvc-1", spec={}, status={"phase": phase}) if phase else None
    return remove(Released(found, on, remover))


def test_the_directory_goes_before_the_volume() -> None:
    (create,) = removed(released(), on=node()).actions
    assert isinstance(create, Create)
    pod = create.data["spec"]
    assert (pod["nodeName"], pod["containers"][0]["command"]) == (
        "n1", ["rm", "-rf", "--", "/data/volumes/pvc-1"],
    )  # fmt: skip
    assert not removed(released(), "Running", on=node()).actions
    done = removed(released(), "Succeeded", on=node()).actions
    assert [a.object.name for a in done if isinstance(a, Delete)] == ["pvc-1", "remove-pvc-1"]


def test_a_removal_that_failed_is_told_and_tried_again() -> None:
    plan = removed(released(), "Failed", on=node())
    assert [reason for reason, _ in told(plan)] == ["VolumeFailedDelete"]
    assert [a.object.name for a in plan.actions if isinstance(a, Delete)] == ["remove-pvc-1"]
    assert plan.look_again_after_s


@pytest.mark.parametrize("path", ["/", "/data/volumes", "/data/volumes/../etc", "/data/volumes/x"])
def test_no_other_directory_is_ever_removed(path: str) -> None:
    (said,) = removed(released(path), on=node()).actions
    assert isinstance(said, Emit)


def test_a_disk_that_is_gone_takes_its_volumes_along() -> None:
    (delete,) = removed(released(), on=None).actions
    assert isinstance(delete, Delete)


async def test_a_volume_comes_and_goes_with_its_claim() -> None:
    async with control_plane() as cluster:
        await cluster.patch(NODES, "n1", {"metadata": {"annotations": {VOLUMES_PLACE: "/d"}}}, "")
        resources = {"requests": {"storage": "1Gi"}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": resources}
        data = {"metadata": {"name": "c", "annotations": ON_N1}, "spec": spec}
        data["spec"]["storageClassName"] = "local"
        await cluster.create(PERSISTENTVOLUMECLAIMS, data)
        bound = cluster.one
        await until(lambda: status_of(bound(PERSISTENTVOLUMECLAIMS, "c")).get("phase") == "Bound")
        assert any(e.data["reason"] == "ProvisioningSucceeded" for e in cluster.all(EVENTS))
        (found,) = cluster.all(PERSISTENTVOLUMES, None)
        await cluster.client.delete(PERSISTENTVOLUMECLAIMS, "c", namespace="default")
        name = f"remove-{found.name}"
        await until(lambda: cluster.find(PODS, name, "kube-system"))
        over = {"status": {"phase": "Succeeded"}}
        await cluster.client.patch(PODS, name, over, namespace="kube-system", subresource="status")
        await until(lambda: not cluster.all(PERSISTENTVOLUMES, None))
        await until(lambda: not cluster.find(PODS, name, "kube-system"))
