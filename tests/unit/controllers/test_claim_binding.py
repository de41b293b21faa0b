"""Claims and volumes: who gets which, step by step, and what becomes of a volume afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.claiming import BIND_COMPLETED, BOUND_BY_CONTROLLER, best_volume, reaches
from busk8s.api.object import Json, Object
from busk8s.api.scheme import (
    EVENTS,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    STATEFULSETS,
    STORAGECLASSES,
)
from busk8s.master.controllers import claim_binding, volume_release
from busk8s.master.controllers.actions import Emit, Plan, Update
from busk8s.master.controllers.children import spec_of, status_of
from tests.unit.controllers.build import thing
from tests.unit.controllers.cluster import Cluster, control_plane, until
from tests.unit.controllers.model import Model
from tests.unit.controllers.test_statefulset import stateful_set


def volume(name: str = "v", size: str = "1Gi", **spec: Any) -> Object:
    metadata: Json = {}
    for key in ("labels", "annotations", "deletionTimestamp"):
        if (value := spec.pop(key, None)) is not None:
            metadata[key] = value
    phase = spec.pop("phase", "Available")
    base: Json = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"]}
    spec = base | {"hostPath": {"path": "/tmp/x"}} | spec
    return thing(PERSISTENTVOLUMES, name, metadata=metadata, spec=spec, status={"phase": phase})


def claim(name: str = "c", size: str = "1Gi", **spec: Any) -> Object:
    metadata: Json = {"annotations": spec.pop("annotations", {})}
    status: Json = spec.pop("status", {"phase": "Pending"})
    resources = {"requests": {"storage": size}}
    base: Json = {"accessModes": ["ReadWriteOnce"], "resources": resources}
    return thing(PERSISTENTVOLUMECLAIMS, name, metadata=metadata, spec=base | spec, status=status)


def reference(name: str = "c", uid: str | None = None) -> Json:
    found = {"namespace": "default", "name": name}
    return found | {"uid": f"uid of {name}" if uid is None else uid}


CHOICES: dict[str, tuple[Object, list[Object], str]] = {
    "nothing": (claim(), [], ""),
    "the smallest that is large enough": (
        claim(size="2Gi"), [volume("a", "9Gi"), volume("b", "2Gi"), volume("c", "1Gi")], "b",
    ),
    "of a class": (
        claim(storageClassName="x"), [volume("a"), volume("b", storageClassName="x")], "b",
    ),
    "of no class": (claim(), [volume("a", storageClassName="x"), volume("b")], "b"),
    "with the modes": (
        claim(accessModes=["ReadWriteOnce", "ReadOnlyMany"]),
        [volume("a"), volume("b", accessModes=["ReadOnlyMany", "ReadWriteOnce"])], "b",
    ),
    "with the labels": (
        claim(selector={"matchLabels": {"a": "b"}}),
        [volume("a"), volume("b", labels={"a": "b"})], "b",
    ),
    "as a device": (claim(volumeMode="Block"), [volume("a"), volume("b", volumeMode="Block")], "b"),
    "the one that is reserved by name": (
        claim(), [volume("a"), volume("b", "5Gi", claimRef=reference(uid=""))], "b",
    ),
    "none that is reserved for others": (claim(), [volume("a", claimRef=reference("d"))], ""),
    "none that an earlier claim of the name had": (
        claim(), [volume("a", claimRef=reference(uid="old"))], "",
    ),
    "none that is not free": (claim(), [volume("a", phase="Released")], ""),
    "none on its way out": (claim(), [volume("a", deletionTimestamp="2027-01-01T00:00:00Z")], ""),
    "none that is reserved but too small": (
        claim(size="9Gi"), [volume("a", claimRef=reference(uid=""))], "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOICES)
def test_the_volume_of_a_claim(case: str) -> None:
    wanted, volumes, name = CHOICES[case]
    found = best_volume(wanted, volumes)
    assert (found.name if found else "") == name


def test_which_nodes_reach_a_volume() -> None:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}
    terms = {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}
    assert reaches(volume(), {}, "n2")
    assert reaches(volume(nodeAffinity=terms), {"kubernetes.io/hostname": "n1"}, "n1")
    assert not reaches(volume(nodeAffinity=terms), {"kubernetes.io/hostname": "n2"}, "n2")


def told(planned: Plan) -> list[tuple[str, str]]:
    return [(a.reason, a.message) for a in planned.actions if isinstance(a, Emit)]


def phase_after(planned: Plan) -> str:
    found = [a.data["status"]["phase"] for a in planned.actions
             if isinstance(a, Update) and a.subresource == "status"]  # fmt: skip
    return found[0] if found else ""


def bound(wanted: Object, *volumes: Object, storage_class: Object | None = None) -> Plan:
    return claim_binding.plan(
        claim_binding.Observed(wanted, {v.name: v for v in volumes}, storage_class)
    )


def test_a_claim_is_bound_step_by_step() -> None:
    """1. reserved 2. the volume's phase 3. the claim names it 4. the claim's status 5. nothing"""
    world = Model(0)
    world.put(volume(size="5Gi"))
    world.put(claim())
    seen: list[str] = []
    for _ in range(5):
        found, wanted = world.one(PERSISTENTVOLUMES, "v"), world.one(PERSISTENTVOLUMECLAIMS, "c")
        planned = bound(wanted, found)
        assert len(planned.actions) <= 1
        for action in planned.actions:
            assert isinstance(action, Update)
            seen.append(f"{action.resource.kind} {action.subresource}".strip())
        world.perform(planned)
    assert seen == [
        "PersistentVolume", "PersistentVolume status", "PersistentVolumeClaim",
        "PersistentVolumeClaim status",
    ]  # fmt: skip
    found, wanted = world.one(PERSISTENTVOLUMES, "v"), world.one(PERSISTENTVOLUMECLAIMS, "c")
    assert spec_of(found)["claimRef"]["uid"] == "uid of c"
    assert BOUND_BY_CONTROLLER in found.metadata["annotations"]
    assert spec_of(wanted)["volumeName"] == "v"
    assert {BIND_COMPLETED, BOUND_BY_CONTROLLER} <= wanted.metadata["annotations"].keys()
    assert status_of(wanted) == {
        "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "5Gi"},
    }  # fmt: skip


def test_a_reservation_is_not_ours_to_give_back() -> None:
    (update,) = bound(claim(), volume(claimRef=reference(uid=""))).actions
    assert isinstance(update, Update)
    assert BOUND_BY_CONTROLLER not in (update.data["metadata"].get("annotations") or {})


WAITS: dict[str, tuple[Object, list[Object], Object | None, str, str]] = {
    "no volume": (
        claim(), [], None, "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
    ),
    "no such class": (
        claim(storageClassName="x"), [], None, "ProvisioningFailed",
        'storageclass.storage.k8s.io "x" not found',
    ),
    "another provisions": (
        claim(storageClassName="x"), [], thing(STORAGECLASSES, "x", provisioner="example.com/p"),
        "ExternalProvisioning", "Waiting for a volume to be created either by the external",
    ),
    "no consumer": (
        claim(storageClassName="x"), [volume(storageClassName="x")],
        thing(STORAGECLASSES, "x", provisioner="kubernetes.io/no-provisioner",
              volumeBindingMode="WaitForFirstConsumer"),
        "WaitForFirstConsumer", "waiting for first consumer to be created before binding",
    ),
    "the named one is too small": (
        claim(size="5Gi", volumeName="v"), [volume()], None, "VolumeMismatch",
        'Cannot bind to requested volume "v": requested PV is too small',
    ),
    "the named one is another's": (
        claim(volumeName="v"), [volume(claimRef=reference("d"))], None, "FailedBinding",
        'volume "v" already bound to a different claim.',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WAITS)
def test_why_a_claim_waits(case: str) -> None:
    wanted, volumes, storage_class, reason, message = WAITS[case]
    (said,) = told(bound(wanted, *volumes, storage_class=storage_class))
    assert said[0] == reason
    assert said[1].startswith(message)


def test_a_delayed_claim_takes_what_the_scheduler_reserved() -> None:
    delayed = thing(STORAGECLASSES, "x", provisioner="p", volumeBindingMode="WaitForFirstConsumer")
    reserved = volume(storageClassName="x", claimRef=reference())
    planned = bound(claim(storageClassName="x"), reserved, storage_class=delayed)
    assert phase_after(planned) == "Bound"


@pytest.mark.parametrize(
    ("named", "volumes", "reason"),
    [
        ("", [], "ClaimLost"),
        ("v", [], "ClaimLost"),
        ("v", [volume(claimRef=reference("d"))], "ClaimMisbound"),
    ],
    ids=["its name", "its volume", "to another"],
)
def test_a_claim_that_loses_its_volume_is_lost(
    named: str, volumes: list[Object], reason: str
) -> None:
    spec = {"volumeName": named} if named else {}
    planned = bound(claim(annotations={BIND_COMPLETED: "yes"}, **spec), *volumes)
    assert (phase_after(planned), [r for r, _ in told(planned)]) == ("Lost", [reason])


def kept(found: Object, wanted: Object | None = None) -> Plan:
    return volume_release.plan(volume_release.Observed(found, wanted))


RELEASES: dict[str, tuple[Object, Object | None, str]] = {
    "free": (volume(phase="Pending"), None, "Available"),
    "reserved for a name": (
        volume(phase="Pending", claimRef=reference(uid="")), None, "Available",
    ),
    "bound": (
        volume(claimRef=reference(), phase="Available"), claim(volumeName="v"), "Bound",
    ),
    "being bound": (volume(claimRef=reference()), claim(), ""),
    "its claim is gone": (volume(claimRef=reference(), phase="Bound"), None, "Released"),
    "its claim was made anew": (
        volume(claimRef=reference(uid="old"), phase="Bound"), claim(volumeName="v"), "Released",
    ),
    "kept as it is": (volume(claimRef=reference(), phase="Released"), None, ""),
    "to be deleted by nobody": (
        volume(claimRef=reference(), phase="Released", persistentVolumeReclaimPolicy="Delete"),
        None, "Failed",
    ),
    "to be deleted by who made it": (
        volume(claimRef=reference(), phase="Released", persistentVolumeReclaimPolicy="Delete",
               annotations={"pv.kubernetes.io/provisioned-by": "example.com/p"}),
        None, "",
    ),
    "failed once is enough": (
        volume(claimRef=reference(), phase="Failed", persistentVolumeReclaimPolicy="Delete"),
        None, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RELEASES)
def test_the_phase_of_a_volume(case: str) -> None:
    found, wanted, phase = RELEASES[case]
    assert phase_after(kept(found, wanted)) == phase


def test_a_volume_whose_claim_took_another_is_given_back() -> None:
    marks = {BOUND_BY_CONTROLLER: "yes"}
    (update,) = kept(volume(claimRef=reference(), annotations=marks), claim(volumeName="w")).actions
    assert isinstance(update, Update)
    assert "claimRef" not in update.data["spec"]
    by_hand = volume(claimRef=reference())
    assert not kept(by_hand, claim(volumeName="w")).actions


SIZES = st.sampled_from(["1Gi", "2Gi", "3Gi"])
STEPS = st.lists(st.tuples(st.sampled_from(["claim", "volume", "delete"]), st.integers(0, 9)))


@settings(max_examples=80)
@given(st.lists(SIZES, max_size=4), st.lists(SIZES, max_size=4), STEPS)
def test_no_volume_serves_two_claims(
    have: list[str], want: list[str], steps: list[tuple[str, int]]
) -> None:
    """Looked at in any order, with claims that go; in the end whoever can be served is."""
    world = Model(0)
    for number, size in enumerate(have):
        world.put(volume(f"v{number}", size, phase="Pending"))
    for number, size in enumerate(want):
        world.put(claim(f"c{number}", size))
    late = [(kind, n) for _ in range(8) for n in range(4) for kind in ("volume", "claim")]
    for step, number in [*steps, *late]:
        volumes = {v.name: v for v in world.all(PERSISTENTVOLUMES)}
        wanted = world.get(PERSISTENTVOLUMECLAIMS, f"c{number}")
        if step == "claim" and wanted is not None:
            world.perform(claim_binding.plan(claim_binding.Observed(wanted, volumes)))
        elif step == "delete" and wanted is not None:
            world.delete(PERSISTENTVOLUMECLAIMS, wanted.name, wanted.uid)
        elif step == "volume" and f"v{number}" in volumes:
            found = volumes[f"v{number}"]
            name = (spec_of(found).get("claimRef") or {}).get("name", "")
            world.perform(kept(found, world.get(PERSISTENTVOLUMECLAIMS, name)))
        _check(world)
    waiting = [c for c in world.all(PERSISTENTVOLUMECLAIMS) if not spec_of(c).get("volumeName")]
    for left in waiting:
        assert best_volume(left, world.all(PERSISTENTVOLUMES)) is None


def _check(world: Model) -> None:
    names = [spec_of(c).get("volumeName") for c in world.all(PERSISTENTVOLUMECLAIMS)]
    bound_names = [name for name in names if name]
    assert len(set(bound_names)) == len(bound_names)
    for each in world.all(PERSISTENTVOLUMECLAIMS):
        if name := spec_of(each).get("volumeName"):
            found = world.one(PERSISTENTVOLUMES, name)
            assert spec_of(found)["claimRef"]["uid"] == each.uid


# -- against the API server ----------------------------------------------------------------------


async def made(cluster: Cluster, name: str = "v", **spec: Any) -> None:
    base = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/tmp/x"},
    }  # fmt: skip
    data = {"metadata": {"name": name}, "spec": base | spec}
    await cluster.create(PERSISTENTVOLUMES, data, namespace="")


def phases(claims: list[Object]) -> set[str]:
    return {status_of(claim)["phase"] for claim in claims}


def phase(cluster: Cluster, name: str = "v") -> str:
    found = cluster.find(PERSISTENTVOLUMES, name, "")
    return str(status_of(found).get("phase")) if found is not None else ""


async def test_claims_of_a_stateful_set_are_bound() -> None:
    template = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    async with control_plane() as cluster:
        spec = spec_of(stateful_set(2, volumeClaimTemplates=[template]))
        await cluster.create(STATEFULSETS, {"metadata": {"name": "s"}, "spec": spec})
        await until(lambda: any(e.data["reason"] == "FailedBinding" for e in cluster.all(EVENTS)))
        for name in ("v1", "v2", "v3"):
            await made(cluster, name)
        await until(lambda: sorted(phase(cluster, f"v{n}") for n in (1, 2, 3)) == [
            "Available", "Bound", "Bound",
        ])  # fmt: skip
        claims = cluster.all
        await until(lambda: phases(claims(PERSISTENTVOLUMECLAIMS)) == {"Bound"})


async def test_a_volume_is_released_when_its_claim_goes() -> None:
    async with control_plane() as cluster:
        await made(cluster)
        resources = {"requests": {"storage": "1Gi"}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": resources}
        await cluster.create(PERSISTENTVOLUMECLAIMS, {"metadata": {"name": "c"}, "spec": spec})
        await until(lambda: phase(cluster) == "Bound")
        await cluster.client.delete(PERSISTENTVOLUMECLAIMS, "c", namespace="default")
        await until(lambda: phase(cluster) == "Released")
        # Made anew, the claim does not get the old one's data.
        await cluster.create(PERSISTENTVOLUMECLAIMS, {"metadata": {"name": "c"}, "spec": spec})
        await until(lambda: any(e.data["reason"] == "FailedBinding" for e in cluster.all(EVENTS)))
        assert phase(cluster) == "Released"
