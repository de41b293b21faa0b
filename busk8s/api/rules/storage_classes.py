"""Classes of storage, drivers, and what nodes and volumes have to do with them.

Source    Kubernetes API reference, storage.k8s.io/v1; the rules of storage validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import qualified_name_errors, subdomain_errors
from busk8s.api.quantity import nanos
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    immutable,
    invalid,
    invalid_each,
    not_negative,
    not_supported,
    required,
    too_long,
)
from busk8s.api.rules.disks import driver_errors
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.api.rules.storage import validate_volume_spec
from busk8s.errors import Cause

Json = dict[str, Any]

PARAMETERS_MAX = 512
PARAMETERS_BYTES_MAX = 256 * 1024
DRIVER_NAME_MAX = 63
NODE_ID_BYTES_MAX = 192
ATTACH_MESSAGE_MAX = 1024
TOKEN_SECONDS_MIN = 600
TOKEN_SECONDS_MAX = 1 << 32
UPDATE_PERIOD_MIN_S = 10
BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
RECLAIM_POLICIES = ("Delete", "Retain")
GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
LIFECYCLES = ("Ephemeral", "Persistent")


def validate_storage_class(storage_class: Json, causes: list[Cause]) -> None:
    _validate_provisioner(storage_class.get("provisioner") or "", "provisioner", causes)
    _validate_parameters(storage_class.get("parameters") or {}, "parameters", causes)
    policy = storage_class.get("reclaimPolicy")
    if policy and policy not in RECLAIM_POLICIES:
        causes.append(not_supported("reclaimPolicy", policy, RECLAIM_POLICIES))
    mode = storage_class.get("volumeBindingMode")
    if mode is None:
        causes.append(required("volumeBindingMode"))
    elif mode not in BINDING_MODES:
        causes.append(not_supported("volumeBindingMode", mode, BINDING_MODES))
    _validate_topologies(storage_class.get("allowedTopologies") or (), causes)


def _validate_provisioner(name: str, path: str, causes: list[Cause]) -> None:
    if not name:
        causes.append(required(path))
    else:
        causes += invalid_each(path, name, qualified_name_errors(name.lower()))


def _validate_parameters(parameters: Json, path: str, causes: list[Cause]) -> None:
    if len(parameters) > PARAMETERS_MAX:
        causes.append(too_long(path, PARAMETERS_MAX))
        return
    for key in parameters:
        if not key:
            causes.append(invalid(path, key, "field can not be empty."))
    size = sum(len(k.encode()) + len(v.encode()) for k, v in parameters.items())
    if size > PARAMETERS_BYTES_MAX:
        causes.append(too_long(path, PARAMETERS_BYTES_MAX))


def _validate_topologies(terms: Any, causes: list[Cause]) -> None:
    for index, term in enumerate(terms):
        here, keys = f"allowedTopologies[{index}].matchLabelExpressions", set()
        for number, expression in enumerate(term.get("matchLabelExpressions") or ()):
            at, key = f"{here}[{number}]", expression.get("key") or ""
            values = expression.get("values") or []
            if not values:
                causes.append(required(f"{at}.values"))
            for position, value in enumerate(values):
                if value in values[:position]:
                    causes.append(duplicate(f"{at}.values[{position}]", value))
            causes += invalid_each(f"{at}.key", key, qualified_name_errors(key))
            if key in keys:
                causes.append(duplicate(f"{at}.key", key))
            keys.add(key)


def validate_storage_class_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_storage_class(new, causes)
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if (new.get(name) or "") != (old.get(name) or ""):
            causes.append(forbidden(name, f"updates to {name} are forbidden."))
    if new.get("volumeBindingMode") != old.get("volumeBindingMode"):
        causes.append(immutable("volumeBindingMode", new.get("volumeBindingMode")))


def validate_attributes_class(attributes_class: Json, causes: list[Cause]) -> None:
    _validate_provisioner(attributes_class.get("driverName") or "", "driverName", causes)
    parameters = attributes_class.get("parameters") or {}
    if not parameters:
        causes.append(required("parameters", "must contain at least one key/value pair"))
    _validate_parameters(parameters, "parameters", causes)


def validate_attributes_class_update(new: Json, old: Json, causes: list[Cause]) -> None:
    for name in ("driverName", "parameters"):
        if new.get(name) != old.get(name):
            causes.append(forbidden(name, f"updates to {name} are forbidden."))


def validate_csi_driver(driver: Json, causes: list[Cause]) -> None:
    causes += driver_errors(driver["metadata"].get("name") or "", "metadata.name")
    spec = driver.get("spec") or {}
    for name in ("attachRequired", "podInfoOnMount", "storageCapacity"):
        if spec.get(name) is None:
            causes.append(required(f"spec.{name}"))
    policy = spec.get("fsGroupPolicy")
    if policy is None:
        causes.append(required("spec.fsGroupPolicy"))
    elif policy not in GROUP_POLICIES:
        causes.append(not_supported("spec.fsGroupPolicy", policy, GROUP_POLICIES))
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in LIFECYCLES:
            causes.append(not_supported("spec.volumeLifecycleModes", mode, LIFECYCLES))
    _validate_token_requests(spec.get("tokenRequests") or (), causes)
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < UPDATE_PERIOD_MIN_S:
        detail = f"must be greater than or equal to {UPDATE_PERIOD_MIN_S} seconds"
        causes.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, detail))


def _validate_token_requests(requests: Any, causes: list[Cause]) -> None:
    seen = set()
    for index, request in enumerate(requests):
        here, audience = f"spec.tokenRequests[{index}]", request.get("audience") or ""
        if audience in seen:
            causes.append(duplicate(f"{here}.audience", audience))
        seen.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is None:
            continue
        if seconds < TOKEN_SECONDS_MIN:
            detail = "may not specify a duration less than 10 minutes"
            causes.append(invalid(f"{here}.expirationSeconds", seconds, detail))
        elif seconds > TOKEN_SECONDS_MAX:
            detail = "may not specify a duration larger than 2^32 seconds"
            causes.append(invalid(f"{here}.expirationSeconds", seconds, detail))


def validate_csi_driver_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_csi_driver(new, causes)
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    for name in ("attachRequired", "volumeLifecycleModes"):
        if spec.get(name) != was.get(name):
            causes.append(immutable(f"spec.{name}", spec.get(name)))


def validate_csi_node(node: Json, causes: list[Cause]) -> None:
    names = set()
    for index, driver in enumerate((node.get("spec") or {}).get("drivers") or ()):
        here = f"spec.drivers[{index}]"
        name, node_id = driver.get("name") or "", driver.get("nodeID") or ""
        causes += driver_errors(name, f"{here}.name")
        if name in names:
            causes.append(duplicate(f"{here}.name", name))
        names.add(name)
        if not node_id:
            causes.append(required(f"{here}.nodeID"))
        elif len(node_id.encode()) > NODE_ID_BYTES_MAX:
            detail = f"must be {NODE_ID_BYTES_MAX} characters or less"
            causes.append(invalid(f"{here}.nodeID", node_id, detail))
        causes += not_negative(
            f"{here}.allocatable.count", (driver.get("allocatable") or {}).get("count")
        )
        keys = driver.get("topologyKeys") or []
        for number, key in enumerate(keys):
            at = f"{here}.topologyKeys"
            if not key:
                causes.append(required(at))
            if key in keys[:number]:
                causes.append(duplicate(at, key))
            causes += invalid_each(at, key, qualified_name_errors(key))


def validate_csi_node_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """A driver's entry is written anew by taking it away first."""
    validate_csi_node(new, causes)
    before = {each.get("name"): each for each in (old.get("spec") or {}).get("drivers") or ()}
    for driver in (new.get("spec") or {}).get("drivers") or ():
        was = before.get(driver.get("name"))
        fixed = ("name", "nodeID", "topologyKeys")
        if was and any(was.get(name) != driver.get(name) for name in fixed):
            causes.append(invalid("", driver, "field is immutable"))


def validate_storage_capacity(capacity: Json, causes: list[Cause]) -> None:
    name = capacity.get("storageClassName") or ""
    causes += invalid_each("storageClassName", name, subdomain_errors(name))
    for field in ("capacity", "maximumVolumeSize"):
        if field in capacity and nanos(capacity[field]) < 0:
            detail = "must be greater than or equal to 0"
            causes.append(invalid(field, capacity[field], detail))
    if topology := capacity.get("nodeTopology"):
        validate_label_selector(topology, "nodeTopology", causes)


def validate_storage_capacity_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_storage_capacity(new, causes)
    for name in ("nodeTopology", "storageClassName"):
        if new.get(name) != old.get(name):
            causes.append(immutable(name, new.get(name)))


def validate_attachment(attachment: Json, causes: list[Cause]) -> None:
    spec = attachment.get("spec") or {}
    causes += driver_errors(spec.get("attacher") or "", "spec.attacher")
    node = spec.get("nodeName") or ""
    causes += invalid_each("spec.nodeName", node, subdomain_errors(node))
    source = spec.get("source") or {}
    named, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if inline is None and named is None:
        detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        causes.append(required("spec.source", detail))
    elif inline is not None and named is not None:
        detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        causes.append(forbidden("spec.source", detail))
    elif inline is not None:
        here = "spec.source.inlineVolumeSpec"
        validate_volume_spec(inline, here, causes, inline=True)
    elif not named:
        detail = "must specify non empty persistentVolumeName"
        causes.append(required("spec.source.persistentVolumeName", detail))
    validate_attachment_status(attachment, {}, causes)


def validate_attachment_status(new: Json, old: Json, causes: list[Cause]) -> None:
    status = new.get("status") or {}
    metadata = status.get("attachmentMetadata") or {}
    size = sum(len(k.encode()) + len(v.encode()) for k, v in metadata.items())
    if size > PARAMETERS_BYTES_MAX:
        causes.append(too_long("status.attachmentMetadata", PARAMETERS_BYTES_MAX))
    for name in ("attachError", "detachError"):
        if len((status.get(name) or {}).get("message") or "") > ATTACH_MESSAGE_MAX:
            causes.append(too_long(f"status.{name}.message", ATTACH_MESSAGE_MAX))


def validate_attachment_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_attachment(new, causes)
    if new.get("spec") != old.get("spec"):
        causes.append(immutable("spec", new.get("spec")))
