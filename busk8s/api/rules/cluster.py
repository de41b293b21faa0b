"""Nodes, namespaces, events and leases.

Source    Kubernetes API reference; the rules of core, events and coordination validation.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from busk8s.api.meta import qualified_name_errors
from busk8s.api.quantity import nanos
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_negative,
    required,
)
from busk8s.api.rules.scheduling import validate_taints
from busk8s.errors import Cause

Json = dict[str, Any]

REPORTING_INSTANCE_LENGTH_MAX = 128
ACTION_LENGTH_MAX = 128
REASON_LENGTH_MAX = 128
NOTE_LENGTH_MAX = 1024
_NODE_SPEC_CHANGEABLE = frozenset((
    "taints", "unschedulable", "podCIDR", "podCIDRs", "providerID", "configSource",
))  # fmt: skip


def validate_node(node: Json, causes: list[Cause]) -> None:
    spec = node.get("spec") or {}
    if taints := spec.get("taints"):
        validate_taints(taints, "spec.taints", causes)
    for index, cidr in enumerate(spec.get("podCIDRs") or ()):
        if not _is_cidr(cidr):
            detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            causes.append(invalid(f"spec.podCIDRs[{index}]", cidr, detail))
    status = node.get("status") or {}
    for name in ("capacity", "allocatable"):
        for key, quantity in (status.get(name) or {}).items():
            if nanos(quantity) < 0:
                detail = "must be greater than or equal to 0"
                causes.append(invalid(f"status.{name}[{key}]", quantity, detail))


def validate_node_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_node(new, causes)
    _validate_addresses(new, causes)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if was.get("podCIDRs") and spec.get("podCIDRs") != was["podCIDRs"]:
        detail = 'node updates may not change podCIDR except from "" to valid'
        causes.append(forbidden("spec.podCIDRs", detail))
    if was.get("providerID") and spec.get("providerID") != was["providerID"]:
        detail = 'node updates may not change providerID except from "" to valid'
        causes.append(forbidden("spec.providerID", detail))
    others = (spec.keys() | was.keys()) - _NODE_SPEC_CHANGEABLE
    if any(spec.get(name) != was.get(name) for name in others):
        detail = (
            "node updates may only change labels, taints, or capacity (or configSource, if the "
            "DynamicKubeletConfig feature gate is enabled)"
        )
        causes.append(forbidden("", detail))


def _validate_addresses(node: Json, causes: list[Cause]) -> None:
    seen = set()
    for index, address in enumerate((node.get("status") or {}).get("addresses") or ()):
        key = (address.get("type"), address.get("address"))
        if key in seen:
            causes.append(duplicate(f"status.addresses[{index}]", address))
        seen.add(key)


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def validate_namespace(namespace: Json, causes: list[Cause]) -> None:
    for finalizer in (namespace.get("spec") or {}).get("finalizers") or ():
        errors = qualified_name_errors(finalizer)
        causes += invalid_each("spec.finalizers", finalizer, errors)
        if not errors and "/" not in finalizer and finalizer != "kubernetes":
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(invalid("spec.finalizers", finalizer, detail))


def validate_namespace_status(new: Json, old: Json, causes: list[Cause]) -> None:
    """A namespace is Terminating exactly while it is being deleted."""
    phase = (new.get("status") or {}).get("phase") or ""
    if (new.get("metadata") or {}).get("deletionTimestamp"):
        if phase != "Terminating":
            detail = "may only be 'Terminating' if `deletionTimestamp` is not empty"
            causes.append(invalid("status.Phase", phase, detail))
    elif phase != "Active":
        detail = "may only be 'Active' if `deletionTimestamp` is empty"
        causes.append(invalid("status.Phase", phase, detail))


def validate_event(event: Json, causes: list[Cause]) -> None:
    """Both forms of event; only one with an eventTime is held to the newer rules."""
    newer = event.get("apiVersion") == "events.k8s.io/v1"
    regarding_name = "regarding" if newer else "involvedObject"
    regarding = event.get(regarding_name) or {}
    namespace = (event.get("metadata") or {}).get("namespace") or ""
    of_object = regarding.get("namespace") or ""
    if of_object != namespace and (of_object or namespace not in ("default", "kube-system")):
        detail = "does not match event.namespace"
        causes.append(invalid(f"{regarding_name}.namespace", of_object, detail))
    if newer or event.get("eventTime"):
        _validate_new_event(event, "reportingController" if newer else "reportingComponent", causes)


def _validate_new_event(event: Json, reporter_name: str, causes: list[Cause]) -> None:
    if not event.get("eventTime"):
        causes.append(required("eventTime"))
    if kind := event.get("type"):
        if kind not in ("Normal", "Warning"):
            causes.append(invalid("type", "", f"has invalid value: {kind}"))
    else:
        causes.append(invalid("type", "", "has invalid value: "))
    reporter = event.get(reporter_name) or ""
    if not reporter:
        causes.append(required("reportingController"))
    causes += invalid_each("reportingController", reporter, qualified_name_errors(reporter))
    for name, limit in (
        ("reportingInstance", REPORTING_INSTANCE_LENGTH_MAX),
        ("action", ACTION_LENGTH_MAX),
        ("reason", REASON_LENGTH_MAX),
    ):
        value = event.get(name) or ""
        if not value:
            causes.append(required(name))
        elif len(value) > limit:
            causes.append(invalid(name, "", f"can have at most {limit} characters"))
    note = event.get("note") or event.get("message") or ""
    if len(note) > NOTE_LENGTH_MAX:
        causes.append(invalid("message", "", f"can have at most {NOTE_LENGTH_MAX} characters"))


def validate_lease(lease: Json, causes: list[Cause]) -> None:
    spec = lease.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        causes.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    causes += not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))
