"""Environment of a container: variables, where their values come from, and whole sources.

Source    Kubernetes API reference, EnvVar and EnvFromSource; the rules of core validation.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.meta import (
    config_key_errors,
    env_name_errors,
    label_errors,
    qualified_name_errors,
    subdomain_errors,
)
from busk8s.api.rules.cause import invalid, invalid_each, not_found, not_supported, required
from busk8s.api.rules.paths import no_way_up
from busk8s.errors import Cause

Json = dict[str, Any]

FIELD_PATHS = frozenset((
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
))  # fmt: skip
VOLUME_FIELD_PATHS = frozenset((
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace",
    "metadata.uid",
))  # fmt: skip
RESOURCE_FIELDS = tuple(
    f"{kind}.{name}"
    for kind in ("limits", "requests")
    for name in ("cpu", "ephemeral-storage", "memory")
)
# Fields a pod has, of which only some are for this use.
_CONVERTIBLE = (
    FIELD_PATHS | VOLUME_FIELD_PATHS | {"spec.restartPolicy", "spec.schedulerName", "status.phase"}
)
_SUBSCRIPTED = re.compile(r"metadata\.(annotations|labels)\['(.*)'\]")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_CPU_UNITS = ("1m", "1")
_BYTE_UNITS = (
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
)  # fmt: skip
_KINDS = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "local ephemeral storage"}


def validate_env(env: list[Json], path: str, volumes: dict[str, Json], causes: list[Cause]) -> None:
    for index, variable in enumerate(env):
        name = variable.get("name")
        if not name:
            causes.append(required(f"{path}[{index}].name"))
        elif errors := env_name_errors(name):
            causes += invalid_each(f"{path}[{index}].name", name, errors)
        if variable.get("valueFrom") is not None:
            _validate_source(variable, f"{path}[{index}].valueFrom", volumes, causes)


def _validate_source(
    variable: Json, path: str, volumes: dict[str, Json], causes: list[Cause]
) -> None:
    source = variable["valueFrom"]
    given = [name for name in _SOURCES if source.get(name) is not None]
    for name in given:
        reference, here = source[name], f"{path}.{name}"
        if name == "fieldRef":
            validate_field_ref(reference, here, FIELD_PATHS, causes)
        elif name == "resourceFieldRef":
            validate_resource_ref(reference, here, causes)
        elif name == "fileKeyRef":
            _validate_file_ref(reference, here, volumes, causes)
        else:
            _validate_key_ref(reference, here, causes)
    if not given:
        detail = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
            "`secretKeyRef` or `fileKeyRef`"
        )
        causes.append(invalid(path, "", detail))
    elif variable.get("value"):
        causes.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        causes.append(invalid(path, "", "may not have more than one field specified at a time"))


def validate_field_ref(
    reference: Json, path: str, supported: frozenset[str], causes: list[Cause]
) -> None:
    if not reference.get("apiVersion"):
        causes.append(required(f"{path}.apiVersion"))
        return
    field = reference.get("fieldPath")
    if not field:
        causes.append(required(f"{path}.fieldPath"))
    elif field in supported:
        return
    elif match := _SUBSCRIPTED.fullmatch(field):
        key = match[2].lower() if match[1] == "annotations" else match[2]
        causes += invalid_each(path, key, qualified_name_errors(key))
    elif field in _CONVERTIBLE:
        causes.append(not_supported(f"{path}.fieldPath", field, sorted(supported)))
    else:
        detail = f"error converting fieldPath: field label not supported: {field}"
        causes.append(invalid(f"{path}.fieldPath", field, detail))


def validate_resource_ref(
    reference: Json, path: str, causes: list[Cause], *, volume: bool = False
) -> None:
    """`volume`: outside of a container, which must be named then."""
    resource = reference.get("resource") or ""
    pages = resource.startswith(("limits.hugepages-", "requests.hugepages-"))
    if volume and not reference.get("containerName"):
        causes.append(required(f"{path}.containerName"))
    elif not resource:
        causes.append(required(f"{path}.resource"))
    elif resource not in RESOURCE_FIELDS and not pages:
        causes.append(not_supported(f"{path}.resource", resource, RESOURCE_FIELDS))
    divisor = reference.get("divisor")
    if divisor in (None, "0"):
        return
    kind = "hugepages" if pages else _KINDS.get(resource.partition(".")[2], "")
    units = _CPU_UNITS if kind == "cpu" else _BYTE_UNITS
    if kind and divisor not in units:
        shown = "1m and 1" if kind == "cpu" else ", ".join(units)
        detail = f"only divisor's values {shown} are supported with the {kind} resource"
        causes.append(invalid(f"{path}.divisor", resource, detail))


def _validate_key_ref(reference: Json, path: str, causes: list[Cause]) -> None:
    name, key = reference.get("name") or "", reference.get("key")
    if errors := subdomain_errors(name):
        causes += invalid_each(f"{path}.name", name, errors)
    if not key:
        causes.append(required(f"{path}.key"))
    elif errors := config_key_errors(key):
        causes += invalid_each(f"{path}.key", key, errors)


def _validate_file_ref(
    reference: Json, path: str, volumes: dict[str, Json], causes: list[Cause]
) -> None:
    """A variable out of a file, in a volume that other containers fill."""
    key, volume, where = (reference.get(name) for name in ("key", "volumeName", "path"))
    if not key:
        causes.append(required(f"{path}.key"))
    else:
        causes += invalid_each(f"{path}.key", key, env_name_errors(key))
    if not volume:
        causes.append(required(f"{path}.volumeName"))
    else:
        causes += invalid_each(f"{path}.volumeName", volume, label_errors(volume))
        if volume not in volumes:
            causes.append(not_found(f"{path}.volumeName", volume))
        elif volumes[volume].get("emptyDir") is None:
            detail = "referenced volume must be of type emptyDir"
            causes.append(invalid(f"{path}.volumeName", volume, detail))
    if not where:
        causes.append(required(f"{path}.path"))
    else:
        causes += no_way_up(where, f"{path}.path")


def validate_env_from(sources: list[Json], path: str, causes: list[Cause]) -> None:
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        if prefix := source.get("prefix"):
            causes += invalid_each(f"{here}.prefix", prefix, env_name_errors(prefix))
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in given:
            referred = source[name].get("name")
            if not referred:
                causes.append(required(f"{here}.{name}.name"))
            elif errors := subdomain_errors(referred):
                causes += invalid_each(f"{here}.{name}.name", referred, errors)
        if not given:
            causes.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            causes.append(invalid(path, "", "may not have more than one field specified at a time"))
