"""The environment, command and arguments of a container: references resolved, $(VAR) expanded.

Owns      the order of precedence: service links, envFrom, env; and upstream's error messages.
Leaves    the downward API's fields (downward.py), where objects come from (`lookup`).
Invariant pure; raises EnvError for what keeps the container from being created.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from busk8s.api.object import Json, Object
from busk8s.worker.kubelet.downward import Facts, field_value, resource_value
from busk8s.worker.kubelet.pods import Pod

Lookup = Callable[[str, str, str], Object | None]  # (resource key, namespace, name)


class EnvError(Exception):
    """Shown as CreateContainerConfigError with this message."""


def environment(
    pod: Pod, container: Json, facts: Facts, lookup: Lookup, services: Iterable[Object]
) -> dict[str, str]:
    found = _service_links(pod, services)
    for source in container.get("envFrom") or ():
        found.update(_from_source(pod, source, lookup))
    own: dict[str, str] = {}
    for variable in container.get("env") or ():
        value = _value(pod, container, variable, facts, lookup, {**found, **own})
        if value is not None:
            own[variable["name"]] = value
    return {**found, **own}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` becomes its value, `$$` a dollar sign; what is not known stays as written."""
    out: list[str] = []
    at = 0
    while at < len(text):
        dollar = text.find("$", at)
        if dollar < 0 or dollar + 1 >= len(text):
            break
        out.append(text[at:dollar])
        if text[dollar + 1] == "$":
            out.append("$")
            at = dollar + 2
        elif text[dollar + 1] == "(" and (end := text.find(")", dollar)) > 0:
            name = text[dollar + 2 : end]
            out.append(variables.get(name, text[dollar : end + 1]))
            at = end + 1
        else:
            out.append(text[dollar : dollar + 2])
            at = dollar + 2
    out.append(text[at:])
    return "".join(out)


def expand_all(texts: Sequence[str] | None, variables: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(expand(text, variables) for text in texts or ())


def _service_links(pod: Pod, services: Iterable[Object]) -> dict[str, str]:
    """Docker-style variables of the services in the pod's namespace, and of `kubernetes`."""
    linked = pod.spec.get("enableServiceLinks", True) is not False
    found: dict[str, str] = {}
    for service in services:
        master = service.namespace == "default" and service.name == "kubernetes"
        if not master and not (linked and service.namespace == pod.namespace):
            continue
        found.update(_service_variables(service.name, service.data.get("spec") or {}))
    return found


def _service_variables(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    ip, ports = spec.get("clusterIP", ""), spec.get("ports") or ()
    if not ip or ip == "None" or not ports:
        return {}
    prefix = name.upper().replace("-", "_")
    found = {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            label = port["name"].upper().replace("-", "_")
            found[f"{prefix}_SERVICE_PORT_{label}"] = str(port["port"])
    for index, port in enumerate(ports):
        protocol = port.get("protocol", "TCP")
        host = f"[{ip}]" if ":" in ip else ip
        url = f"{protocol.lower()}://{host}:{port['port']}"
        stem = f"{prefix}_PORT_{port['port']}_{protocol}"
        if index == 0:
            found[f"{prefix}_PORT"] = url
        found[stem] = url
        found[f"{stem}_PROTO"] = protocol.lower()
        found[f"{stem}_PORT"] = str(port["port"])
        found[f"{stem}_ADDR"] = ip
    return found


def _from_source(pod: Pod, source: Json, lookup: Lookup) -> dict[str, str]:
    prefix = source.get("prefix", "")
    if reference := source.get("configMapRef"):
        values = _config_map(pod, reference, lookup)
    elif reference := source.get("secretRef"):
        values = _secret(pod, reference, lookup)
    else:
        raise EnvError("envFrom: only configMapRef and secretRef are supported")
    return {prefix + key: value for key, value in (values or {}).items()}


def _value(
    pod: Pod,
    container: Json,
    variable: Json,
    facts: Facts,
    lookup: Lookup,
    before: Mapping[str, str],
) -> str | None:
    """None: left out, because an optional reference leads nowhere."""
    source = variable.get("valueFrom")
    if not source:
        return expand(variable.get("value") or "", before)
    if reference := source.get("fieldRef"):
        return field_value(pod, reference["fieldPath"], facts)
    if reference := source.get("resourceFieldRef"):
        return resource_value(pod, container, reference, facts)
    if reference := source.get("configMapKeyRef"):
        return _key(_config_map(pod, reference, lookup), reference, pod, "ConfigMap")
    if reference := source.get("secretKeyRef"):
        return _key(_secret(pod, reference, lookup), reference, pod, "Secret")
    names = ", ".join(source)
    raise EnvError(f"env {variable['name']}: valueFrom {names} is not supported")


def _key(values: dict[str, str] | None, reference: Json, pod: Pod, kind: str) -> str | None:
    if values is None:
        return None
    key = reference["key"]
    if key in values:
        return values[key]
    if reference.get("optional"):
        return None
    where = f"{pod.namespace}/{reference.get('name', '')}"
    raise EnvError(f"couldn't find key {key} in {kind} {where}")


def _config_map(pod: Pod, reference: Json, lookup: Lookup) -> dict[str, str] | None:
    name = reference.get("name", "")
    found = lookup("configmaps", pod.namespace, name)
    if found is None:
        if reference.get("optional"):
            return None
        raise EnvError(f'configmap "{name}" not found')
    return dict(found.data.get("data") or {})


def _secret(pod: Pod, reference: Json, lookup: Lookup) -> dict[str, str] | None:
    name = reference.get("name", "")
    found = lookup("secrets", pod.namespace, name)
    if found is None:
        if reference.get("optional"):
            return None
        raise EnvError(f'secret "{name}" not found')
    return {key: _text(name, key, value) for key, value in (found.data.get("data") or {}).items()}


def _text(name: str, key: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "surrogateescape")
    except binascii.Error as error:
        raise EnvError(f'secret "{name}" key {key}: not base64') from error
