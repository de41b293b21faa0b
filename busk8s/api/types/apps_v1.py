"""Kubernetes apps v1, made by tools/generate_types.py; not to be edited."""

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
    "ControllerRevision",
    "ControllerRevisionList",
    "DaemonSet",
    "DaemonSetCondition",
    "DaemonSetList",
    "DaemonSetSpec",
    "DaemonSetStatus",
    "DaemonSetUpdateStrategy",
    "Deployment",
    "DeploymentCondition",
    "DeploymentList",
    "DeploymentSpec",
    "DeploymentStatus",
    "DeploymentStrategy",
    "ReplicaSet",
    "ReplicaSetCondition",
    "ReplicaSetList",
    "ReplicaSetSpec",
    "ReplicaSetStatus",
    "RollingUpdateDaemonSet",
    "RollingUpdateDeployment",
    "RollingUpdateStatefulSetStrategy",
    "StatefulSet",
    "StatefulSetCondition",
    "StatefulSetList",
    "StatefulSetOrdinals",
    "StatefulSetPersistentVolumeClaimRetentionPolicy",
    "StatefulSetSpec",
    "StatefulSetStatus",
    "StatefulSetUpdateStrategy",
]


class ControllerRevision(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    data: dict[str, Any]
    kind: str = "ControllerRevision"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    revision: int | None = None


class ControllerRevisionList(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    items: list[ControllerRevision]
    kind: str = "ControllerRevisionList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class RollingUpdateDaemonSet(Model):
    max_surge: IntOrString | None = Field(None, alias="maxSurge")
    max_unavailable: IntOrString | None = Field(None, alias="maxUnavailable")


class DaemonSetUpdateStrategy(Model):
    rolling_update: RollingUpdateDaemonSet | None = Field(None, alias="rollingUpdate")
    type: str | None = None


class DaemonSetSpec(Model):
    min_ready_seconds: int | None = Field(None, alias="minReadySeconds")
    revision_history_limit: int | None = Field(None, alias="revisionHistoryLimit")
    selector: meta_v1.LabelSelector
    template: core_v1.PodTemplateSpec
    update_strategy: DaemonSetUpdateStrategy | None = Field(None, alias="updateStrategy")


class DaemonSetCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str | None = None
    type: str | None = None


class DaemonSetStatus(Model):
    collision_count: int | None = Field(None, alias="collisionCount")
    conditions: Annotated[list[DaemonSetCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    current_number_scheduled: int = Field(alias="currentNumberScheduled")
    desired_number_scheduled: int = Field(alias="desiredNumberScheduled")
    number_available: int | None = Field(None, alias="numberAvailable")
    number_misscheduled: int = Field(alias="numberMisscheduled")
    number_ready: int = Field(alias="numberReady")
    number_unavailable: int | None = Field(None, alias="numberUnavailable")
    observed_generation: int | None = Field(None, alias="observedGeneration")
    updated_number_scheduled: int | None = Field(None, alias="updatedNumberScheduled")


class DaemonSet(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    kind: str = "DaemonSet"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: DaemonSetSpec
    status: DaemonSetStatus | None = None


class DaemonSetList(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    items: list[DaemonSet]
    kind: str = "DaemonSetList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class RollingUpdateDeployment(Model):
    max_surge: IntOrString | None = Field(None, alias="maxSurge")
    max_unavailable: IntOrString | None = Field(None, alias="maxUnavailable")


class DeploymentStrategy(Model):
    rolling_update: RollingUpdateDeployment | None = Field(None, alias="rollingUpdate")
    type: str | None = None


class DeploymentSpec(Model):
    min_ready_seconds: int | None = Field(None, alias="minReadySeconds")
    paused: bool | None = None
    progress_deadline_seconds: int | None = Field(None, alias="progressDeadlineSeconds")
    replicas: int | None = None
    revision_history_limit: int | None = Field(None, alias="revisionHistoryLimit")
    selector: meta_v1.LabelSelector
    strategy: Annotated[DeploymentStrategy | None, PatchMerge("retainKeys")] = None
    template: core_v1.PodTemplateSpec


class DeploymentCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    last_update_time: Time | None = Field(None, alias="lastUpdateTime")
    message: str | None = None
    reason: str | None = None
    status: str | None = None
    type: str | None = None


class DeploymentStatus(Model):
    available_replicas: int | None = Field(None, alias="availableReplicas")
    collision_count: int | None = Field(None, alias="collisionCount")
    conditions: Annotated[list[DeploymentCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    observed_generation: int | None = Field(None, alias="observedGeneration")
    ready_replicas: int | None = Field(None, alias="readyReplicas")
    replicas: int | None = None
    terminating_replicas: int | None = Field(None, alias="terminatingReplicas")
    unavailable_replicas: int | None = Field(None, alias="unavailableReplicas")
    updated_replicas: int | None = Field(None, alias="updatedReplicas")


class Deployment(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    kind: str = "Deployment"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: DeploymentSpec
    status: DeploymentStatus = Field(default_factory=DeploymentStatus)


class DeploymentList(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    items: list[Deployment]
    kind: str = "DeploymentList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ReplicaSetSpec(Model):
    min_ready_seconds: int | None = Field(None, alias="minReadySeconds")
    replicas: int | None = None
    selector: meta_v1.LabelSelector
    template: core_v1.PodTemplateSpec | None = None


class ReplicaSetCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str | None = None
    type: str | None = None


class ReplicaSetStatus(Model):
    available_replicas: int | None = Field(None, alias="availableReplicas")
    conditions: Annotated[list[ReplicaSetCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    fully_labeled_replicas: int | None = Field(None, alias="fullyLabeledReplicas")
    observed_generation: int | None = Field(None, alias="observedGeneration")
    ready_replicas: int | None = Field(None, alias="readyReplicas")
    replicas: int
    terminating_replicas: int | None = Field(None, alias="terminatingReplicas")


class ReplicaSet(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    kind: str = "ReplicaSet"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ReplicaSetSpec
    status: ReplicaSetStatus | None = None


class ReplicaSetList(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    items: list[ReplicaSet]
    kind: str = "ReplicaSetList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class RollingUpdateStatefulSetStrategy(Model):
    max_unavailable: IntOrString | None = Field(None, alias="maxUnavailable")
    partition: int | None = None


class StatefulSetOrdinals(Model):
    start: int | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(Model):
    when_deleted: str | None = Field(None, alias="whenDeleted")
    when_scaled: str | None = Field(None, alias="whenScaled")


class StatefulSetUpdateStrategy(Model):
    rolling_update: RollingUpdateStatefulSetStrategy | None = Field(None, alias="rollingUpdate")
    type: str | None = None


class StatefulSetSpec(Model):
    min_ready_seconds: int | None = Field(None, alias="minReadySeconds")
    ordinals: StatefulSetOrdinals | None = None
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = Field(None, alias="persistentVolumeClaimRetentionPolicy")
    pod_management_policy: str | None = Field(None, alias="podManagementPolicy")
    replicas: int | None = None
    revision_history_limit: int | None = Field(None, alias="revisionHistoryLimit")
    selector: meta_v1.LabelSelector
    service_name: str | None = Field(None, alias="serviceName")
    template: core_v1.PodTemplateSpec
    update_strategy: StatefulSetUpdateStrategy | None = Field(None, alias="updateStrategy")
    volume_claim_templates: Annotated[list[core_v1.PersistentVolumeClaim], ListType("atomic")] = Field(default_factory=list, alias="volumeClaimTemplates")


class StatefulSetCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str | None = None
    type: str | None = None


class StatefulSetStatus(Model):
    available_replicas: int | None = Field(None, alias="availableReplicas")
    collision_count: int | None = Field(None, alias="collisionCount")
    conditions: Annotated[list[StatefulSetCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    current_replicas: int | None = Field(None, alias="currentReplicas")
    current_revision: str | None = Field(None, alias="currentRevision")
    observed_generation: int | None = Field(None, alias="observedGeneration")
    ready_replicas: int | None = Field(None, alias="readyReplicas")
    replicas: int
    update_revision: str | None = Field(None, alias="updateRevision")
    updated_replicas: int | None = Field(None, alias="updatedReplicas")


class StatefulSet(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    kind: str = "StatefulSet"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: StatefulSetSpec
    status: StatefulSetStatus | None = None


class StatefulSetList(Model):
    api_version: str = Field("apps/v1", alias="apiVersion")
    items: list[StatefulSet]
    kind: str = "StatefulSetList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
