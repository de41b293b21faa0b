"""Says what is wrong with a defaulted object, field by field, as upstream does.

Owns      which rules a kind has, on create, on update and on a status update.
Leaves    JSON types and unknown fields (decode), admission, resourceVersion conflicts.
Invariant pure: neither object is changed; an empty list means the object may be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from busk8s.api.rules import (
    access,
    admission_policies,
    apiservices,
    autoscaling,
    certificates,
    classes,
    cluster,
    configuration,
    cron_jobs,
    daemon_sets,
    definitions,
    device_claims,
    device_requests,
    device_slices,
    endpoint_slices,
    endpoints,
    ephemeral,
    flowcontrol,
    job_status,
    jobs,
    migrations,
    networking,
    pod,
    pod_certificates,
    pod_status,
    pod_update,
    quotas,
    replication,
    resize,
    service,
    stateful_sets,
    storage,
    storage_classes,
    trust_bundles,
    webhooks,
    workload_status,
    workloads,
)
from busk8s.api.rules.metadata import (
    name_errors,
    validate_metadata,
    validate_metadata_update,
)
from busk8s.api.rules.structural import validate_structure
from busk8s.api.scheme import Resource
from busk8s.errors import Cause

__all__ = [
    "name_errors",
    "validate_create",
    "validate_status_update",
    "validate_update",
    "validate_write",
]

Json = dict[str, Any]
_Create = Callable[[Json, list[Cause]], None]
_Update = Callable[[Json, Json, list[Cause]], None]


def _nothing(obj: Json, causes: list[Cause]) -> None:
    """A kind whose metadata is all there is to check."""


CREATE: Mapping[str, _Create] = {
    "pods": pod.validate_pod,
    "services": service.validate_service,
    "endpoints": endpoints.validate_endpoints,
    "endpointslices.discovery.k8s.io": endpoint_slices.validate_endpoint_slice,
    "ingresses.networking.k8s.io": networking.validate_ingress,
    "ingressclasses.networking.k8s.io": networking.validate_ingress_class,
    "networkpolicies.networking.k8s.io": networking.validate_network_policy,
    "servicecidrs.networking.k8s.io": networking.validate_service_cidr,
    "ipaddresses.networking.k8s.io": networking.validate_ip_address,
    "limitranges": quotas.validate_limit_range,
    "resourcequotas": quotas.validate_quota,
    "persistentvolumes": storage.validate_volume,
    "persistentvolumeclaims": storage.validate_claim,
    "storageclasses.storage.k8s.io": storage_classes.validate_storage_class,
    "volumeattributesclasses.storage.k8s.io": storage_classes.validate_attributes_class,
    "volumeattachments.storage.k8s.io": storage_classes.validate_attachment,
    "csidrivers.storage.k8s.io": storage_classes.validate_csi_driver,
    "csinodes.storage.k8s.io": storage_classes.validate_csi_node,
    "csistoragecapacities.storage.k8s.io": storage_classes.validate_storage_capacity,
    "horizontalpodautoscalers.autoscaling": autoscaling.validate_autoscaler,
    "priorityclasses.scheduling.k8s.io": classes.validate_priority_class,
    "runtimeclasses.node.k8s.io": classes.validate_runtime_class,
    "flowschemas.flowcontrol.apiserver.k8s.io": flowcontrol.validate_flow_schema,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": flowcontrol.validate_priority_level,
    "replicationcontrollers": replication.validate_replication_controller,
    "podtemplates": replication.validate_pod_template,
    "controllerrevisions.apps": replication.validate_controller_revision,
    "deployments.apps": workloads.validate_deployment,
    "replicasets.apps": workloads.validate_replica_set,
    "daemonsets.apps": daemon_sets.validate_daemon_set,
    "statefulsets.apps": stateful_sets.validate_stateful_set,
    "jobs.batch": jobs.validate_job,
    "cronjobs.batch": cron_jobs.validate_cron_job,
    "poddisruptionbudgets.policy": workloads.validate_disruption_budget,
    "configmaps": configuration.validate_config_map,
    "secrets": configuration.validate_secret,
    "serviceaccounts": _nothing,
    "nodes": cluster.validate_node,
    "namespaces": cluster.validate_namespace,
    "events": cluster.validate_event,
    "events.events.k8s.io": cluster.validate_event,
    "leases.coordination.k8s.io": cluster.validate_lease,
    "roles.rbac.authorization.k8s.io": access.validate_role,
    "customresourcedefinitions.apiextensions.k8s.io": definitions.validate_definition,
    "clusterroles.rbac.authorization.k8s.io": access.validate_cluster_role,
    "certificatesigningrequests.certificates.k8s.io": certificates.validate_signing_request,
    "rolebindings.rbac.authorization.k8s.io": access.validate_role_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": access.validate_cluster_role_binding,
    "apiservices.apiregistration.k8s.io": apiservices.validate_api_service,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhooks.validate_configuration,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": webhooks.validate_configuration,
    "validatingadmissionpolicies.admissionregistration.k8s.io": admission_policies.validate_policy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": (
        admission_policies.validate_binding
    ),
    "mutatingadmissionpolicies.admissionregistration.k8s.io": (
        admission_policies.validate_mutating_policy
    ),
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": (
        admission_policies.validate_mutating_binding
    ),
    "resourceclaims.resource.k8s.io": device_requests.validate_claim,
    "resourceclaimtemplates.resource.k8s.io": device_requests.validate_template,
    "deviceclasses.resource.k8s.io": device_requests.validate_class,
    "resourceslices.resource.k8s.io": device_slices.validate_slice_object,
    "devicetaintrules.resource.k8s.io": device_slices.validate_taint_rule,
    "clustertrustbundles.certificates.k8s.io": trust_bundles.validate_bundle,
    "podcertificaterequests.certificates.k8s.io": pod_certificates.validate_request,
    "storageversionmigrations.storagemigration.k8s.io": migrations.validate_migration,
}

# Kinds whose update means more than that the new object is valid.
UPDATE: Mapping[str, _Update] = {
    "pods": pod_update.validate_pod_update,
    "services": service.validate_service_update,
    "endpoints": endpoints.validate_endpoints_update,
    "endpointslices.discovery.k8s.io": endpoint_slices.validate_endpoint_slice_update,
    "deployments.apps": workloads.validate_deployment_update,
    "replicasets.apps": workloads.validate_replica_set_update,
    "daemonsets.apps": daemon_sets.validate_daemon_set_update,
    "statefulsets.apps": stateful_sets.validate_stateful_set_update,
    "jobs.batch": jobs.validate_job_update,
    "cronjobs.batch": cron_jobs.validate_cron_job_update,
    "poddisruptionbudgets.policy": workloads.validate_disruption_budget_update,
    "replicationcontrollers": replication.validate_replication_controller_update,
    "podtemplates": replication.validate_pod_template_update,
    "configmaps": configuration.validate_config_map_update,
    "customresourcedefinitions.apiextensions.k8s.io": definitions.validate_definition_update,
    "secrets": configuration.validate_secret_update,
    "nodes": cluster.validate_node_update,
    "namespaces": cluster.validate_namespace_update,
    "ingresses.networking.k8s.io": networking.validate_ingress_update,
    "ingressclasses.networking.k8s.io": networking.validate_ingress_class_update,
    "networkpolicies.networking.k8s.io": networking.validate_network_policy_update,
    "servicecidrs.networking.k8s.io": networking.validate_service_cidr_update,
    "ipaddresses.networking.k8s.io": networking.validate_ip_address_update,
    "resourcequotas": quotas.validate_quota_update,
    "persistentvolumes": storage.validate_volume_update,
    "persistentvolumeclaims": storage.validate_claim_update,
    "storageclasses.storage.k8s.io": storage_classes.validate_storage_class_update,
    "volumeattributesclasses.storage.k8s.io": storage_classes.validate_attributes_class_update,
    "volumeattachments.storage.k8s.io": storage_classes.validate_attachment_update,
    "csidrivers.storage.k8s.io": storage_classes.validate_csi_driver_update,
    "csinodes.storage.k8s.io": storage_classes.validate_csi_node_update,
    "csistoragecapacities.storage.k8s.io": storage_classes.validate_storage_capacity_update,
    "priorityclasses.scheduling.k8s.io": classes.validate_priority_class_update,
    "runtimeclasses.node.k8s.io": classes.validate_runtime_class_update,
    "controllerrevisions.apps": replication.validate_controller_revision_update,
    "certificatesigningrequests.certificates.k8s.io": certificates.validate_approval,
    "rolebindings.rbac.authorization.k8s.io": access.binding_update(access.validate_role_binding),
    "clusterrolebindings.rbac.authorization.k8s.io": access.binding_update(
        access.validate_cluster_role_binding
    ),
    "apiservices.apiregistration.k8s.io": apiservices.validate_api_service_update,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": (
        webhooks.validate_configuration_update
    ),
    "validatingwebhookconfigurations.admissionregistration.k8s.io": (
        webhooks.validate_configuration_update
    ),
    "resourceclaims.resource.k8s.io": device_requests.validate_unchanged,
    "resourceclaimtemplates.resource.k8s.io": device_requests.validate_unchanged,
    "resourceslices.resource.k8s.io": device_slices.validate_slice_update,
    "devicetaintrules.resource.k8s.io": device_slices.validate_taint_rule_update,
    "clustertrustbundles.certificates.k8s.io": trust_bundles.validate_bundle_update,
    "podcertificaterequests.certificates.k8s.io": device_requests.validate_unchanged,
    "storageversionmigrations.storagemigration.k8s.io": migrations.validate_migration_update,
}

STATUS: Mapping[str, _Update] = {
    "certificatesigningrequests.certificates.k8s.io": certificates.validate_status,
    "pods": pod_status.validate_pod_status,
    "customresourcedefinitions.apiextensions.k8s.io": definitions.validate_definition_status,
    "deployments.apps": workload_status.validate_deployment_status,
    "replicasets.apps": workload_status.validate_replica_set_status,
    "statefulsets.apps": workload_status.validate_stateful_set_status,
    "daemonsets.apps": workload_status.validate_daemon_set_status,
    "jobs.batch": job_status.validate_job_status,
    "poddisruptionbudgets.policy": workloads.validate_disruption_budget_status,
    "nodes": cluster.validate_node_status,
    "services": service.validate_service_status,
    "namespaces": cluster.validate_namespace_status,
    "ingresses.networking.k8s.io": networking.validate_ingress_status,
    "resourcequotas": quotas.validate_quota_status,
    "persistentvolumeclaims": storage.validate_claim_status,
    "volumeattachments.storage.k8s.io": storage_classes.validate_attachment_status,
    "flowschemas.flowcontrol.apiserver.k8s.io": flowcontrol.validate_conditions,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": flowcontrol.validate_conditions,
    "replicationcontrollers": workload_status.validate_replica_set_status,
    "resourceclaims.resource.k8s.io": device_claims.validate_status,
    "devicetaintrules.resource.k8s.io": device_slices.validate_taint_rule_status,
    "podcertificaterequests.certificates.k8s.io": pod_certificates.validate_status,
    "storageversionmigrations.storagemigration.k8s.io": migrations.validate_status,
}


# Writes through a subresource that has rules of its own, by resource key and subresource.
PARTS: Mapping[tuple[str, str], _Update] = {
    ("pods", "ephemeralcontainers"): ephemeral.validate_ephemeral_update,
    ("pods", "resize"): resize.validate_resize,
    ("namespaces", "finalize"): cluster.validate_finalize,
}


def validate_create(resource: Resource, obj: Json) -> list[Cause]:
    """`obj` has its defaults and its final name and namespace."""
    causes = validate_metadata(resource, obj.get("metadata") or {})
    if resource.custom is not None:
        causes += resource.custom.schema.validate(obj, earlier=causes)
    elif validate := CREATE.get(resource.key):
        validate(obj, causes)
    else:
        causes += validate_structure(resource, obj)
    return causes


def validate_update(resource: Resource, new: Json, old: Json) -> list[Cause]:
    causes = validate_metadata_update(
        resource, new.get("metadata") or {}, old.get("metadata") or {}
    )
    if resource.custom is not None:
        causes += resource.custom.schema.validate(new, old, earlier=causes)
    elif update := UPDATE.get(resource.key):
        update(new, old, causes)
    elif validate := CREATE.get(resource.key):
        validate(new, causes)
    else:
        causes += validate_structure(resource, new)
    return causes


def validate_write(resource: Resource, subresource: str, new: Json, old: Json) -> list[Cause]:
    """An update of the object, or of what `subresource` shows of it."""
    if subresource == "status":
        return validate_status_update(resource, new, old)
    part = PARTS.get((resource.key, subresource))
    if part is None:
        return validate_update(resource, new, old)
    causes = validate_metadata_update(resource, new["metadata"], old["metadata"])
    part(new, old, causes)
    return causes


def validate_status_update(resource: Resource, new: Json, old: Json) -> list[Cause]:
    """A write through the status subresource: spec and most metadata are the old ones."""
    causes = validate_metadata_update(
        resource, new.get("metadata") or {}, old.get("metadata") or {}
    )
    if resource.custom is not None:
        causes += resource.custom.schema.validate_status(new, old, earlier=causes)
    elif validate := STATUS.get(resource.key):
        validate(new, old, causes)
    return causes
