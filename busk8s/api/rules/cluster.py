"""Nodes, namespaces, events and leases.

Source    Kubernetes API reference; the rules of core, events and coordination validation.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.meta import qualified_name_errors
from busk8s.api.rules.addresses import cidr_errors
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_negative,
    required,
)
from busk8s.api.rules.metadata import STANDARD_FINALIZERS
from busk8s.api.rules.quotas import validate_quantity
from busk8s.api.rules.scheduling import validate_taints
from busk8s.errors import Cause

Json = dict[str, Any]

REPORTING_INSTANCE_LENGTH_MAX = 128
ACTION_LENGTH_MAX = 128
REASON_LENGTH_MAX = 128
NOTE_LENGTH_MAX = 1024
_FEATURE = re.compile(r"[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*", re.ASCII)
FEATURE_MAX = 253
_SET_ONCE = (("podCIDRs", "podCIDR"), ("providerID", "providerID"))


def validate_node(node: Json, causes: list[Cause]) -> None:
    _validate_parts(node, causes)
    cidrs = (node.get("spec") or {}).get("podCIDRs") or []
    wrong: list[Cause] = []
    for index, cidr in enumerate(cidrs):
        wrong += cidr_errors(cidr, f"spec.podCIDRs[{index}]")
    causes += wrong
    if not wrong and len(cidrs) > 1 and len({":" in cidr for cidr in cidrs}) != len(cidrs):
        detail = "may specify no more than one CIDR for each IP family"
        causes.append(invalid("spec.podCIDRs", cidrs, detail))
    swap = (((node.get("status") or {}).get("nodeInfo") or {}).get("swap") or {}).get("capacity")
    if swap is not None and swap <= 0:
        causes.append(invalid("metadata.nodeSwapStatus.capacity", swap, "must be greater than 0"))


def _validate_parts(node: Json, causes: list[Cause]) -> None:
    """What is judged whenever a node is written, its status too."""
    if taints := (node.get("spec") or {}).get("taints"):
        validate_taints(taints, "metadata.taints", causes)  # So upstream says.
    status = node.get("status") or {}
    for part in ("capacity", "allocatable"):
        for name, amount in (status.get(part) or {}).items():
            validate_quantity(name, amount, f"status.{part}.{name}", causes)
    if features := status.get("declaredFeatures"):
        _validate_features(features, "status.declaredFeatures", causes)


def _validate_features(features: list[str], path: str, causes: list[Cause]) -> None:
    before = ""
    for index, feature in enumerate(features):
        here, problem = f"{path}[{index}]", ""
        if len(feature) > FEATURE_MAX:
            problem = f"must be no more than {FEATURE_MAX} characters"
        elif not _FEATURE.fullmatch(feature):
            problem = (
                "must start with an UpperCamelCase segment, with subsequent segments separated by "
                "'/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric "
                "characters and slashes"
            )
        if problem:
            detail = f'invalid feature name "{feature}": {problem}'
            causes.append(invalid(here, feature, detail))
        if index and feature == before:
            causes.append(duplicate(here, feature))
        elif index and feature < before:
            causes.append(invalid(here, feature, "list must be sorted alphabetically"))
        before = feature


def validate_node_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_node(new, causes)
    _validate_kept(new, old, causes)


def validate_node_status(new: Json, old: Json, causes: list[Cause]) -> None:
    _validate_parts(new, causes)
    _validate_kept(new, old, causes)


def _validate_kept(new: Json, old: Json, causes: list[Cause]) -> None:
    seen = set()
    for index, address in enumerate((new.get("status") or {}).get("addresses") or ()):
        key = (address.get("type"), address.get("address"))
        if key in seen:
            shown = {"Type": key[0], "Address": key[1]}
            causes.append(duplicate(f"status.addresses[{index}]", shown))
        seen.add(key)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    for field, name in _SET_ONCE:
        if was.get(field) and spec.get(field) != was[field]:
            detail = f'node updates may not change {name} except from "" to valid'
            causes.append(forbidden(f"spec.{field}", detail))
    if spec.get("externalID") != was.get("externalID"):
        causes.append(forbidden("spec.externalID", "may not be updated"))


def validate_namespace(namespace: Json, causes: list[Cause]) -> None:
    for finalizer in (namespace.get("spec") or {}).get("finalizers") or ():
        _validate_finalizer(finalizer, "spec.finalizers", causes)


def validate_namespace_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """Its finalizers are not written this way."""


def validate_finalize(new: Json, old: Json, causes: list[Cause]) -> None:
    for index, finalizer in enumerate((new.get("spec") or {}).get("finalizers") or ()):
        _validate_finalizer(finalizer, f"spec.finalizers[{index}]", causes)


def _validate_finalizer(finalizer: str, path: str, causes: list[Cause]) -> None:
    causes += invalid_each(path, finalizer, qualified_name_errors(finalizer))
    if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
        detail = "name is neither a standard finalizer name nor is it fully qualified"
        causes.append(invalid(path, finalizer, detail))


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
