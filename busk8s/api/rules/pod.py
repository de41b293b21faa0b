"""Pods and pod templates, when they come: containers are in `container`, sources in `volumes`.

Owns      the rules of PodSpec.
Leaves    what may change afterwards (pod_update).
Source    Kubernetes API reference, PodSpec; the rules of core validation.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors, subdomain_errors
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalid_each,
    not_supported,
    one_of,
    required,
)
from busk8s.api.rules.container import (
    ID_MAX,
    validate_container,
    validate_resources,
)
from busk8s.api.rules.ephemeral import validate_ephemeral
from busk8s.api.rules.metadata import validate_annotations, validate_labels
from busk8s.api.rules.resize_policy import validate_policies
from busk8s.api.rules.scheduling import (
    validate_affinity,
    validate_gates,
    validate_spread,
    validate_tolerations,
)
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.api.rules.volumes import validate_volumes
from busk8s.errors import Cause

Json = dict[str, Any]

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
NAMESERVERS_MAX = 3
SEARCHES_MAX = 32
SEARCH_LENGTH_MAX = 2048
IP_MESSAGE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_INIT_ONLY = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
# Fields most pods do not have: looked at only when present.
_RARE = frozenset((
    "activeDeadlineSeconds", "affinity", "dnsConfig", "hostAliases",
    "hostname", "imagePullSecrets", "nodeName", "overhead", "preemptionPolicy",
    "priorityClassName", "readinessGates", "resources", "runtimeClassName", "schedulingGates",
    "shareProcessNamespace", "subdomain", "tolerations", "topologySpreadConstraints",
))  # fmt: skip


def validate_pod(pod: Json, causes: list[Cause]) -> None:
    spec = pod.get("spec") or {}
    validate_pod_spec(spec, "spec", causes)
    if spec.get("ephemeralContainers"):
        causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        detail = "cannot be set until all schedulingGates have been cleared"
        causes.append(forbidden("spec.nodeName", detail))


def validate_template(
    template: Json, path: str, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    metadata = template.get("metadata") or {}
    if labels := metadata.get("labels"):
        causes += validate_labels(labels, f"{path}.labels")  # Upstream leaves metadata out here.
    if annotations := metadata.get("annotations"):
        causes += validate_annotations(annotations, f"{path}.annotations")
    spec = template.get("spec") or {}
    validate_pod_spec(spec, f"{path}.spec", causes)
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        causes.append(forbidden(f"{path}.spec.ephemeralContainers", detail))


def validate_pod_spec(spec: Json, path: str, causes: list[Cause]) -> None:
    volumes: dict[str, Json] = {}
    if listed := spec.get("volumes"):
        volumes = validate_volumes(listed, f"{path}.volumes", causes)
    _validate_containers(spec, path, volumes, causes)
    if spec.get("restartPolicy") not in RESTART_POLICIES:
        causes += one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    if spec.get("dnsPolicy") not in DNS_POLICIES:
        causes += one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES)
    elif spec["dnsPolicy"] == "None" and not (spec.get("dnsConfig") or {}).get("nameservers"):
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        causes.append(required(f"{path}.dnsConfig.nameservers", detail))
    if spec.get("terminationGracePeriodSeconds") is None:
        causes.append(required(f"{path}.terminationGracePeriodSeconds"))
    if selector := spec.get("nodeSelector"):
        causes += validate_labels(selector, f"{path}.nodeSelector")
    if context := spec.get("securityContext"):
        _validate_security(context, f"{path}.securityContext", causes)
    if account := spec.get("serviceAccountName"):
        causes += invalid_each(f"{path}.serviceAccountName", account, subdomain_errors(account))
    if not _RARE.isdisjoint(spec):
        _validate_rare(spec, path, causes)


def _validate_containers(
    spec: Json, path: str, volumes: dict[str, Json], causes: list[Cause]
) -> None:
    host_network, restart = bool(spec.get("hostNetwork")), spec.get("restartPolicy", "")
    containers = spec.get("containers")
    if not containers:
        causes.append(required(f"{path}.containers"))
    names: set[str] = set()
    host_ports: set[tuple[str, str, int]] = set()
    for index, container in enumerate(containers or ()):
        here = f"{path}.containers[{index}]"
        validate_container(container, here, volumes, host_network, causes)
        _check_unique(container, here, names, host_ports, causes)
        if policies := container.get("resizePolicy"):
            validate_policies(policies, f"{here}.resizePolicy", restart, causes)
    for index, container in enumerate(spec.get("initContainers") or ()):
        here = f"{path}.initContainers[{index}]"
        if policies := container.get("resizePolicy"):
            validate_policies(policies, f"{here}.resizePolicy", restart, causes)
        validate_container(container, here, volumes, host_network, causes)
        _check_unique(container, here, names, host_ports, causes)
        _validate_init(container, here, causes)
    if ephemeral := spec.get("ephemeralContainers"):
        validate_ephemeral(ephemeral, names, f"{path}.ephemeralContainers", volumes, causes)


def _check_unique(
    container: Json,
    path: str,
    names: set[str],
    host_ports: set[tuple[str, str, int]],
    causes: list[Cause],
) -> None:
    name = container.get("name")
    if name:
        if name in names:
            causes.append(duplicate(f"{path}.name", name))
        names.add(name)
    for index, port in enumerate(container.get("ports") or ()):
        if number := port.get("hostPort"):
            key = (port.get("protocol", ""), port.get("hostIP", ""), number)
            if key in host_ports:
                shown = "/".join(map(str, key))
                causes.append(duplicate(f"{path}.ports[{index}].hostPort", shown))
            host_ports.add(key)


def _validate_init(container: Json, path: str, causes: list[Cause]) -> None:
    """A sidecar (restartPolicy Always) may have what containers have; others run once."""
    policy = container.get("restartPolicy")
    if policy == "Always":
        return
    for name in _INIT_ONLY:
        if name in container:
            detail = "may not be set for init containers without restartPolicy=Always"
            causes.append(forbidden(f"{path}.{name}", detail))
    if policy and policy not in RESTART_POLICIES:
        causes.append(not_supported(f"{path}.restartPolicy", policy, RESTART_POLICIES))


def _validate_security(context: Json, path: str, causes: list[Cause]) -> None:
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        causes += in_range(f"{path}.{name}", context.get(name), 0, ID_MAX)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        causes += in_range(f"{path}.supplementalGroups[{index}]", group, 0, ID_MAX)
    seen = set()
    for index, sysctl in enumerate(context.get("sysctls") or ()):
        name = sysctl.get("name")
        if not name:
            causes.append(required(f"{path}.sysctls[{index}].name"))
        elif name in seen:
            causes.append(duplicate(f"{path}.sysctls[{index}].name", name))
        seen.add(name)
    for name, supported in (
        ("fsGroupChangePolicy", ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", ("Merge", "Strict")),
    ):
        if (value := context.get(name)) is not None and value not in supported:
            causes.append(not_supported(f"{path}.{name}", value, supported))


def _validate_rare(spec: Json, path: str, causes: list[Cause]) -> None:
    deadline = spec.get("activeDeadlineSeconds")
    causes += in_range(f"{path}.activeDeadlineSeconds", deadline, 1, ID_MAX)
    for name in ("nodeName", "priorityClassName", "runtimeClassName"):
        if value := spec.get(name):
            causes += invalid_each(f"{path}.{name}", value, subdomain_errors(value))
    for name in ("hostname", "subdomain"):
        if value := spec.get(name):
            causes += invalid_each(f"{path}.{name}", value, label_errors(value))
    if tolerations := spec.get("tolerations"):
        validate_tolerations(tolerations, f"{path}.tolerations", causes)
    if affinity := spec.get("affinity"):
        validate_affinity(affinity, f"{path}.affinity", causes)
    if constraints := spec.get("topologySpreadConstraints"):
        validate_spread(constraints, f"{path}.topologySpreadConstraints", causes)
    if gates := spec.get("schedulingGates"):
        validate_gates(gates, f"{path}.schedulingGates", causes)
    if config := spec.get("dnsConfig"):
        _validate_dns(config, f"{path}.dnsConfig", causes)
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        _validate_alias(alias, f"{path}.hostAliases[{index}]", causes)
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        condition = gate.get("conditionType") or ""
        here = f"{path}.readinessGates[{index}].conditionType"
        causes += invalid_each(here, condition, qualified_name_errors(condition))
    if (policy := spec.get("preemptionPolicy")) and policy not in PREEMPTION_POLICIES:
        causes.append(not_supported(f"{path}.preemptionPolicy", policy, PREEMPTION_POLICIES))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.append(invalid(f"{path}.shareProcessNamespace", True, detail))
    if resources := spec.get("resources"):
        validate_resources(resources, f"{path}.resources", causes)


def _validate_dns(config: Json, path: str, causes: list[Cause]) -> None:
    servers = config.get("nameservers") or ()
    if len(servers) > NAMESERVERS_MAX:
        detail = f"must not have more than {NAMESERVERS_MAX} nameservers"
        causes.append(invalid(f"{path}.nameservers", servers, detail))
    for index, server in enumerate(servers):
        if not is_ip(server):
            causes.append(invalid(f"{path}.nameservers[{index}]", server, IP_MESSAGE))
    searches = config.get("searches") or ()
    if len(searches) > SEARCHES_MAX:
        detail = f"must not have more than {SEARCHES_MAX} search paths"
        causes.append(invalid(f"{path}.searches", searches, detail))
    if len(" ".join(searches)) > SEARCH_LENGTH_MAX:
        detail = (
            f"must not have more than {SEARCH_LENGTH_MAX} characters (including spaces) in the "
            "search list"
        )
        causes.append(invalid(f"{path}.searches", searches, detail))
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            causes.append(required(f"{path}.options[{index}]", "must not be empty"))


def _validate_alias(alias: Json, path: str, causes: list[Cause]) -> None:
    ip = alias.get("ip") or ""
    if not is_ip(ip):
        causes.append(invalid(f"{path}.ip", ip, IP_MESSAGE))
    for name in alias.get("hostnames") or ():
        causes += invalid_each(f"{path}.hostnames", name, subdomain_errors(name))


def is_ip(text: Any) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return isinstance(text, str) and "%" not in text
