"""LimitRanges: what pods get, and what they may not ask."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.object import Json, Object, encode
from busk8s.api.validation import validate_create
from busk8s.master.apiserver.admission.limit_ranger import ANNOTATION, LimitBounds, LimitDefaults
from busk8s.master.apiserver.attributes import Attributes, Operation


class Ranges:
    def __init__(self, *limits: Json) -> None:
        data = {
            "kind": "LimitRange",
            "apiVersion": "v1",
            "metadata": {"name": "r", "namespace": "default"},
            "spec": {"limits": list(limits)},
        }
        body = encode(data)
        self._range = Object(scheme.LIMITRANGES, "default", "r", revision=1, body=body, data=data)

    def get(self, resource_key: str, namespace: str, name: str) -> Object | None:
        return None

    def list(self, resource_key: str, namespace: str | None = None) -> list[Object]:
        return [self._range]


def pod(**resources: Json) -> Json:
    container = {"name": "c", "image": "i", "resources": resources}
    return {"metadata": {"name": "p"}, "spec": {"containers": [container]}}


def operation(data: Json, key: str = "pods") -> Operation:
    resource = scheme.RESOURCES[key]
    attributes = Attributes(verb="create", resource=resource, namespace="default", name="p")
    return Operation(attributes, "CREATE", data)


def test_containers_get_what_they_do_not_say() -> None:
    ranges = Ranges({
        "type": "Container",
        "default": {"cpu": "1", "memory": "1Gi"},
        "defaultRequest": {"cpu": "500m"},
    })  # fmt: skip
    data = pod(limits={"memory": "2Gi"})
    LimitDefaults(ranges).admit(operation(data))
    assert data["spec"]["containers"][0]["resources"] == {
        "limits": {"memory": "2Gi", "cpu": "1"},
        "requests": {"cpu": "500m"},
    }
    assert data["metadata"]["annotations"][ANNOTATION] == (
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    )


BOUNDS: list[tuple[str, Json, Json, str]] = [
    ("within", {"max": {"cpu": "1"}}, {"limits": {"cpu": "1"}}, ""),
    (
        "over the limit",
        {"max": {"cpu": "1"}},
        {"limits": {"cpu": "2"}},
        "maximum cpu usage per Container is 1, but limit is 2",
    ),
    (
        "no limit",
        {"max": {"cpu": "1"}},
        {},
        "maximum cpu usage per Container is 1.  No limit is specified",
    ),
    (
        "too little",
        {"min": {"cpu": "200m"}},
        {"requests": {"cpu": "100m"}},
        "minimum cpu usage per Container is 200m, but request is 100m",
    ),
    (
        "no request",
        {"min": {"cpu": "200m"}},
        {},
        "minimum cpu usage per Container is 200m.  No request is specified",
    ),
    (
        "burst",
        {"maxLimitRequestRatio": {"cpu": "2"}},
        {"requests": {"cpu": "100m"}, "limits": {"cpu": "300m"}},
        "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
    ),
]


@pytest.mark.parametrize(
    ("limits", "resources", "want"), [row[1:] for row in BOUNDS], ids=[row[0] for row in BOUNDS]
)
def test_bounds_of_containers(limits: Json, resources: Json, want: str) -> None:
    bounds = LimitBounds(Ranges({"type": "Container", **limits}))
    if not want:
        bounds.admit(operation(pod(**resources)))
        return
    with pytest.raises(errors.Error) as refused:
        bounds.admit(operation(pod(**resources)))
    assert refused.value.code == 403
    assert refused.value.message == f'pods "p" is forbidden: {want}'


def test_all_that_is_wrong_is_said_at_once() -> None:
    bounds = LimitBounds(Ranges({"type": "Container", "max": {"cpu": "1", "memory": "1Gi"}}))
    with pytest.raises(errors.Error, match=r"\[maximum cpu .*, maximum memory .*\]"):
        bounds.admit(operation(pod(limits={"cpu": "2", "memory": "2Gi"})))


def test_a_pod_is_bounded_as_a_whole() -> None:
    data = pod(limits={"memory": "1Gi"})
    data["spec"]["containers"].append({**data["spec"]["containers"][0], "name": "d"})
    bounds = LimitBounds(Ranges({"type": "Pod", "max": {"memory": "1Gi"}}))
    with pytest.raises(errors.Error, match="maximum memory usage per Pod is 1Gi, but limit is 2Gi"):
        bounds.admit(operation(data))


def test_claims_are_bounded_by_their_requests() -> None:
    claim = {
        "metadata": {"name": "p"},
        "spec": {"resources": {"requests": {"storage": "5Gi"}}},
    }
    bounds = LimitBounds(Ranges({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}))
    with pytest.raises(errors.Error, match="is 1Gi, but request is 5Gi"):
        bounds.admit(operation(claim, "persistentvolumeclaims"))


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        pytest.param([{"type": "Sock"}], "spec.limits[0].type", id="type"),
        pytest.param([{"type": "Pod"}, {"type": "Pod"}], "spec.limits[1].type", id="twice"),
        pytest.param(
            [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}],
            "spec.limits[0].min[cpu]",
            id="min over max",
        ),
        pytest.param(
            [{"type": "Pod", "default": {"cpu": "1"}}], "spec.limits[0].default", id="pod defaults"
        ),
        pytest.param(
            [{"type": "Container", "maxLimitRequestRatio": {"cpu": "500m"}}],
            "spec.limits[0].maxLimitRequestRatio[cpu]",
            id="ratio below one",
        ),
    ],
)
def test_ranges_that_make_no_sense_are_refused(limits: list[Any], field: str) -> None:
    body = {"metadata": {"name": "r", "namespace": "default"}, "spec": {"limits": limits}}
    assert [c.field for c in validate_create(scheme.LIMITRANGES, body)] == [field]
