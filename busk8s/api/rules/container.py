"""Containers: what all of them have in common, what those that run on add, what init ones lack.

Leaves    each part (environment, ports, mounts, resources, security, handlers, restart_rules).
Source    Kubernetes API reference, Container; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import label_errors
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    one_of,
    required,
)
from busk8s.api.rules.environment import validate_env, validate_env_from
from busk8s.api.rules.handlers import PROBES, validate_handlers
from busk8s.api.rules.mounts import validate_devices, validate_mounts
from busk8s.api.rules.pod_context import PodContext
from busk8s.api.rules.ports import check_host_ports, validate_ports
from busk8s.api.rules.resize_policy import validate_policies
from busk8s.api.rules.resources import validate_resources
from busk8s.api.rules.restart_rules import validate_restart
from busk8s.api.rules.security import validate_container_security
from busk8s.errors import Cause

Json = dict[str, Any]

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RUNS_ON = ("lifecycle", *PROBES)
_HANDLED = frozenset(_RUNS_ON)


def validate_container(container: Json, path: str, pod: PodContext, causes: list[Cause]) -> None:
    """What holds for every sort of container; names are unique within the pod, which sees it."""
    name = container.get("name")
    if not name:
        causes.append(required(f"{path}.name"))
    elif errors := label_errors(name):
        causes += invalid_each(f"{path}.name", name, errors)
    image = container.get("image")
    if not image:
        causes.append(required(f"{path}.image"))
    elif pod.whole and (image[0].isspace() or image[-1].isspace()):
        detail = "must not have leading or trailing whitespace"
        causes.append(invalid(f"{path}.image", image, detail))
    if container.get("terminationMessagePolicy") not in MESSAGE_POLICIES:
        policy = container.get("terminationMessagePolicy")
        causes += one_of(f"{path}.terminationMessagePolicy", policy, MESSAGE_POLICIES)
    if ports := container.get("ports"):
        validate_ports(ports, f"{path}.ports", causes)
    if env := container.get("env"):
        validate_env(env, f"{path}.env", pod.volumes, causes)
    if sources := container.get("envFrom"):
        validate_env_from(sources, f"{path}.envFrom", causes)
    if container.get("volumeMounts"):
        validate_mounts(container, f"{path}.volumeMounts", pod.volumes, causes)
    if container.get("volumeDevices"):
        validate_devices(container, f"{path}.volumeDevices", pod.volumes, causes)
    if container.get("imagePullPolicy") not in PULL_POLICIES:
        policy = container.get("imagePullPolicy")
        causes += one_of(f"{path}.imagePullPolicy", policy, PULL_POLICIES)
    if resources := container.get("resources"):
        here, allowed = f"{path}.resources", pod.allowed
        validate_resources(resources, here, causes, claims=pod.claims, allowed=allowed)
    if policies := container.get("resizePolicy"):
        validate_policies(policies, f"{path}.resizePolicy", pod.restart, causes)
    if context := container.get("securityContext"):
        here = f"{path}.securityContext"
        pod.windows |= "windowsOptions" in context
        validate_container_security(context, here, pod.host_users, causes)


def validate_containers(
    containers: list[Json], path: str, pod: PodContext, names: set[str], causes: list[Cause]
) -> None:
    """The containers proper. `names` is filled with theirs."""
    host_ports: set[tuple[str, str, int]] = set()
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        validate_container(container, here, pod, causes)
        _check_name(container, here, names, causes)
        if not _HANDLED.isdisjoint(container):
            validate_handlers(container, here, pod, causes)
        if "restartPolicy" in container or "restartPolicyRules" in container:
            validate_restart(container, here, causes)
        if container.get("ports"):
            check_host_ports(container, here, host_ports, causes)


def validate_init_containers(
    containers: list[Json], path: str, pod: PodContext, names: set[str], causes: list[Cause]
) -> None:
    """They run one by one, so their ports may be the same; a sidecar (`Always`) runs on."""
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        validate_container(container, here, pod, causes)
        if "restartPolicy" in container or "restartPolicyRules" in container:
            validate_restart(container, here, causes)
        _check_name(container, here, names, causes)
        if container.get("ports"):
            check_host_ports(container, here, set(), causes)
        sidecar = container.get("restartPolicy") == "Always"
        if sidecar:
            validate_handlers(container, here, pod, causes)
        else:
            _forbid_handlers(container, here, causes)
        if not sidecar and not pod.allowed.init_restart:
            causes += restarts_on_resize(container, here)


def restarts_on_resize(container: Json, path: str) -> list[Cause]:
    """A container that runs once cannot be restarted to be given more."""
    detail = "must not be set to 'RestartContainer' for non-sidecar initContainers"
    return [
        invalid(f"{path}.resizePolicy[{index}].restartPolicy", "RestartContainer", detail)
        for index, policy in enumerate(container.get("resizePolicy") or ())
        if policy.get("restartPolicy") == "RestartContainer"
    ]


def _forbid_handlers(container: Json, path: str, causes: list[Cause]) -> None:
    for name in _RUNS_ON:
        if container.get(name) is not None:
            detail = "may not be set for init containers without restartPolicy=Always"
            causes.append(forbidden(f"{path}.{name}", detail))


def _check_name(container: Json, path: str, names: set[str], causes: list[Cause]) -> None:
    if name := container.get("name"):
        if name in names:
            causes.append(duplicate(f"{path}.name", name))
        names.add(name)
