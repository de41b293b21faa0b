"""Devices on offer: ResourceSlices, and the rules that taint devices.

Leaves    how capacity may be shared (device_capacity).
Differs from Kubernetes: fields new in 1.37 (node allocatable resources, compatibility groups,
          skipped node operations, partition types) have no rules of their own.
Source    Kubernetes API reference, ResourceSlice and DeviceTaintRule; their rules.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.meta import subdomain_errors
from busk8s.api.rules.cause import (
    immutable,
    invalid,
    invalid_each,
    required,
    too_long,
    too_many,
)
from busk8s.api.rules.conditions import validate_conditions
from busk8s.api.rules.device_capacity import validate_capacity
from busk8s.api.rules.device_names import (
    TAINTS_MAX,
    validate_attribute_name,
    validate_binding,
    validate_label,
    validate_pool_name,
    validate_taint,
)
from busk8s.api.rules.disks import driver_errors
from busk8s.api.rules.scheduling import validate_node_selector
from busk8s.api.rules.sized import named, validate_set, validate_slice
from busk8s.errors import Cause

Json = dict[str, Any]

DEVICES_MAX = 128
DEVICES_WITH_MORE_MAX = 64  # With taints, counters or lists.
COUNTER_SETS_MAX = 8
COUNTERS_MAX = 32
CONSUMPTIONS_MAX = 2
ATTRIBUTES_MAX = 32
VALUES_MAX = 48
VALUE_MAX = 64
RULE_CONDITIONS_MAX = 8
_SINGLE = ("bool", "int", "string", "version")
_LISTS = ("bools", "ints", "strings", "versions")
_NUMBER = r"(0|[1-9]\d*)"
_PRE = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE}(\.{_PRE})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_WHERE = (
    "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
)
_DEVICE_WHERE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
    "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
)
_NOT_THERE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set "
    "to true in the ResourceSlice spec"
)


def validate_slice_object(new: Json, causes: list[Cause]) -> None:
    _validate_spec(new.get("spec") or {}, None, causes)


def validate_slice_update(new: Json, old: Json, causes: list[Cause]) -> None:
    _validate_spec(new.get("spec") or {}, old.get("spec") or {}, causes)


def _validate_spec(spec: Json, old: Json | None, causes: list[Cause]) -> None:
    pool = spec.get("pool") or {}
    causes += driver_errors(spec.get("driver") or "", "spec.driver")
    _validate_pool(pool, causes)
    if old is not None:
        before = old.get("pool") or {}
        if pool.get("name") != before.get("name"):
            causes.append(immutable("spec.pool.name", pool.get("name")))
        causes += [
            immutable(f"spec.{field}", spec.get(field))
            for field in ("driver", "nodeName")
            if spec.get(field) != old.get(field)
        ]
    _validate_place(spec, causes)
    if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
        detail = "only one of `sharedCounters` or `devices` is allowed"
        causes.append(invalid("spec", "", detail))
    earlier = {named(each): each for each in (old or {}).get("devices") or ()}
    own_place = spec.get("perDeviceNodeSelection") is True

    def device(each: Json, path: str, found: list[Cause]) -> None:
        _validate_device(each, earlier.get(named(each)), own_place, path, found)

    devices = spec.get("devices") or ()
    most = DEVICES_WITH_MORE_MAX if any(map(_has_more, devices)) else DEVICES_MAX
    validate_set(devices, most, device, named, "spec.devices", causes)
    counters = spec.get("sharedCounters") or ()
    here = "spec.sharedCounters"
    validate_set(counters, COUNTER_SETS_MAX, _validate_counter_set, named, here, causes)


def _has_more(device: Json) -> bool:
    if device.get("taints") or device.get("consumesCounters"):
        return True
    attributes = (device.get("attributes") or {}).values()
    return any(each.get(name) is not None for each in attributes for name in _LISTS)


def _validate_pool(pool: Json, causes: list[Cause]) -> None:
    validate_pool_name(pool.get("name") or "", "spec.pool.name", causes)
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        causes.append(invalid("spec.pool.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        detail = "must be greater than or equal to zero"
        causes.append(invalid("spec.pool.generation", generation, detail))


def _validate_place(spec: Json, causes: list[Cause]) -> None:
    given = []
    if (name := spec.get("nodeName")) is not None:
        if name:
            given.append("`nodeName`")
            causes += invalid_each("spec.nodeName", name, subdomain_errors(name))
        else:
            detail = "must be either unset or set to a non-empty string"
            causes.append(invalid("spec.nodeName", name, detail))
    if (selector := spec.get("nodeSelector")) is not None:
        given.append("`nodeSelector`")
        validate_node_selector(selector, "spec.nodeSelector", causes)
        terms = selector.get("nodeSelectorTerms") or []
        if len(terms) != 1:
            here = "spec.nodeSelector.nodeSelectorTerms"
            causes.append(invalid(here, terms, "must have exactly one node selector term"))
    for field in ("allNodes", "perDeviceNodeSelection"):
        if (value := spec.get(field)) is not None:
            if value:
                given.append(f"`{field}`")
            else:
                causes.append(
                    invalid(f"spec.{field}", value, "must be either unset or set to true")
                )
    if not given:
        causes.append(required("spec", _WHERE))
    elif len(given) > 1:
        detail = f"{_WHERE}, but multiple fields are set"
        causes.append(invalid("spec", f"{{{', '.join(given)}}}", detail))


def _validate_device(
    device: Json, old: Json | None, own_place: bool, path: str, causes: list[Cause]
) -> None:
    validate_label(named(device), f"{path}.name", causes)
    _validate_attributes(device, path, causes)
    shared = device.get("allowMultipleAllocations") is True
    for name, capacity in (device.get("capacity") or {}).items():
        validate_attribute_name(name, f"{path}.capacity", causes)
        validate_capacity(capacity, shared, f"{path}.capacity[{name}]", causes)
    taints = device.get("taints") or []
    if old is None or taints != (old.get("taints") or []):
        validate_slice(taints, TAINTS_MAX, _validate_taint, f"{path}.taints", causes)
    validate_set(
        device.get("consumesCounters") or (),
        CONSUMPTIONS_MAX,
        _validate_consumption,
        lambda each: each.get("counterSet") or "",
        f"{path}.consumesCounters",
        causes,
    )
    _validate_own_place(device, own_place, path, causes)
    validate_binding(device, path, causes)


def _validate_taint(taint: Json, path: str, causes: list[Cause]) -> None:
    validate_taint(taint, None, path, causes)


def _validate_own_place(device: Json, wanted: bool, path: str, causes: list[Cause]) -> None:
    fields = ("nodeName", "nodeSelector", "allNodes")
    there = [field for field in fields if device.get(field) is not None]
    if not wanted:
        if there:
            causes.append(invalid(path, None, _NOT_THERE))
        return
    given = [f"`{field}`" for field in there if device[field] or field == "nodeSelector"]
    if (name := device.get("nodeName")) is not None:
        if name:
            causes += invalid_each(f"{path}.nodeName", name, subdomain_errors(name))
        else:
            causes.append(invalid(f"{path}.nodeName", name, "must not be empty"))
    if "nodeSelector" in there:
        validate_node_selector(device["nodeSelector"], f"{path}.nodeSelector", causes)
    if device.get("allNodes") is False:
        detail = "must be either unset or set to true"
        causes.append(invalid(f"{path}.allNodes", False, detail))
    if not given:
        causes.append(required(path, _DEVICE_WHERE))
    elif len(given) > 1:
        causes.append(invalid(path, f"{{{', '.join(given)}}}", _DEVICE_WHERE))


def _validate_attributes(device: Json, path: str, causes: list[Cause]) -> None:
    attributes = device.get("attributes") or {}
    together = len(attributes) + len(device.get("capacity") or {})
    if together > ATTRIBUTES_MAX:
        detail = f"the total number of attributes and capacities must not exceed {ATTRIBUTES_MAX}"
        causes.append(invalid(path, together, detail))
    values = sum(
        sum(len(each.get(name) or ()) for name in _LISTS) or 1 for each in attributes.values()
    )
    if values > VALUES_MAX:
        detail = f"the total number of attribute values must not exceed {VALUES_MAX}"
        causes.append(invalid(path, values, detail))
    for name, attribute in attributes.items():
        validate_attribute_name(name, f"{path}.attributes", causes)
        _validate_attribute(attribute, f"{path}.attributes[{name}]", causes)


def _validate_attribute(attribute: Json, path: str, causes: list[Cause]) -> None:
    given = [name for name in (*_SINGLE, *_LISTS) if attribute.get(name) is not None]
    for name in given:
        value, here = attribute[name], f"{path}.{name}"
        if name in _LISTS and not value:
            causes.append(invalid(here, value, "must not be empty if specified"))
        elif name in ("strings", "versions"):
            for index, each in enumerate(value):
                _validate_value(each, name == "versions", f"{here}[{index}]", causes)
        elif name in ("string", "version"):
            _validate_value(value, name == "version", here, causes)
    if len(given) != 1:
        shown = attribute if given else ""
        causes.append(invalid(path, shown, "exactly one value must be specified"))


def _validate_value(text: str, version: bool, path: str, causes: list[Cause]) -> None:
    if version and not _SEMVER.fullmatch(text):
        detail = "must be a string compatible with semver.org spec 2.0.0"
        causes.append(invalid(path, text, detail))
    if len(text.encode()) > VALUE_MAX:
        causes.append(too_long(path, VALUE_MAX))


def _validate_counter_set(counters: Json, path: str, causes: list[Cause]) -> None:
    _validate_counters(counters, "name", path, causes)


def _validate_consumption(consumption: Json, path: str, causes: list[Cause]) -> None:
    _validate_counters(consumption, "counterSet", path, causes)


def _validate_counters(holder: Json, naming: str, path: str, causes: list[Cause]) -> None:
    if not (name := holder.get(naming)):
        causes.append(required(f"{path}.{naming}"))
    else:
        validate_label(name, f"{path}.{naming}", causes)
    counters, here = holder.get("counters") or {}, f"{path}.counters"
    if not counters:
        causes.append(required(here))
    elif len(counters) > COUNTERS_MAX:
        causes.append(too_many(here, len(counters), COUNTERS_MAX))
    else:
        for name in counters:
            validate_label(name, here, causes)


def validate_taint_rule(rule: Json, causes: list[Cause]) -> None:
    _validate_rule(rule.get("spec") or {}, None, causes)


def validate_taint_rule_update(new: Json, old: Json, causes: list[Cause]) -> None:
    _validate_rule(new.get("spec") or {}, old.get("spec") or {}, causes)


def _validate_rule(spec: Json, old: Json | None, causes: list[Cause]) -> None:
    selector, here = spec.get("deviceSelector") or {}, "spec.deviceSelector"
    if (driver := selector.get("driver")) is not None:
        causes += driver_errors(driver, f"{here}.driver")
    if (pool := selector.get("pool")) is not None:
        validate_pool_name(pool, f"{here}.pool", causes)
    if (device := selector.get("device")) is not None:
        validate_label(device, f"{here}.device", causes)
    before = None if old is None else old.get("taint") or {}
    validate_taint(spec.get("taint") or {}, before, "spec.taint", causes)


def validate_taint_rule_status(new: Json, old: Json, causes: list[Cause]) -> None:
    conditions = (new.get("status") or {}).get("conditions") or ()
    validate_conditions(conditions, "status.conditions", causes)
    if len(conditions) > RULE_CONDITIONS_MAX:
        causes.append(too_many("status.conditions", len(conditions), RULE_CONDITIONS_MAX))
