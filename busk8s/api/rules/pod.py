"""Pods and pod templates, when they come; each part of them has its own module.

Owns      the order of the rules of PodSpec, and what is the pod's own: policies, claims, gates.
Leaves    containers (container), volumes, security, placement (scheduling), names (pod_network),
          what may change afterwards (pod_update), what a stored pod breaks already (ratcheting).
Invariant a field that few pods have costs nothing where it is not there.
Source    Kubernetes API reference, PodSpec; the rules of core validation.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors, subdomain_errors
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalid_each,
    one_of,
    required,
)
from busk8s.api.rules.container import validate_containers, validate_init_containers
from busk8s.api.rules.ephemeral import MIRROR, validate_ephemeral
from busk8s.api.rules.metadata import validate_annotations, validate_labels
from busk8s.api.rules.pod_context import PodContext, context_of
from busk8s.api.rules.pod_network import (
    validate_aliases,
    validate_dns,
    validate_host_ports,
    validate_hostname,
    validate_names,
)
from busk8s.api.rules.resources import validate_pod_resources, validate_resources
from busk8s.api.rules.scheduling import (
    validate_affinity,
    validate_gates,
    validate_spread,
    validate_tolerations,
)
from busk8s.api.rules.security import (
    ID_MAX,
    validate_host_users,
    validate_pod_security,
    validate_profile_annotations,
    validate_profiles_match,
    validate_shared_processes,
)
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.api.rules.volumes import validate_volumes
from busk8s.api.rules.windows import validate_host_processes, validate_system
from busk8s.errors import Cause

Json = dict[str, Any]

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_COST = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
# Fields most pods come without: looked at only when one is present.
_RARE = frozenset((
    "activeDeadlineSeconds", "affinity", "dnsConfig", "hostAliases", "hostUsers", "hostname",
    "hostnameOverride", "nodeName", "os", "overhead", "preemptionPolicy", "priorityClassName",
    "readinessGates", "resourceClaims", "runtimeClassName", "schedulingGates",
    "shareProcessNamespace", "subdomain", "topologySpreadConstraints",
))  # fmt: skip


def validate_pod(pod: Json, causes: list[Cause]) -> None:
    spec = pod.get("spec") or {}
    validate_whole_pod(pod, causes, STRICT)
    if spec.get("ephemeralContainers"):
        causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if annotations := (pod.get("metadata") or {}).get("annotations"):
        validate_profiles_match(annotations, spec, "spec", causes)
    if spec.get("nodeName") and spec.get("schedulingGates"):
        detail = "cannot be set until all schedulingGates have been cleared"
        causes.append(forbidden("spec.nodeName", detail))


def validate_whole_pod(pod: Json, causes: list[Cause], allowed: Tolerance) -> None:
    """A pod's spec and what its metadata says of it, on create and on update."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    if annotations := metadata.get("annotations"):
        validate_pod_annotations(annotations, spec, "metadata.annotations", causes, allowed)
    validate_pod_spec(spec, "spec", causes, allowed, metadata=metadata)
    if not spec.get("serviceAccountName"):
        _forbid_tokens(spec, causes)


def validate_template(
    template: Json, path: str, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    if labels := metadata.get("labels"):
        causes += validate_labels(labels, f"{path}.labels")  # Upstream leaves metadata out here.
    if annotations := metadata.get("annotations"):
        here = f"{path}.annotations"
        causes += validate_annotations(annotations, here)
        validate_pod_annotations(annotations, spec, here, causes, allowed)
    validate_pod_spec(spec, f"{path}.spec", causes, allowed)
    if annotations:
        validate_profiles_match(annotations, spec, f"{path}.spec", causes)
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        causes.append(forbidden(f"{path}.spec.ephemeralContainers", detail))


def validate_pod_annotations(
    annotations: Json, spec: Json, path: str, causes: list[Cause], allowed: Tolerance
) -> None:
    if MIRROR in annotations and not spec.get("nodeName"):
        detail = "must set spec.nodeName if mirror pod annotation is set"
        causes.append(invalid(f"{path}[{MIRROR}]", annotations[MIRROR], detail))
    cost = annotations.get(DELETION_COST)
    if cost is not None and not allowed.deletion_cost and not is_cost(cost):
        causes.append(invalid(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))
    causes += validate_profile_annotations(annotations, spec, path)


def is_cost(text: str) -> bool:
    return bool(_COST.fullmatch(text)) and -(2**31) <= int(text) < 2**31


def _forbid_tokens(spec: Json, causes: list[Cause]) -> None:
    for index, volume in enumerate(spec.get("volumes") or ()):
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            if source.get("serviceAccountToken") is not None:
                path = f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken"
                detail = "must not be specified when serviceAccountName is not set"
                causes.append(forbidden(path, detail))


def validate_pod_spec(
    spec: Json,
    path: str,
    causes: list[Cause],
    allowed: Tolerance = STRICT,
    *,
    metadata: Json | None = None,
) -> None:
    """`metadata`: of the pod; None for a template, whose pods have names of their own."""
    pod = context_of(spec, whole=metadata is not None, allowed=allowed)
    if pod.grace is None:
        causes.append(required(f"{path}.terminationGracePeriodSeconds"))
    if listed := spec.get("volumes"):
        name = (metadata or {}).get("name") or ""
        pod.volumes = validate_volumes(
            listed, f"{path}.volumes", causes, pod_name=name, whole=pod.whole, allowed=allowed
        )
    if claims := spec.get("resourceClaims"):
        _validate_claims(claims, f"{path}.resourceClaims", metadata or {}, causes)
    _validate_all_containers(spec, path, pod, causes)
    if spec.get("resources") is not None:
        validate_pod_resources(spec, path, pod.claims, allowed, causes)
    if spec.get("hostNetwork"):
        validate_host_ports(spec, path, pod.whole, causes)
    if spec.get("restartPolicy") not in RESTART_POLICIES:
        causes += one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    if spec.get("dnsPolicy") not in DNS_POLICIES:
        causes += one_of(f"{path}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES)
    elif spec["dnsPolicy"] == "None" or "dnsConfig" in spec:
        validate_dns(spec, path, causes)
    if selector := spec.get("nodeSelector"):
        causes += validate_labels(selector, f"{path}.nodeSelector")
    if context := spec.get("securityContext"):
        pod.windows |= "windowsOptions" in context
        validate_pod_security(spec, path, causes, allowed)
    if pod.windows:
        validate_host_processes(spec, path, causes)
    if account := spec.get("serviceAccountName"):
        causes += invalid_each(f"{path}.serviceAccountName", account, subdomain_errors(account))
    if tolerations := spec.get("tolerations"):
        validate_tolerations(tolerations, f"{path}.tolerations", causes)
    if not _RARE.isdisjoint(spec):
        _validate_rare(spec, path, causes, allowed)


def _validate_all_containers(spec: Json, path: str, pod: PodContext, causes: list[Cause]) -> None:
    names: set[str] = set()
    if containers := spec.get("containers"):
        validate_containers(containers, f"{path}.containers", pod, names, causes)
    else:
        causes.append(required(f"{path}.containers"))
    if containers := spec.get("initContainers"):
        validate_init_containers(containers, f"{path}.initContainers", pod, names, causes)
    if containers := spec.get("ephemeralContainers"):
        validate_ephemeral(containers, names, f"{path}.ephemeralContainers", pod, causes)


def _validate_claims(claims: list[Json], path: str, metadata: Json, causes: list[Cause]) -> None:
    if MIRROR in (metadata.get("annotations") or {}):
        causes.append(forbidden("", "static pods do not support resource claims"))
        return
    names: set[str] = set()
    fields = ("resourceClaimName", "resourceClaimTemplateName")
    for index, claim in enumerate(claims):
        here, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            causes.append(required(f"{here}.name"))
        elif name in names:
            causes.append(duplicate(f"{here}.name", name))
        else:
            causes += invalid_each(f"{here}.name", name, label_errors(name))
        names.add(name)
        given = [field for field in fields if claim.get(field) is not None]
        if len(given) == 2:
            detail = (
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            )
            causes.append(invalid(here, claim, detail))
        if not given:
            detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            causes.append(invalid(here, claim, detail))
        for field in given:
            causes += invalid_each(f"{here}.{field}", claim[field], subdomain_errors(claim[field]))


def _validate_rare(spec: Json, path: str, causes: list[Cause], allowed: Tolerance) -> None:
    """In upstream's order, as far as what is here goes."""
    validate_shared_processes(spec, path, causes)
    if affinity := spec.get("affinity"):
        validate_affinity(affinity, f"{path}.affinity", causes, allowed)
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        condition = gate.get("conditionType") or ""
        here = f"{path}.readinessGates[{index}].conditionType"
        causes += invalid_each(here, condition, qualified_name_errors(condition))
    if gates := spec.get("schedulingGates"):
        validate_gates(gates, f"{path}.schedulingGates", causes)
    if constraints := spec.get("topologySpreadConstraints"):
        validate_spread(constraints, f"{path}.topologySpreadConstraints", causes, allowed)
    if spec.get("hostUsers") is False:
        validate_host_users(spec, path, causes, allowed)
    if spec.get("hostnameOverride") is not None:
        validate_hostname(spec, path, causes)
    if name := spec.get("nodeName"):
        causes += invalid_each(f"{path}.nodeName", name, subdomain_errors(name))
    deadline = spec.get("activeDeadlineSeconds")
    causes += in_range(f"{path}.activeDeadlineSeconds", deadline, 1, ID_MAX)
    validate_names(spec, path, causes)
    if aliases := spec.get("hostAliases"):
        validate_aliases(aliases, f"{path}.hostAliases", causes)
    if name := spec.get("priorityClassName"):
        causes += invalid_each(f"{path}.priorityClassName", name, subdomain_errors(name))
    if (name := spec.get("runtimeClassName")) is not None:
        causes += invalid_each(f"{path}.runtimeClassName", name, subdomain_errors(name))
    policy = spec.get("preemptionPolicy")
    if policy is not None and policy not in PREEMPTION_POLICIES:
        causes += one_of(f"{path}.preemptionPolicy", policy, PREEMPTION_POLICIES)
    if overhead := spec.get("overhead"):
        validate_resources({"limits": overhead}, f"{path}.overhead", causes, allowed=allowed)
    if spec.get("os") is not None:
        validate_system(spec, path, causes)
