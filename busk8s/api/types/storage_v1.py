"""Kubernetes storage v1, made by tools/generate_types.py; not to be edited."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from busk8s.api.types import core_v1, meta_v1
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
    "CSIDriver",
    "CSIDriverList",
    "CSIDriverSpec",
    "CSINode",
    "CSINodeDriver",
    "CSINodeList",
    "CSINodeSpec",
    "CSINodeStatus",
    "CSIStorageCapacity",
    "CSIStorageCapacityList",
    "StorageClass",
    "StorageClassList",
    "StorageHealth",
    "StorageHealthCondition",
    "TokenRequest",
    "VolumeAttachment",
    "VolumeAttachmentList",
    "VolumeAttachmentSource",
    "VolumeAttachmentSpec",
    "VolumeAttachmentStatus",
    "VolumeAttributesClass",
    "VolumeAttributesClassList",
    "VolumeError",
    "VolumeNodeResources",
]


class TokenRequest(Model):
    audience: str
    expiration_seconds: int | None = Field(None, alias="expirationSeconds")


class CSIDriverSpec(Model):
    attach_required: bool | None = Field(None, alias="attachRequired")
    fs_group_policy: str | None = Field(None, alias="fsGroupPolicy")
    node_allocatable_update_period_seconds: int | None = Field(None, alias="nodeAllocatableUpdatePeriodSeconds")
    pod_info_on_mount: bool | None = Field(None, alias="podInfoOnMount")
    prevent_pod_scheduling_if_missing: bool | None = Field(None, alias="preventPodSchedulingIfMissing")
    requires_republish: bool | None = Field(None, alias="requiresRepublish")
    se_linux_mount: bool | None = Field(None, alias="seLinuxMount")
    service_account_token_in_secrets: bool | None = Field(None, alias="serviceAccountTokenInSecrets")
    storage_capacity: bool | None = Field(None, alias="storageCapacity")
    token_requests: Annotated[list[TokenRequest], ListType("atomic")] = Field(default_factory=list, alias="tokenRequests")
    volume_lifecycle_modes: Annotated[list[str], ListType("set")] = Field(default_factory=list, alias="volumeLifecycleModes")


class CSIDriver(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    kind: str = "CSIDriver"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: CSIDriverSpec


class CSIDriverList(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    items: list[CSIDriver]
    kind: str = "CSIDriverList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class VolumeNodeResources(Model):
    count: int | None = None


class CSINodeDriver(Model):
    allocatable: VolumeNodeResources | None = None
    name: str
    node_id: str = Field(alias="nodeID")
    topology_keys: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="topologyKeys")


class CSINodeSpec(Model):
    drivers: Annotated[list[CSINodeDriver], ListType("map", ("name",)), PatchMerge("merge", "name")]


class StorageHealthCondition(Model):
    access_mode: str | None = Field(None, alias="accessMode")
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str
    status: str
    volume_mode: str | None = Field(None, alias="volumeMode")


class StorageHealth(Model):
    health_conditions: Annotated[list[StorageHealthCondition], ListType("atomic")] = Field(default_factory=list, alias="healthConditions")
    name: str


class CSINodeStatus(Model):
    storage_health: Annotated[list[StorageHealth], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="storageHealth")


class CSINode(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    kind: str = "CSINode"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: CSINodeSpec
    status: CSINodeStatus = Field(default_factory=CSINodeStatus)


class CSINodeList(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    items: list[CSINode]
    kind: str = "CSINodeList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class CSIStorageCapacity(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    capacity: Quantity | None = None
    kind: str = "CSIStorageCapacity"
    maximum_volume_size: Quantity | None = Field(None, alias="maximumVolumeSize")
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    node_topology: meta_v1.LabelSelector | None = Field(None, alias="nodeTopology")
    storage_class_name: str = Field(alias="storageClassName")


class CSIStorageCapacityList(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    items: list[CSIStorageCapacity]
    kind: str = "CSIStorageCapacityList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class StorageClass(Model):
    allow_volume_expansion: bool | None = Field(None, alias="allowVolumeExpansion")
    allowed_topologies: Annotated[list[core_v1.TopologySelectorTerm], ListType("atomic")] = Field(default_factory=list, alias="allowedTopologies")
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    kind: str = "StorageClass"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    mount_options: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="mountOptions")
    parameters: dict[str, str] = Field(default_factory=dict)
    provisioner: str
    reclaim_policy: str | None = Field(None, alias="reclaimPolicy")
    volume_binding_mode: str | None = Field(None, alias="volumeBindingMode")


class StorageClassList(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    items: list[StorageClass]
    kind: str = "StorageClassList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class VolumeAttachmentSource(Model):
    inline_volume_spec: core_v1.PersistentVolumeSpec | None = Field(None, alias="inlineVolumeSpec")
    persistent_volume_name: str | None = Field(None, alias="persistentVolumeName")


class VolumeAttachmentSpec(Model):
    attacher: str
    node_name: str = Field(alias="nodeName")
    source: VolumeAttachmentSource


class VolumeError(Model):
    error_code: int | None = Field(None, alias="errorCode")
    message: str | None = None
    time: Time | None = None


class VolumeAttachmentStatus(Model):
    attach_error: VolumeError | None = Field(None, alias="attachError")
    attached: bool
    attachment_metadata: dict[str, str] = Field(default_factory=dict, alias="attachmentMetadata")
    detach_error: VolumeError | None = Field(None, alias="detachError")


class VolumeAttachment(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    kind: str = "VolumeAttachment"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: VolumeAttachmentSpec
    status: VolumeAttachmentStatus | None = None


class VolumeAttachmentList(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    items: list[VolumeAttachment]
    kind: str = "VolumeAttachmentList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class VolumeAttributesClass(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    driver_name: str = Field(alias="driverName")
    kind: str = "VolumeAttributesClass"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    parameters: dict[str, str] = Field(default_factory=dict)


class VolumeAttributesClassList(Model):
    api_version: str = Field("storage.k8s.io/v1", alias="apiVersion")
    items: list[VolumeAttributesClass]
    kind: str = "VolumeAttributesClassList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
