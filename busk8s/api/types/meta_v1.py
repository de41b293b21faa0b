"""Kubernetes meta v1, made by tools/generate_types.py; not to be edited."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from busk8s.api.types.markers import (
    AnyJson,
    Base64,
    IntOrString,
    ListType,
    MapType,
    MicroTime,
    Model,
    PatchMerge,
    Quantity,
    Time,
)

__all__ = [
    "APIGroup",
    "APIGroupList",
    "APIResource",
    "APIResourceList",
    "APIVersions",
    "Condition",
    "DeleteOptions",
    "FieldSelectorRequirement",
    "GroupResource",
    "GroupVersionForDiscovery",
    "LabelSelector",
    "LabelSelectorRequirement",
    "ListMeta",
    "ManagedFieldsEntry",
    "ObjectMeta",
    "OwnerReference",
    "Preconditions",
    "ServerAddressByClientCIDR",
    "ShardInfo",
    "Status",
    "StatusCause",
    "StatusDetails",
    "WatchEvent",
]


class GroupVersionForDiscovery(Model):
    group_version: str = Field(alias="groupVersion")
    version: str


class ServerAddressByClientCIDR(Model):
    client_cidr: str = Field(alias="clientCIDR")
    server_address: str = Field(alias="serverAddress")


class APIGroup(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "APIGroup"
    name: str
    preferred_version: GroupVersionForDiscovery | None = Field(None, alias="preferredVersion")
    server_address_by_client_cidrs: Annotated[list[ServerAddressByClientCIDR], ListType("atomic")] = Field(default_factory=list, alias="serverAddressByClientCIDRs")
    versions: Annotated[list[GroupVersionForDiscovery], ListType("atomic")]


class APIGroupList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    groups: Annotated[list[APIGroup], ListType("atomic")]
    kind: str = "APIGroupList"


class APIResource(Model):
    categories: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    group: str | None = None
    kind: str
    name: str
    namespaced: bool
    short_names: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="shortNames")
    singular_name: str = Field(alias="singularName")
    storage_version_hash: str | None = Field(None, alias="storageVersionHash")
    verbs: list[str]
    version: str | None = None


class APIResourceList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    group_version: str = Field(alias="groupVersion")
    kind: str = "APIResourceList"
    resources: Annotated[list[APIResource], ListType("atomic")]


class APIVersions(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "APIVersions"
    server_address_by_client_cidrs: Annotated[list[ServerAddressByClientCIDR], ListType("atomic")] = Field(alias="serverAddressByClientCIDRs")
    versions: Annotated[list[str], ListType("atomic")]


class Condition(Model):
    last_transition_time: Time = Field(alias="lastTransitionTime")
    message: str
    observed_generation: int | None = Field(None, alias="observedGeneration")
    reason: str
    status: str
    type: str


class Preconditions(Model):
    resource_version: str | None = Field(None, alias="resourceVersion")
    uid: str | None = None


class DeleteOptions(Model):
    api_version: str | None = Field(None, alias="apiVersion")
    dry_run: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="dryRun")
    grace_period_seconds: int | None = Field(None, alias="gracePeriodSeconds")
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = Field(None, alias="ignoreStoreReadErrorWithClusterBreakingPotential")
    kind: str | None = None
    orphan_dependents: bool | None = Field(None, alias="orphanDependents")
    preconditions: Preconditions | None = None
    propagation_policy: str | None = Field(None, alias="propagationPolicy")


class FieldSelectorRequirement(Model):
    key: str
    operator: str
    values: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class GroupResource(Model):
    group: str
    resource: str


class LabelSelectorRequirement(Model):
    key: str
    operator: str
    values: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class LabelSelector(Model):
    map_type: ClassVar[str] = "atomic"
    match_expressions: Annotated[list[LabelSelectorRequirement], ListType("atomic")] = Field(default_factory=list, alias="matchExpressions")
    match_labels: dict[str, str] = Field(default_factory=dict, alias="matchLabels")


class ShardInfo(Model):
    selector: str


class ListMeta(Model):
    continue_: str | None = Field(None, alias="continue")
    remaining_item_count: int | None = Field(None, alias="remainingItemCount")
    resource_version: str | None = Field(None, alias="resourceVersion")
    self_link: str | None = Field(None, alias="selfLink")
    shard_info: ShardInfo | None = Field(None, alias="shardInfo")


class ManagedFieldsEntry(Model):
    api_version: str | None = Field(None, alias="apiVersion")
    fields_type: str | None = Field(None, alias="fieldsType")
    fields_v1: dict[str, Any] | None = Field(None, alias="fieldsV1")
    manager: str | None = None
    operation: str | None = None
    subresource: str | None = None
    time: Time | None = None


class OwnerReference(Model):
    map_type: ClassVar[str] = "atomic"
    api_version: str = Field(alias="apiVersion")
    block_owner_deletion: bool | None = Field(None, alias="blockOwnerDeletion")
    controller: bool | None = None
    kind: str
    name: str
    uid: str


class ObjectMeta(Model):
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: Time | None = Field(None, alias="creationTimestamp")
    deletion_grace_period_seconds: int | None = Field(None, alias="deletionGracePeriodSeconds")
    deletion_timestamp: Time | None = Field(None, alias="deletionTimestamp")
    finalizers: Annotated[list[str], ListType("set"), PatchMerge("merge")] = Field(default_factory=list)
    generate_name: str | None = Field(None, alias="generateName")
    generation: int | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    managed_fields: Annotated[list[ManagedFieldsEntry], ListType("atomic")] = Field(default_factory=list, alias="managedFields")
    name: str | None = None
    namespace: str | None = None
    owner_references: Annotated[list[OwnerReference], ListType("map", ("uid",)), PatchMerge("merge", "uid")] = Field(default_factory=list, alias="ownerReferences")
    resource_version: str | None = Field(None, alias="resourceVersion")
    self_link: str | None = Field(None, alias="selfLink")
    uid: str | None = None


class StatusCause(Model):
    field: str | None = None
    message: str | None = None
    reason: str | None = None


class StatusDetails(Model):
    causes: Annotated[list[StatusCause], ListType("atomic")] = Field(default_factory=list)
    group: str | None = None
    kind: str | None = None
    name: str | None = None
    retry_after_seconds: int | None = Field(None, alias="retryAfterSeconds")
    uid: str | None = None


class Status(Model):
    api_version: str = Field("v1", alias="apiVersion")
    code: int | None = None
    details: StatusDetails | None = None
    kind: str = "Status"
    message: str | None = None
    metadata: ListMeta = Field(default_factory=ListMeta)
    reason: str | None = None
    status: str | None = None


class WatchEvent(Model):
    object: dict[str, Any]
    type: str
