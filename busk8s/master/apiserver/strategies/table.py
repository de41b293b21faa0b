"""Which strategy each kind has. Kinds that are not named have the plain one.

Owns      the table, by Resource.key.
Leaves    what the entries mean (base), the kinds with functions of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from busk8s.api.defaulting.service import complete_families, complete_update
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.strategies import (
    certificates,
    daemonsets,
    definitions,
    jobs,
    limitranges,
    namespaces,
    pods,
)
from busk8s.master.apiserver.strategies.base import Strategy

_WORKLOAD = Strategy(generation=True)
_ADMISSION = Strategy(generation=True, unconditional_update=False)
_EAGER = Strategy(create_on_update=True)
_CONDITIONAL = Strategy(unconditional_update=False)

STRATEGIES: Mapping[str, Strategy] = {
    # core
    "pods": Strategy(
        generation=True,
        returns_deleted=True,
        graceful=pods.grace_of,
        on_create=pods.on_create,
        on_update=pods.on_update,
    ),
    "nodes": Strategy(keep_status=True),
    "namespaces": Strategy(
        on_create=namespaces.on_create, on_update=namespaces.on_update, returns_deleted=True
    ),
    "services": Strategy(
        create_on_update=True,
        returns_deleted=True,
        first_status={"loadBalancer": {}},
        on_create=complete_families,
        on_update=complete_update,
    ),
    "endpoints": _EAGER,
    "limitranges": Strategy(create_on_update=True, on_create=limitranges.on_create),
    "events": Strategy(create_on_update=True, durable=False, propagation=""),
    "serviceaccounts": Strategy(returns_deleted=True),
    "podtemplates": Strategy(generation=True, returns_deleted=True),
    "resourcequotas": Strategy(returns_deleted=True),
    "persistentvolumes": Strategy(returns_deleted=True, first_status={"phase": "Pending"}),
    "persistentvolumeclaims": Strategy(returns_deleted=True, first_status={"phase": "Pending"}),
    "replicationcontrollers": Strategy(
        generation=True, propagation="Orphan", first_status={"replicas": 0}
    ),
    # workloads
    "deployments.apps": Strategy(generation=True, annotations_count=True, status_keeps=("labels",)),
    "replicasets.apps": Strategy(generation=True, first_status={"replicas": 0}),
    "statefulsets.apps": Strategy(
        generation=True, first_status={"replicas": 0, "availableReplicas": 0}
    ),
    "daemonsets.apps": Strategy(
        generation=True,
        on_create=daemonsets.on_create,
        on_update=daemonsets.on_update,
        first_status={
            "currentNumberScheduled": 0,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": 0,
            "numberReady": 0,
        },
    ),
    "jobs.batch": Strategy(generation=True, propagation="Orphan", on_create=jobs.on_create),
    "cronjobs.batch": _WORKLOAD,
    "poddisruptionbudgets.policy": Strategy(
        generation=True,
        unconditional_update=False,
        first_status={
            "disruptionsAllowed": 0,
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "expectedPods": 0,
        },
    ),
    "horizontalpodautoscalers.autoscaling": Strategy(
        first_status={"desiredReplicas": 0, "currentMetrics": None}
    ),
    # the rest
    "leases.coordination.k8s.io": Strategy(create_on_update=True, unconditional_update=False),
    "endpointslices.discovery.k8s.io": Strategy(generation=True, labels_count=True),
    "ingresses.networking.k8s.io": Strategy(generation=True, first_status={"loadBalancer": {}}),
    "ingressclasses.networking.k8s.io": _WORKLOAD,
    "networkpolicies.networking.k8s.io": _WORKLOAD,
    "priorityclasses.scheduling.k8s.io": _WORKLOAD,
    "storageclasses.storage.k8s.io": Strategy(returns_deleted=True),
    "csidrivers.storage.k8s.io": Strategy(
        generation=True,
        first_generation=0,
        unconditional_update=False,
        returns_deleted=True,
    ),
    "csistoragecapacities.storage.k8s.io": _CONDITIONAL,
    "csinodes.storage.k8s.io": Strategy(unconditional_update=False, returns_deleted=True),
    "volumeattachments.storage.k8s.io": Strategy(
        unconditional_update=False, returns_deleted=True, first_status={"attached": False}
    ),
    "certificatesigningrequests.certificates.k8s.io": Strategy(
        author=certificates.author, on_update=certificates.on_update
    ),
    "roles.rbac.authorization.k8s.io": _EAGER,
    "rolebindings.rbac.authorization.k8s.io": _EAGER,
    "clusterroles.rbac.authorization.k8s.io": _EAGER,
    "clusterrolebindings.rbac.authorization.k8s.io": _EAGER,
    "runtimeclasses.node.k8s.io": Strategy(create_on_update=True, unconditional_update=False),
    "customresourcedefinitions.apiextensions.k8s.io": Strategy(
        generation=True,
        unconditional_update=False,
        returns_deleted=True,
        on_create=definitions.on_create,
        on_update=definitions.on_update,
    ),
    "flowschemas.flowcontrol.apiserver.k8s.io": _WORKLOAD,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": _WORKLOAD,
    "deviceclasses.resource.k8s.io": _WORKLOAD,
    "resourceslices.resource.k8s.io": _WORKLOAD,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _ADMISSION,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _ADMISSION,
    "apiservices.apiregistration.k8s.io": _CONDITIONAL,
    "mutatingadmissionpolicies.admissionregistration.k8s.io": _ADMISSION,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": _ADMISSION,
    "validatingadmissionpolicies.admissionregistration.k8s.io": _ADMISSION,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _ADMISSION,
}

# A write to their status leaves all of their metadata alone.
_STATUS_ALONE = frozenset(
    {
        "servicecidrs.networking.k8s.io",
        "volumeattachments.storage.k8s.io",
        "apiservices.apiregistration.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "resourceclaims.resource.k8s.io",
    }
)
_PLAIN = Strategy()
_CUSTOM = Strategy(generation=True, unconditional_update=False, status=True, first_status=None)
# Without the subresource, `status` is a field like any other.
_CUSTOM_WHOLE = Strategy(generation=True, unconditional_update=False, status_counts=True)


@lru_cache(maxsize=256)  # One entry a served resource; there are about 80.
def strategy_of(resource: Resource) -> Strategy:
    """The strategy of `resource` (its stored version)."""
    if resource.custom is not None:
        return _CUSTOM if "status" in resource.subresources else _CUSTOM_WHOLE
    strategy = STRATEGIES.get(resource.key, _PLAIN)
    if resource.key in _STATUS_ALONE:
        strategy = replace(strategy, status_keeps=("labels", "annotations"))
    return replace(strategy, status="status" in resource.subresources)
