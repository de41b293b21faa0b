"""Containers: names, images, ports, environment, mounts, probes, resources.

Source    Kubernetes API reference, Container; the rules of core validation.
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
from busk8s.api.quantity import nanos
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalid_each,
    not_found,
    not_negative,
    not_supported,
    one_of,
    required,
)
from busk8s.errors import Cause

Json = dict[str, Any]

PROTOCOLS = ("SCTP", "TCP", "UDP")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("FallbackToLogsOnError", "File")
PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
PORT_NAME_LENGTH_MAX = 15
PORT_MAX = 65535
ID_MAX = 2**31 - 1
FIELD_PATHS = frozenset((
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
))  # fmt: skip
VOLUME_FIELD_PATHS = frozenset((
    "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace",
    "metadata.uid",
))  # fmt: skip
STANDARD_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
RESOURCE_FIELDS = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in sorted(STANDARD_RESOURCES)
)
_SUBSCRIPTED = re.compile(r"metadata\.(annotations|labels)\['(.*)'\]")
_PORT_NAME = re.compile(r"[-a-z0-9]+", re.ASCII)
_HEADER_NAME = re.compile(r"[-A-Za-z0-9]+", re.ASCII)
_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROBE_NUMBERS = (
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold",
    "failureThreshold",
)  # fmt: skip


def validate_container(
    container: Json, path: str, volumes: dict[str, Json], host_network: bool, causes: list[Cause]
) -> None:
    """All but the name's uniqueness, which the pod sees."""
    name = container.get("name")
    if not name:
        causes.append(required(f"{path}.name"))
    elif errors := label_errors(name):
        causes += invalid_each(f"{path}.name", name, errors)
    image = container.get("image")
    if not image:
        causes.append(required(f"{path}.image"))
    elif image[0].isspace() or image[-1].isspace():
        detail = "must not have leading or trailing whitespace"
        causes.append(invalid(f"{path}.image", image, detail))
    if container.get("terminationMessagePolicy") not in MESSAGE_POLICIES:
        policy = container.get("terminationMessagePolicy")
        causes += one_of(f"{path}.terminationMessagePolicy", policy, MESSAGE_POLICIES)
    if container.get("imagePullPolicy") not in PULL_POLICIES:
        policy = container.get("imagePullPolicy")
        causes += one_of(f"{path}.imagePullPolicy", policy, PULL_POLICIES)
    if ports := container.get("ports"):
        _validate_ports(ports, f"{path}.ports", host_network, causes)
    if env := container.get("env"):
        _validate_env(env, f"{path}.env", causes)
    if sources := container.get("envFrom"):
        _validate_env_from(sources, f"{path}.envFrom", causes)
    if mounts := container.get("volumeMounts"):
        _validate_mounts(mounts, f"{path}.volumeMounts", volumes, causes)
    if devices := container.get("volumeDevices"):
        _validate_devices(devices, f"{path}.volumeDevices", volumes, causes)
    if resources := container.get("resources"):
        validate_resources(resources, f"{path}.resources", causes)
    if context := container.get("securityContext"):
        _validate_security(context, f"{path}.securityContext", causes)
    if lifecycle := container.get("lifecycle"):
        for hook in ("postStart", "preStop"):
            if hook in lifecycle:
                _validate_handler(lifecycle[hook], f"{path}.lifecycle.{hook}", causes)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            _validate_probe(container[probe], probe, f"{path}.{probe}", causes)


def port_name_errors(name: str) -> list[str]:
    """IANA service names, as ports are named."""
    errors = []
    if len(name) > PORT_NAME_LENGTH_MAX:
        errors.append(f"must be no more than {PORT_NAME_LENGTH_MAX} bytes")
    if not _PORT_NAME.fullmatch(name):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= character <= "z" for character in name):
        errors.append("must contain at least one letter (a-z)")
    if "--" in name:
        errors.append("must not contain consecutive hyphens")
    if name and (name[0] == "-" or name[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def validate_port_or_name(port: Any, path: str) -> list[Cause]:
    if isinstance(port, int):
        return in_range(path, port, 1, PORT_MAX)
    return invalid_each(path, port, port_name_errors(port or ""))


def _validate_ports(ports: list[Json], path: str, host_network: bool, causes: list[Cause]) -> None:
    names = set()
    for index, port in enumerate(ports):
        name = port.get("name")
        if name:
            if errors := port_name_errors(name):
                causes += invalid_each(f"{path}[{index}].name", name, errors)
            elif name in names:
                causes.append(duplicate(f"{path}[{index}].name", name))
            names.add(name)
        number, host = port.get("containerPort"), port.get("hostPort")
        if not number:
            causes.append(required(f"{path}[{index}].containerPort"))
        elif not 1 <= number <= PORT_MAX:
            causes += in_range(f"{path}[{index}].containerPort", number, 1, PORT_MAX)
        if host and not 1 <= host <= PORT_MAX:
            causes += in_range(f"{path}[{index}].hostPort", host, 1, PORT_MAX)
        if host_network and host != number:
            detail = "must match `hostPort` when `hostNetwork` is true"
            causes.append(invalid(f"{path}[{index}].containerPort", number, detail))
        if port.get("protocol") not in PROTOCOLS:
            causes += one_of(f"{path}[{index}].protocol", port.get("protocol"), PROTOCOLS)


def _validate_env(env: list[Json], path: str, causes: list[Cause]) -> None:
    for index, variable in enumerate(env):
        name = variable.get("name")
        if not name:
            causes.append(required(f"{path}[{index}].name"))
        elif errors := env_name_errors(name):
            causes += invalid_each(f"{path}[{index}].name", name, errors)
        if "valueFrom" in variable:
            _validate_env_source(variable, f"{path}[{index}].valueFrom", causes)


def _validate_env_source(variable: Json, path: str, causes: list[Cause]) -> None:
    source = variable["valueFrom"]
    given = [name for name in _ENV_SOURCES if name in source]
    if not given:
        detail = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or "
            "`secretKeyRef`"
        )
        causes.append(invalid(path, "", detail))
    elif variable.get("value"):
        causes.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    if "fieldRef" in source:
        validate_field_ref(source["fieldRef"], f"{path}.fieldRef", FIELD_PATHS, causes)
    if "resourceFieldRef" in source:
        validate_resource_ref(source["resourceFieldRef"], f"{path}.resourceFieldRef", causes)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if name in source:
            _validate_key_ref(source[name], f"{path}.{name}", causes)


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
        causes += invalid_each(f"{path}.fieldPath", match[2], qualified_name_errors(key))
    elif field in FIELD_PATHS or field in VOLUME_FIELD_PATHS:
        causes.append(not_supported(f"{path}.fieldPath", field, sorted(supported)))
    else:
        detail = f"error converting fieldPath: field label not supported: {field}"
        causes.append(invalid(f"{path}.fieldPath", field, detail))


def validate_resource_ref(reference: Json, path: str, causes: list[Cause]) -> None:
    resource = reference.get("resource")
    if not resource:
        causes.append(required(f"{path}.resource"))
    elif resource not in RESOURCE_FIELDS and ".hugepages-" not in resource:
        causes.append(not_supported(f"{path}.resource", resource, RESOURCE_FIELDS))
    divisor = reference.get("divisor")
    if divisor not in (None, "0", "1", "1m", "1k", "1M", "1G", "1T", "1P", "1E",
                       "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"):  # fmt: skip
        detail = "only divisor's values 1 and whole powers of its unit are supported"
        causes.append(invalid(f"{path}.divisor", divisor, detail))


def _validate_key_ref(reference: Json, path: str, causes: list[Cause]) -> None:
    if not reference.get("name"):
        causes.append(required(f"{path}.name"))
    elif errors := subdomain_errors(reference["name"]):
        causes += invalid_each(f"{path}.name", reference["name"], errors)
    if not reference.get("key"):
        causes.append(required(f"{path}.key"))
    elif errors := config_key_errors(reference["key"]):
        causes += invalid_each(f"{path}.key", reference["key"], errors)


def _validate_env_from(sources: list[Json], path: str, causes: list[Cause]) -> None:
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        if prefix := source.get("prefix"):
            causes += invalid_each(f"{here}.prefix", prefix, env_name_errors(prefix))
        given = [name for name in ("configMapRef", "secretRef") if name in source]
        if not given:
            causes.append(invalid(here, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            causes.append(invalid(here, "", "may not have more than one field specified at a time"))
        for name in given:
            if not source[name].get("name"):
                causes.append(required(f"{here}.{name}.name"))
            elif errors := subdomain_errors(source[name]["name"]):
                causes += invalid_each(f"{here}.{name}.name", source[name]["name"], errors)


def _validate_mounts(
    mounts: list[Json], path: str, volumes: dict[str, Json], causes: list[Cause]
) -> None:
    paths = set()
    for index, mount in enumerate(mounts):
        name, where = mount.get("name"), mount.get("mountPath")
        if not name:
            causes.append(required(f"{path}[{index}].name"))
        elif name not in volumes:
            causes.append(not_found(f"{path}[{index}].name", name))
        if not where:
            causes.append(required(f"{path}[{index}].mountPath"))
        elif where in paths:
            causes.append(invalid(f"{path}[{index}].mountPath", where, "must be unique"))
        paths.add(where)
        for field in ("subPath", "subPathExpr"):
            if inside := mount.get(field):
                causes += relative_path(inside, f"{path}[{index}].{field}")
        if mount.get("subPath") and mount.get("subPathExpr"):
            detail = "subPathExpr and subPath are mutually exclusive"
            causes.append(invalid(f"{path}[{index}].subPathExpr", mount["subPathExpr"], detail))
        if propagation := mount.get("mountPropagation"):
            causes += one_of(f"{path}[{index}].mountPropagation", propagation, PROPAGATIONS)


def _validate_devices(
    devices: list[Json], path: str, volumes: dict[str, Json], causes: list[Cause]
) -> None:
    for index, device in enumerate(devices):
        name = device.get("name")
        if not name:
            causes.append(required(f"{path}[{index}].name"))
        elif name not in volumes:
            causes.append(not_found(f"{path}[{index}].name", name))
        elif not volumes[name].keys() & {"persistentVolumeClaim", "ephemeral"}:
            detail = (
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block "
                "mode"
            )
            causes.append(invalid(f"{path}[{index}].name", name, detail))
        if not device.get("devicePath"):
            causes.append(required(f"{path}[{index}].devicePath"))


def relative_path(text: str, path: str) -> list[Cause]:
    causes = []
    if text.startswith("/"):
        causes.append(invalid(path, text, "must be a relative path"))
    if ".." in text.split("/"):
        causes.append(invalid(path, text, "must not contain '..'"))
    return causes


def validate_resources(resources: Json, path: str, causes: list[Cause]) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, quantities in (("limits", limits), ("requests", requests)):
        for name, quantity in quantities.items():
            if name not in STANDARD_RESOURCES:
                _validate_resource_name(name, f"{path}.{kind}[{name}]", causes)
            exact = nanos(quantity)
            if exact < 0:
                detail = "must be greater than or equal to 0"
                causes.append(invalid(f"{path}.{kind}[{name}]", quantity, detail))
            elif name not in STANDARD_RESOURCES and exact % 10**9:
                causes.append(invalid(f"{path}.{kind}[{name}]", quantity, "must be an integer"))
    for name, quantity in requests.items():
        _validate_request(name, quantity, limits.get(name), f"{path}.requests", causes)
    _validate_claims(resources.get("claims") or (), f"{path}.claims", causes)


def _validate_request(
    name: str, quantity: str, limit: str | None, path: str, causes: list[Cause]
) -> None:
    exclusive = name.startswith("hugepages-") or "/" in name
    if limit is None:
        if exclusive:
            limits = path.replace("requests", "limits")
            detail = "Limit must be set for non overcommitable resources"
            causes.append(required(limits, detail))
        return
    if exclusive and nanos(quantity) != nanos(limit):
        detail = f"must be equal to {name} limit of {limit}"
        causes.append(invalid(path, quantity, detail))
    elif quantity != limit and nanos(quantity) > nanos(limit):
        detail = f"must be less than or equal to {name} limit of {limit}"
        causes.append(invalid(path, quantity, detail))


def _validate_resource_name(name: str, path: str, causes: list[Cause]) -> None:
    if errors := qualified_name_errors(name):
        causes += invalid_each(path, name, errors)
    elif "/" not in name and not name.startswith("hugepages-"):
        causes.append(invalid(path, name, "must be a standard resource type or fully qualified"))
        causes.append(invalid(path, name, "must be a standard resource for containers"))


def _validate_claims(claims: Any, path: str, causes: list[Cause]) -> None:
    seen = set()
    for index, claim in enumerate(claims):
        key = (claim.get("name"), claim.get("request"))
        if not key[0]:
            causes.append(required(f"{path}[{index}].name"))
        elif key in seen:
            causes.append(duplicate(f"{path}[{index}]", claim))
        seen.add(key)


def _validate_security(context: Json, path: str, causes: list[Cause]) -> None:
    for name in ("runAsUser", "runAsGroup"):
        causes += in_range(f"{path}.{name}", context.get(name), 0, ID_MAX)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            causes.append(invalid(path, context, detail))
        added = (context.get("capabilities") or {}).get("add") or ()
        if "CAP_SYS_ADMIN" in added:
            detail = (
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` "
                "CAP_SYS_ADMIN"
            )
            causes.append(invalid(path, context, detail))


def _validate_probe(probe: Json, name: str, path: str, causes: list[Cause]) -> None:
    _validate_handler(probe, path, causes)
    for field in _PROBE_NUMBERS:
        value = probe.get(field)
        if value is not None and value < 0:
            causes += not_negative(f"{path}.{field}", value)
    grace = probe.get("terminationGracePeriodSeconds")
    if name == "readinessProbe":
        if grace is not None:
            detail = "must not be set for readinessProbes"
            causes.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, detail))
        return
    if grace is not None and grace <= 0:
        detail = "must be greater than 0"
        causes.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, detail))
    if probe.get("successThreshold", 1) != 1:
        causes.append(invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))


def _validate_handler(handler: Json, path: str, causes: list[Cause]) -> None:
    given = [name for name in _HANDLERS if name in handler]
    if not given:
        causes.append(required(path, "must specify a handler type"))
    for name in given[1:]:
        causes.append(forbidden(f"{path}.{name}", "may not specify more than 1 handler type"))
    for name in given[:1]:
        here, action = f"{path}.{name}", handler[name]
        if name == "exec":
            if not action.get("command"):
                causes.append(required(f"{here}.command"))
        elif name == "httpGet":
            _validate_http(action, here, causes)
        elif name == "sleep":
            if action.get("seconds", 0) < 0:
                causes += not_negative(f"{here}.seconds", action["seconds"])
        elif name == "grpc":
            causes += in_range(f"{here}.port", action.get("port"), 1, PORT_MAX)
        else:
            causes += validate_port_or_name(action.get("port"), f"{here}.port")


def _validate_http(action: Json, path: str, causes: list[Cause]) -> None:
    if not action.get("path"):
        causes.append(required(f"{path}.path"))
    causes += validate_port_or_name(action.get("port"), f"{path}.port")
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        causes.append(not_supported(f"{path}.scheme", action.get("scheme"), ("HTTP", "HTTPS")))
    for index, header in enumerate(action.get("httpHeaders") or ()):
        name = header.get("name") or ""
        if not _HEADER_NAME.fullmatch(name):
            detail = (
                "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
                "'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"
            )
            causes.append(invalid(f"{path}.httpHeaders[{index}].name", name, detail))
