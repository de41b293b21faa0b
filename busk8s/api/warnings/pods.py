"""Warnings about pods and pod templates.

Owns      what is said of a pod's spec and annotations; ports and volumes have their own modules.
Source    upstream pkg/api/pod warnings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from busk8s.api import quantity
from busk8s.api.warnings import labels
from busk8s.api.warnings.ports import of_ports
from busk8s.api.warnings.volumes import of_volumes

Json = dict[str, Any]

_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_APPARMOR_SAID = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_SYSCTLS = 'non-functional in v1.11+; use the "sysctls" field instead'
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": _SYSCTLS,
    "security.alpha.kubernetes.io/unsafe-sysctls": _SYSCTLS,
}
_WHOLE_BYTES = ("memory", "ephemeral-storage")
_NULL_SELECTOR = "a null labelSelector results in matching no pod"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def of_pod(pod: Json, prefix: str = "") -> list[str]:
    """`prefix`: where the template stands, with its dot; empty for a pod itself."""
    spec = pod.get("spec") or {}
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    at = f"{prefix}spec"
    said = labels.of_keys(spec.get("nodeSelector") or (), f"{at}.nodeSelector")
    said += _of_spread(spec, at)
    if annotations:
        said += _of_annotations(spec, annotations, prefix)
    if spec.get("volumes"):
        said += of_volumes(spec["volumes"], f"{at}.volumes")
    said += _twice(spec.get("hostAliases") or (), "ip", f"{at}.hostAliases")
    said += _of_pull_secrets(spec.get("imagePullSecrets") or (), f"{at}.imagePullSecrets")
    said += _fractions(spec.get("overhead") or {}, f"{at}.overhead")
    for container, path in containers(spec, at):
        said += _of_container(container, path)
    said += of_ports(containers(spec, at))
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        rest = "must be >= 0; negative values are invalid and will be treated as 1"
        said.append(f"{at}.terminationGracePeriodSeconds: {rest}")
    if spec.get("affinity"):
        said += _of_affinity(spec["affinity"], f"{at}.affinity")
    return said


def containers(spec: Json, at: str) -> Iterator[tuple[Json, str]]:
    """Every container and where it stands."""
    for part in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(part) or ()):
            yield container, f"{at}.{part}[{index}]"


def _of_spread(spec: Json, at: str) -> list[str]:
    said: list[str] = []
    for index, one in enumerate(spec.get("topologySpreadConstraints") or ()):
        path = f"{at}.topologySpreadConstraints[{index}]"
        key = one.get("topologyKey", "")
        if key in labels.DEPRECATED:
            said.append(f"{path}.topologyKey: {key} is {labels.DEPRECATED[key]}")
        if one.get("labelSelector") is None:
            said.append(f"{path}.labelSelector: {_NULL_SELECTOR}")
    return said


def _of_annotations(spec: Json, annotations: Json, prefix: str) -> list[str]:
    found = {key: said for key, said in _ANNOTATIONS.items() if key in annotations}
    security = spec.get("securityContext") or {}
    if "seccompProfile" not in security and _SECCOMP_POD in annotations:
        found[_SECCOMP_POD] = _SECCOMP
    for container, _ in containers(spec, ""):
        own = container.get("securityContext") or {}
        name = container.get("name", "")
        if "seccompProfile" not in own and _SECCOMP_CONTAINER + name in annotations:
            found[_SECCOMP_CONTAINER + name] = _SECCOMP
        armoured = "appArmorProfile" in own or "appArmorProfile" in security
        if prefix and not armoured and _APPARMOR + name in annotations:
            found[_APPARMOR + name] = _APPARMOR_SAID
    return [f"{prefix}metadata.annotations[{key}]: {said}" for key, said in found.items()]


def _twice(items: Any, key: str, at: str) -> list[str]:
    seen: set[str] = set()
    said: list[str] = []
    for index, item in enumerate(items):
        value = item.get(key, "")
        if value in seen:
            said.append(f'{at}[{index}].{key}: duplicate {key} "{value}"')
        seen.add(value)
    return said


def _of_pull_secrets(secrets: Any, at: str) -> list[str]:
    empty = [
        f'{at}[{index}].name: invalid empty name ""'
        for index, secret in enumerate(secrets)
        if not secret.get("name")
    ]
    return _twice(secrets, "name", at) + empty


def _fractions(amounts: Json, at: str) -> list[str]:
    return [
        f'{at}[{name}]: fractional byte value "{amounts[name]}" is invalid, must be an integer'
        for name in _WHOLE_BYTES
        if name in amounts
        and str(amounts[name]).endswith("m")
        and quantity.millis(amounts[name]) % 1_000
    ]


def _of_container(container: Json, path: str) -> list[str]:
    resources = container.get("resources") or {}
    said: list[str] = []
    for part in ("limits", "requests"):
        if part in resources:
            said += _fractions(resources[part], f"{path}.resources.{part}")
    env = container.get("env") or ()
    if len(env) < 2:
        return said
    seen: set[str] = set()
    for index, item in enumerate(env):
        name = item["name"]
        if name in seen and _hides(item, f"$({name})"):
            rest = f'hides previous definition of "{name}", which may be dropped when using apply'
            said.append(f"{path}.env[{index}]: {rest}")
        seen.add(name)
    return said


def _hides(item: Json, reference: str) -> bool:
    """Whether a second definition does not build on the first."""
    value = item.get("value", "")
    return "valueFrom" in item or value == reference or reference not in value


def _of_affinity(affinity: Json, at: str) -> list[str]:
    node = affinity.get("nodeAffinity") or {}
    path = f"{at}.nodeAffinity"
    terms = (node.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()
    said = labels.of_terms(terms, f"{path}.{_REQUIRED}.nodeSelectorTerms")
    for index, term in enumerate(node.get(_PREFERRED) or ()):
        where = f"{path}.{_PREFERRED}[{index}].preference"
        said += labels.of_term(term.get("preference") or {}, where)
    for kind in ("podAffinity", "podAntiAffinity"):
        own = affinity.get(kind) or {}
        for index, term in enumerate(own.get(_REQUIRED) or ()):
            if term.get("labelSelector") is None:
                said.append(f"{at}.{kind}.{_REQUIRED}[{index}].labelSelector: {_NULL_SELECTOR}")
        for index, weighted in enumerate(own.get(_PREFERRED) or ()):
            if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
                where = f"{at}.{kind}.{_PREFERRED}[{index}].podAffinityTerm.labelSelector"
                said.append(f"{where}: {_NULL_SELECTOR}")
    return said
