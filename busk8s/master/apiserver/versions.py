"""Kinds served in several versions and stored in one.

Owns      which resource stores another's objects, and the conversion both ways.
Leaves    custom kinds that a webhook converts (conversion, with `views`); all other kinds are
          stored as they are served.
Invariant to_served(to_stored(x)) keeps every field that both versions have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from busk8s.api import scheme
from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.conversion.reading import laid_down, lies_as, shown
from busk8s.master.store.watch import Event

if TYPE_CHECKING:
    from busk8s.master.apiserver.parts import Call


@dataclass(frozen=True, slots=True)
class Conversion:
    """Between a served version and the stored one; both functions may change their argument."""

    stored: tuple[str, str, str]  # group, version, plural
    to_stored: Callable[[Json], Json]
    to_served: Callable[[Json], Json]


def stored_of(resource: Resource) -> Resource:
    """The resource under whose key the objects of `resource` are kept."""
    if resource.custom is not None:
        return resource.custom.storage
    conversion = CONVERSIONS.get((resource.group, resource.version, resource.plural))
    if conversion is None:
        return resource
    stored = scheme.lookup(*conversion.stored)
    assert stored is not None
    return stored


def as_stored(call: Call) -> bool:
    """Whether objects are shown as they lie in the store, all of them."""
    if call.resource is not call.stored:
        return False
    custom = call.resource.custom
    return custom is None or not (custom.family.mixed or custom.family.until)


def lies_ready(resource: Resource, event: Event) -> bool:
    """Whether the bytes of a change are what `resource`, which is stored, shows of it."""
    custom = resource.custom
    if custom is None:
        return True
    # What went is as it was last, whatever the revision of its going.
    obj = event.previous if event.type == "DELETED" else event.object
    assert obj is not None
    return obj.revision > custom.family.until and lies_as(resource, obj)


def to_stored(resource: Resource, data: Json) -> Json:
    """`data` as written to `resource`, in the stored version."""
    if resource.custom is not None:
        return laid_down(resource.custom.storage, data)
    conversion = CONVERSIONS.get((resource.group, resource.version, resource.plural))
    if conversion is None:
        return data
    stored = stored_of(resource)
    converted = conversion.to_stored(data)
    converted["kind"], converted["apiVersion"] = stored.kind, stored.api_version
    return converted


def to_served(resource: Resource, obj: Object) -> Object:
    """`obj` as `resource` shows it; the same object where nothing is converted."""
    if resource.custom is not None:
        return shown(resource, obj)
    if obj.resource is resource:
        return obj
    conversion = CONVERSIONS.get((resource.group, resource.version, resource.plural))
    if conversion is None:
        return obj
    data = served_data(resource, orjson.loads(obj.body))
    return Object(
        resource,
        obj.namespace,
        obj.name,
        revision=obj.revision,
        body=orjson.dumps(data),
        data=data,
    )


def served_data(resource: Resource, data: Json) -> Json:
    if resource.custom is not None:
        return laid_down(resource, data)
    conversion = CONVERSIONS.get((resource.group, resource.version, resource.plural))
    if conversion is None:
        return data
    converted = conversion.to_served(data)
    head = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": converted["metadata"],
    }
    return {**head, **{key: value for key, value in converted.items() if key not in head}}


# core/v1 Event <-> events.k8s.io/v1 Event: the same object under other names.
_EVENT_NAMES = (
    ("message", "note"),
    ("involvedObject", "regarding"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
)


def _event_to_core(data: Json) -> Json:
    return _renamed(data, {new: old for old, new in _EVENT_NAMES})


def _event_to_events(data: Json) -> Json:
    return _renamed(data, dict(_EVENT_NAMES))


def _renamed(data: Json, names: Mapping[str, str]) -> Json:
    return {names.get(key, key): value for key, value in data.items()}


# autoscaling/v1 keeps what it has no field for in annotations; the CPU target is its own field.
_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"


def _hpa_to_v2(data: Json) -> Json:
    spec, status = dict(data.get("spec") or {}), dict(data.get("status") or {})
    metadata = dict(data["metadata"])
    notes = dict(metadata.get("annotations") or {})
    metrics = _noted(notes.pop(_METRICS, None), [])
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        metrics.insert(0, _cpu_metric("target", {"averageUtilization": target}))
    if metrics:
        spec["metrics"] = metrics
    if behavior := _noted(notes.pop(_BEHAVIOR, None), {}):
        spec["behavior"] = behavior
    current = _noted(notes.pop(_CURRENT, None), [])
    used = status.pop("currentCPUUtilizationPercentage", None)
    if used is not None:
        current.insert(0, _cpu_metric("current", {"averageUtilization": used}))
    if current:
        status["currentMetrics"] = current
    if conditions := _noted(notes.pop(_CONDITIONS, None), []):
        status["conditions"] = conditions
    if status.get("currentReplicas") == 0:
        del status["currentReplicas"]  # v2 leaves it out.
    return _hpa(data, metadata, notes, spec, status)


def _hpa_to_v1(data: Json) -> Json:
    spec = dict(data.get("spec") or {})
    status = {"currentReplicas": 0, "desiredReplicas": 0, **(data.get("status") or {})}
    metadata = dict(data["metadata"])
    notes = dict(metadata.get("annotations") or {})
    metrics = list(spec.pop("metrics", None) or ())
    cpu = _take_cpu(metrics, "target")
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu
    current = list(status.pop("currentMetrics", None) or ())
    used = _take_cpu(current, "current")
    if used is not None:
        status["currentCPUUtilizationPercentage"] = used
    kept = (
        (_METRICS, metrics),
        (_BEHAVIOR, spec.pop("behavior", None)),
        (_CURRENT, current),
        (_CONDITIONS, status.pop("conditions", None)),
    )
    notes.update({key: orjson.dumps(value).decode() for key, value in kept if value})
    return _hpa(data, metadata, notes, spec, status)


def _hpa(data: Json, metadata: Json, notes: Json, spec: Json, status: Json) -> Json:
    if notes:
        metadata["annotations"] = notes
    else:
        metadata.pop("annotations", None)
    return {**data, "metadata": metadata, "spec": spec, "status": status}


def _cpu_metric(field: str, value: Json) -> Json:
    kind = {"type": "Utilization"} if field == "target" else {}
    return {"type": "Resource", "resource": {"name": "cpu", field: {**kind, **value}}}


def _take_cpu(metrics: list[Json], field: str) -> int | None:
    for index, metric in enumerate(metrics):
        resource = metric.get("resource") or {}
        value = (resource.get(field) or {}).get("averageUtilization")
        if metric.get("type") == "Resource" and resource.get("name") == "cpu" and value is not None:
            del metrics[index]
            return int(value)
    return None


def _noted(text: object, otherwise: Any) -> Any:
    """What an annotation kept; `otherwise` when it is absent or a user wrote something else."""
    try:
        value = orjson.loads(text) if isinstance(text, str) else otherwise
    except orjson.JSONDecodeError:
        return otherwise
    return value if isinstance(value, type(otherwise)) else otherwise


CONVERSIONS: Mapping[tuple[str, str, str], Conversion] = {
    ("events.k8s.io", "v1", "events"): Conversion(
        ("", "v1", "events"), _event_to_core, _event_to_events
    ),
    ("autoscaling", "v1", "horizontalpodautoscalers"): Conversion(
        ("autoscaling", "v2", "horizontalpodautoscalers"), _hpa_to_v2, _hpa_to_v1
    ),
}
