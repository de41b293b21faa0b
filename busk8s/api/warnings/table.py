"""Which kind is looked at by which function, and which kinds are deprecated themselves.

Owns      the tables; when an update is looked at.
Leaves    the words (one module a kind group).
Invariant a kind without an entry costs one dictionary lookup.
Source    upstream WarningsOnCreate and WarningsOnUpdate of each kind's strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from busk8s.api.meta import label_errors
from busk8s.api.warnings import labels, network
from busk8s.api.warnings.pods import of_pod
from busk8s.api.warnings.volumes import of_claim_spec, of_class_annotation

Json = dict[str, Any]
Look = Callable[[Json], list[str]]

COMPLETIONS_MAX = 100_000  # Beyond both, finished indexes are too many to be noted.
PARALLELISM_MAX = 10_000
# By resource key: said with every answer, whatever was asked.
DEPRECATED_KINDS = {
    "endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    "componentstatuses": "v1 ComponentStatus is deprecated in v1.19+",
}


def on_create(key: str, obj: Json) -> list[str]:
    """What to tell the creator of `obj` (complete, valid)."""
    look = _LOOKS.get(key)
    said = [] if look is None else look(obj)
    if key in _NAMED:
        problems = label_errors(obj["metadata"].get("name", ""))
        if problems:
            rest = "which can result in surprising behavior; a DNS label is recommended"
            shown = " ".join(problems)
            said.insert(0, f"metadata.name: this is used in {_NAMED[key]}, {rest}: [{shown}]")
    return said


def on_update(key: str, new: Json, old: Json) -> list[str]:
    """What to tell the writer of `new`; nothing where the spec stays, or for pods: few people
    write those, and controllers do it often."""
    look = _LOOKS.get(key)
    if look is None or key in _CREATE_ONLY:
        return []
    if key in _TEMPLATES and new.get("spec") == old.get("spec"):
        return []
    return look(new)


def _of_template(*path: str) -> Look:
    """Looks at the pod template at `path`."""
    prefix = ".".join(path) + "."

    def look(obj: Json) -> list[str]:
        part: Any = obj
        for step in path:
            part = part.get(step) or {}
        return of_pod(part, prefix)

    return look


def _stateful_set(obj: Json) -> list[str]:
    said = _TEMPLATE(obj)
    spec = obj.get("spec") or {}
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        said += of_claim_spec(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")
    if spec.get("revisionHistoryLimit", 0) < 0:
        rest = "a negative value retains all historical revisions; a value >= 0 is recommended"
        said.append(f"spec.revisionHistoryLimit: {rest}")
    return said


def _job(obj: Json) -> list[str]:
    return _of_size(obj.get("spec") or {}, "spec") + _TEMPLATE(obj)


def _cron_job(obj: Json) -> list[str]:
    spec = ((obj.get("spec") or {}).get("jobTemplate") or {}).get("spec") or {}
    return _of_size(spec, "spec.jobTemplate.spec") + _CRON_TEMPLATE(obj)


def _of_size(spec: Json, path: str) -> list[str]:
    many = spec.get("completions", 0) > COMPLETIONS_MAX and (
        spec.get("parallelism", 0) > PARALLELISM_MAX
    )
    if not many or spec.get("completionMode") != "Indexed":
        return []
    return [
        f"{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism "
        "higher than 10^4, Kubernetes might not be able to track completedIndexes when a big "
        "number of indexes fail"
    ]


def _claim(obj: Json) -> list[str]:
    return of_class_annotation(obj) + of_claim_spec(obj.get("spec") or {}, "spec")


def _volume(obj: Json) -> list[str]:
    spec, said = obj.get("spec") or {}, of_class_annotation(obj)
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        rest = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to"
        said.append(f"spec.persistentVolumeReclaimPolicy: {rest} use dynamic provisioning.")
    required = (spec.get("nodeAffinity") or {}).get("required") or {}
    path = "spec.nodeAffinity.required.nodeSelectorTerms"
    return said + labels.of_terms(required.get("nodeSelectorTerms") or (), path)


def _node(obj: Json) -> list[str]:
    if not (obj.get("spec") or {}).get("externalID"):
        return []
    return ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]


def _runtime_class(obj: Json) -> list[str]:
    selector = (obj.get("scheduling") or {}).get("nodeSelector") or {}
    return [
        f"scheduling.nodeSelector: {labels.DEPRECATED[key]}"
        for key in selector
        if key in labels.DEPRECATED
    ]


def _storage_class(obj: Json) -> list[str]:
    return [
        f"allowedTopologies[{i}].matchLabelExpressions[{j}]: {labels.DEPRECATED[one['key']]}"
        for i, topology in enumerate(obj.get("allowedTopologies") or ())
        for j, one in enumerate(topology.get("matchLabelExpressions") or ())
        if one.get("key") in labels.DEPRECATED
    ]


def _account(obj: Json) -> list[str]:
    key = "kubernetes.io/enforce-mountable-secrets"
    if key not in (obj["metadata"].get("annotations") or {}):
        return []
    rest = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{key}]: {rest}"]


_TEMPLATE = _of_template("spec", "template")
_CRON_TEMPLATE = _of_template("spec", "jobTemplate", "spec", "template")
_POD_NAMES = "Pod names and hostnames"
_NAMED = {
    "pods": "the Pod's hostname",
    "deployments.apps": _POD_NAMES,
    "replicasets.apps": _POD_NAMES,
    "statefulsets.apps": _POD_NAMES,
    "replicationcontrollers": _POD_NAMES,
    "jobs.batch": _POD_NAMES,
    "cronjobs.batch": _POD_NAMES,
}
_TEMPLATES = frozenset(
    ("deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps",
     "replicationcontrollers", "jobs.batch", "cronjobs.batch")
)  # fmt: skip
_CREATE_ONLY = frozenset(("pods", "ingresses.networking.k8s.io"))
_LOOKS: Mapping[str, Look] = {
    "pods": of_pod,
    "podtemplates": _of_template("template"),
    **dict.fromkeys(_TEMPLATES, _TEMPLATE),
    "statefulsets.apps": _stateful_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "services": network.of_service,
    "endpoints": network.of_endpoints,
    "ingresses.networking.k8s.io": network.of_ingress,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "nodes": _node,
    "runtimeclasses.node.k8s.io": _runtime_class,
    "storageclasses.storage.k8s.io": _storage_class,
    "serviceaccounts": _account,
}
