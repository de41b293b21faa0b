"""Fills what the sender left out, as upstream does for each kind.

Owns      which defaults a kind has.
Leaves    allocation (cluster IPs, node ports), admission's defaults (service accounts,
          tolerations), and what only a create sets (status.phase of pods, namespace finalizers).
Invariant in place, and only what is absent or not canonical is written: applying twice changes
          nothing, and parts shared with a stored object are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from busk8s.api.defaulting import (
    admission_policies,
    devices,
    flowcontrol,
    policies,
    service,
    storage,
    workloads,
)
from busk8s.api.defaulting.pod import Json, default_pod, default_pod_template
from busk8s.api.rules import definitions
from busk8s.api.scheme import Resource

__all__ = ["DEFAULTS", "apply_defaults", "default_pod_template"]

DEFAULTS: Mapping[str, Callable[[Json], None]] = {
    "pods": default_pod,
    "podtemplates": workloads.default_template_object,
    "replicationcontrollers": workloads.default_replication_controller,
    "deployments.apps": workloads.default_deployment,
    "replicasets.apps": workloads.default_replica_set,
    "daemonsets.apps": workloads.default_daemon_set,
    "statefulsets.apps": workloads.default_stateful_set,
    "jobs.batch": workloads.default_job,
    "cronjobs.batch": workloads.default_cron_job,
    "services": service.default_service,
    "endpoints": service.default_endpoints,
    "endpointslices.discovery.k8s.io": service.default_endpoint_slice,
    "networkpolicies.networking.k8s.io": service.default_network_policy,
    "ingressclasses.networking.k8s.io": service.default_ingress_class,
    "namespaces": policies.default_namespace,
    "events": policies.default_event,
    "events.events.k8s.io": policies.default_event,
    "nodes": policies.default_node,
    "secrets": policies.default_secret,
    "limitranges": policies.default_limit_range,
    "resourcequotas": policies.default_resource_quota,
    "rolebindings.rbac.authorization.k8s.io": policies.default_role_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": policies.default_role_binding,
    "priorityclasses.scheduling.k8s.io": policies.default_priority_class,
    "horizontalpodautoscalers.autoscaling": policies.default_autoscaler,
    "apiservices.apiregistration.k8s.io": policies.default_api_service,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": policies.default_mutating_hooks,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": policies.default_hooks,
    "validatingadmissionpolicies.admissionregistration.k8s.io": admission_policies.default_policy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": (
        admission_policies.default_binding
    ),
    "mutatingadmissionpolicies.admissionregistration.k8s.io": (
        admission_policies.default_mutating_policy
    ),
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": (
        admission_policies.default_binding
    ),
    "persistentvolumes": storage.default_volume,
    "persistentvolumeclaims": storage.default_claim,
    "storageclasses.storage.k8s.io": storage.default_storage_class,
    "customresourcedefinitions.apiextensions.k8s.io": definitions.default_definition,
    "csidrivers.storage.k8s.io": storage.default_csi_driver,
    "flowschemas.flowcontrol.apiserver.k8s.io": flowcontrol.default_flow_schema,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": flowcontrol.default_priority_level,
    "resourceclaims.resource.k8s.io": devices.default_claim,
    "resourceclaimtemplates.resource.k8s.io": devices.default_claim_template,
}


def apply_defaults(resource: Resource, obj: Json) -> None:
    """Completes `obj` in place; kinds without defaults are left as they are."""
    if resource.custom is not None:
        resource.custom.schema.apply_defaults(obj)
    elif default := DEFAULTS.get(resource.key):
        default(obj)
