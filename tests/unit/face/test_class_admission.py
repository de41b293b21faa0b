"""Classes and what names them; claims that are held."""

from __future__ import annotations

import pytest

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.object import Json, Object, encode
from busk8s.master.apiserver.admission.claim_resize import PersistentVolumeClaimResize
from busk8s.master.apiserver.admission.classes import (
    DefaultIngressClass,
    DefaultStorageClass,
    RuntimeClasses,
)
from busk8s.master.apiserver.admission.storage_protection import StorageObjectInUseProtection
from busk8s.master.apiserver.admission.topology_labels import PodTopologyLabels
from busk8s.master.apiserver.attributes import Attributes, Operation
from busk8s.master.controllers.storage_protection import uses


def stored(resource: scheme.Resource, name: str, **data: Json) -> Object:
    metadata = {"name": name, **data.pop("metadata", {})}
    whole = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": metadata,
        **data,
    }
    return Object(resource, "", name, revision=1, body=encode(whole), data=whole)


class Stored:
    def __init__(self, *objects: Object) -> None:
        self._objects = objects

    def get(self, resource_key: str, namespace: str, name: str) -> Object | None:
        return next((each for each in self.list(resource_key) if each.name == name), None)

    def list(self, resource_key: str, namespace: str | None = None) -> list[Object]:
        return [each for each in self._objects if each.resource.key == resource_key]


def operation(spec: Json, resource: scheme.Resource = scheme.PODS) -> Operation:
    attributes = Attributes(verb="create", resource=resource, namespace="default")
    return Operation(attributes, "CREATE", {"metadata": {"name": "x"}, "spec": spec})


GVISOR = stored(
    scheme.RUNTIMECLASSES,
    "gvisor",
    overhead={"podFixed": {"cpu": "250m"}},
    scheduling={"nodeSelector": {"sandbox": "yes"}, "tolerations": [{"operator": "Exists"}]},
)


def test_a_runtime_class_adds_its_overhead_and_its_nodes() -> None:
    asked = operation({"runtimeClassName": "gvisor", "nodeSelector": {"a": "b"}})
    RuntimeClasses(Stored(GVISOR)).admit(asked)
    assert asked.object is not None
    assert asked.object["spec"] == {
        "runtimeClassName": "gvisor",
        "nodeSelector": {"a": "b", "sandbox": "yes"},
        "overhead": {"cpu": "250m"},
        "tolerations": [{"operator": "Exists"}],
    }


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "none"}, 'RuntimeClass "none" not found'),
        ({"overhead": {"cpu": "1"}}, "without corresponding RuntimeClass"),
        ({"runtimeClassName": "gvisor", "overhead": {"cpu": "1"}}, "doesn't match"),
        ({"runtimeClassName": "gvisor", "nodeSelector": {"sandbox": "no"}}, "conflict"),
    ],
    ids=["unknown", "overhead alone", "other overhead", "other nodes"],
)
def test_what_does_not_fit_a_runtime_class_is_refused(spec: Json, why: str) -> None:
    with pytest.raises(errors.Error, match=why):
        RuntimeClasses(Stored(GVISOR)).admit(operation(spec))


def default(resource: scheme.Resource, name: str, made: str) -> Object:
    word = "storageclass" if resource is scheme.STORAGECLASSES else "ingressclass"
    notes = {f"{word}.kubernetes.io/is-default-class": "true"}
    return stored(resource, name, metadata={"annotations": notes, "creationTimestamp": made})


def test_a_claim_without_a_class_has_the_newest_default() -> None:
    classes = Stored(
        default(scheme.STORAGECLASSES, "old", "2026-01-01T00:00:00Z"),
        default(scheme.STORAGECLASSES, "new", "2026-02-01T00:00:00Z"),
        stored(scheme.STORAGECLASSES, "plain"),
    )
    for given, want in (({}, "new"), ({"storageClassName": ""}, "")):
        asked = operation(dict(given), scheme.PERSISTENTVOLUMECLAIMS)
        DefaultStorageClass(classes).admit(asked)
        assert asked.object is not None
        assert asked.object["spec"]["storageClassName"] == want


def test_an_ingress_without_a_class_has_the_default() -> None:
    classes = Stored(default(scheme.INGRESSCLASSES, "web", "2026-01-01T00:00:00Z"))
    asked = operation({}, scheme.INGRESSES)
    DefaultIngressClass(classes).admit(asked)
    assert asked.object is not None
    assert asked.object["spec"]["ingressClassName"] == "web"


def test_a_claim_is_held_from_the_start() -> None:
    asked = operation({}, scheme.PERSISTENTVOLUMECLAIMS)
    StorageObjectInUseProtection().admit(asked)
    assert asked.object is not None
    assert asked.object["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


NODE = stored(
    scheme.NODES,
    "n1",
    metadata={
        "labels": {
            "topology.kubernetes.io/zone": "z1",
            "topology.kubernetes.io/region": "r1",
            "disk": "ssd",
        }
    },
)
PLACE = {"topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1"}


def test_a_binding_brings_the_zone_and_region_of_its_node() -> None:
    attributes = Attributes("create", scheme.PODS, "binding", "default", "x")
    body: Json = {"metadata": {"name": "x"}, "target": {"kind": "Node", "name": "n1"}}
    PodTopologyLabels(Stored(NODE)).admit(Operation(attributes, "CREATE", body))
    assert body["metadata"]["labels"] == PLACE


def test_a_pod_that_names_its_node_keeps_the_zone_it_says() -> None:
    asked = operation({"nodeName": "n1"})
    assert asked.object is not None
    asked.object["metadata"]["labels"] = {"topology.kubernetes.io/zone": "own", "a": "b"}
    PodTopologyLabels(Stored(NODE)).admit(asked)
    assert asked.object["metadata"]["labels"] == {
        "topology.kubernetes.io/zone": "own",
        "topology.kubernetes.io/region": "r1",
        "a": "b",
    }


@pytest.mark.parametrize("spec", [{}, {"nodeName": "elsewhere"}], ids=["no node", "unknown node"])
def test_without_a_known_node_nothing_is_added(spec: Json) -> None:
    asked = operation(dict(spec))
    PodTopologyLabels(Stored(NODE)).admit(asked)
    assert asked.object == {"metadata": {"name": "x"}, "spec": spec}


def grown(size: str, name: str | None, phase: str = "Bound") -> Operation:
    """A claim of 1Gi of class `ssd` that asks for `size` now."""
    kind = scheme.PERSISTENTVOLUMECLAIMS

    def spec(asked: str, class_: str | None) -> Json:
        return {"resources": {"requests": {"storage": asked}}, "storageClassName": class_}

    old = stored(kind, "x", spec=spec("1Gi", "ssd"), status={"phase": phase})
    attributes = Attributes("update", kind, namespace="default", name="x")
    return Operation(
        attributes, "UPDATE", {"metadata": {"name": "x"}, "spec": spec(size, name)}, old
    )


EXPANDING = stored(scheme.STORAGECLASSES, "ssd", allowVolumeExpansion=True)


@pytest.mark.parametrize(
    ("asked", "classes"),
    [
        (grown("2Gi", "ssd"), Stored(EXPANDING)),
        (grown("1Gi", "ssd", "Pending"), Stored()),
        (grown("1024Mi", "other"), Stored()),
    ],
    ids=["its class allows it", "the same size", "the same size in other words"],
)
def test_a_claim_may(asked: Operation, classes: Stored) -> None:
    PersistentVolumeClaimResize(classes).admit(asked)


@pytest.mark.parametrize(
    ("asked", "classes", "why"),
    [
        (grown("2Gi", "ssd", "Pending"), Stored(EXPANDING), "Only bound persistent volume claims"),
        (grown("2Gi", "ssd"), Stored(), "must support resize"),
        (grown("2Gi", "ssd"), Stored(stored(scheme.STORAGECLASSES, "ssd")), "must support resize"),
        (grown("2Gi", "other"), Stored(EXPANDING), "must support resize"),
        (grown("2Gi", None), Stored(EXPANDING), "must support resize"),
    ],
    ids=["not bound", "no class", "a class that does not grow", "another class", "none"],
)
def test_a_claim_may_not(asked: Operation, classes: Stored, why: str) -> None:
    with pytest.raises(errors.Error, match=why):
        PersistentVolumeClaimResize(classes).admit(asked)


def mounting(claim: str) -> Json:
    return {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]}


@pytest.mark.parametrize(
    ("spec", "phase", "want"),
    [
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            "Running",
            True,
        ),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "d"}}]},
            "Running",
            False,
        ),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            "Failed",
            False,
        ),
        ({}, "Running", False),
    ],
    ids=["used", "another", "finished", "no volumes"],
)
def test_who_uses_a_claim(spec: Json, phase: str, want: bool) -> None:
    pod = stored(scheme.PODS, "p", spec=spec, status={"phase": phase})
    assert uses(pod, "c") is want
