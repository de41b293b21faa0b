"""Rules of volumes and claims: what they need, what may change once they are bound."""

from __future__ import annotations

from typing import Any

import pytest
from rule_cases import created, lines, status_updated, stored, updated

from busk8s.api import scheme
from busk8s.api.validation import validate_update

Json = dict[str, Any]

CSI: Json = {"driver": "a.b", "volumeHandle": "h"}


def volume(**spec: Any) -> Json:
    whole = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "csi": CSI, **spec}
    return {"spec": {name: value for name, value in whole.items() if value is not None}}


VOLUMES: dict[str, tuple[Json, list[str]]] = {
    "plain": (volume(), []),
    "no capacity": (
        volume(capacity=None),
        [
            "spec.capacity: required",
            'spec.capacity: unsupported: null: supported values: "storage"',
        ],
    ),
    "no modes": (volume(accessModes=[]), ["spec.accessModes: required"]),
    "recycled, at the root": (
        volume(csi=None, hostPath={"path": "//"}, persistentVolumeReclaimPolicy="Recycle"),
        [
            "spec.persistentVolumeReclaimPolicy: forbidden: may not be 'recycle' for a hostPath "
            "mount of '/'"
        ],
    ),
    "attributes of no CSI volume": (
        volume(csi=None, hostPath={"path": "/a"}, volumeAttributesClassName="c"),
        ["spec.csi: required: has to be specified when using volumeAttributesClassName"],
    ),
    "local to nothing": (
        volume(csi=None, local={"path": "/a"}),
        ["spec.nodeAffinity: required: Local volume requires node affinity"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VOLUMES)
def test_of_volumes(name: str) -> None:
    body, expected = VOLUMES[name]
    assert created(scheme.PERSISTENTVOLUMES, body) == expected


def affinity(value: str) -> Json:
    expression = {"key": "zone", "operator": "In", "values": [value]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}


SECRET = {"name": "s", "namespace": "n"}
CHANGES: dict[str, tuple[Json, Json, list[str]]] = {
    "a secret comes": (volume(), volume(csi={**CSI, "controllerExpandSecretRef": SECRET}), []),
    "another handle": (
        volume(), volume(csi={**CSI, "volumeHandle": "i"}),
        [
            "spec.persistentvolumesource: forbidden: spec.persistentvolumesource is immutable "
            "after creation"
        ],
    ),
    "another zone": (
        volume(nodeAffinity=affinity("a")), volume(nodeAffinity=affinity("b")),
        [
            "nodeAffinity: invalid: field is immutable, except for updating from beta label to GA"
        ],
    ),
    "a zone let in earlier": (
        volume(nodeAffinity=affinity("a b")), volume(nodeAffinity=affinity("a b")), [],
    ),
    "no attributes any more": (
        volume(volumeAttributesClassName="c"), volume(),
        [
            "spec.volumeAttributesClassName: forbidden: update from non-nil value to nil is "
            "forbidden"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_of_volumes_that_change(name: str) -> None:
    old, new, expected = CHANGES[name]
    assert updated(scheme.PERSISTENTVOLUMES, old, new) == expected


def claim(size: str = "1Gi", **spec: Any) -> Json:
    resources = {"requests": {"storage": size}}
    return {"spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec}}


FIXED = (
    "spec: forbidden: spec is immutable after creation except resources.requests and "
    "volumeAttributesClassName for bound claims"
)
BOUND = {"phase": "Bound", "capacity": {"storage": "1Gi"}, "currentVolumeAttributesClassName": "c"}
CLAIMS: dict[str, tuple[Json, Json, Json, list[str]]] = {
    "bound": (claim(), claim(volumeName="v"), {}, []),
    "bound elsewhere": (claim(volumeName="v"), claim(volumeName="w"), {}, [FIXED]),
    "grows before it is bound": (claim(), claim("2Gi"), {}, [FIXED]),
    "grows": (claim(), claim("2Gi"), BOUND, []),
    "attributes before it is bound": (
        claim(), claim(volumeAttributesClassName="c"), {}, [FIXED],
    ),
    "attributes": (claim(), claim(volumeAttributesClassName="d"), BOUND, []),
    "attributes gone": (
        claim(volumeAttributesClassName="c"), claim(), BOUND,
        [
            "spec.volumeAttributesClassName: forbidden: update to nil is forbidden when "
            "status.currentVolumeAttributesClassName is not nil"
        ],
    ),
    "a class where none was said": (claim(), claim(storageClassName="c"), {}, []),
    "a group let in earlier": (
        claim(dataSource={"apiGroup": "A", "kind": "K", "name": "n"}),
        claim(dataSource={"apiGroup": "A", "kind": "K", "name": "n"}), {}, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_of_claims_that_change(name: str) -> None:
    old, new, status, expected = CLAIMS[name]
    was, now = (stored(scheme.PERSISTENTVOLUMECLAIMS, each) for each in (old, new))
    was["status"] = now["status"] = status
    assert lines(validate_update(scheme.PERSISTENTVOLUMECLAIMS, now, was)) == expected


def test_of_the_status_of_a_claim() -> None:
    status = {"capacity": {"storage": "-1"}, "allocatedResources": {"cpu": "1"}}
    assert status_updated(scheme.PERSISTENTVOLUMECLAIMS, claim(), {}, status) == [
        "status.capacity[storage]: invalid: must be a valid resource quantity",
        'status.allocatedResources: unsupported: "cpu": supported values: "storage"',
    ]


def test_a_volume_said_in_an_attachment_is_of_a_driver() -> None:
    source = {"inlineVolumeSpec": {"accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/a"}}}
    body = {"spec": {"attacher": "a.b", "nodeName": "n", "source": source}}
    assert created(scheme.VOLUMEATTACHMENTS, body) == [
        "spec.source.inlineVolumeSpec.csi: required: has to be specified in the context of inline "
        "volumes"
    ]
