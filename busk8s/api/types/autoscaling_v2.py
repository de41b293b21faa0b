"""Kubernetes autoscaling v2, made by tools/generate_types.py; not to be edited."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from busk8s.api.types import meta_v1
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
    "ContainerResourceMetricSource",
    "ContainerResourceMetricStatus",
    "CrossVersionObjectReference",
    "ExternalMetricSource",
    "ExternalMetricStatus",
    "HPAScalingPolicy",
    "HPAScalingRules",
    "HorizontalPodAutoscaler",
    "HorizontalPodAutoscalerBehavior",
    "HorizontalPodAutoscalerCondition",
    "HorizontalPodAutoscalerList",
    "HorizontalPodAutoscalerSpec",
    "HorizontalPodAutoscalerStatus",
    "MetricIdentifier",
    "MetricSpec",
    "MetricStatus",
    "MetricTarget",
    "MetricValueStatus",
    "ObjectMetricSource",
    "ObjectMetricStatus",
    "PodsMetricSource",
    "PodsMetricStatus",
    "ResourceMetricSource",
    "ResourceMetricStatus",
]


class MetricTarget(Model):
    average_utilization: int | None = Field(None, alias="averageUtilization")
    average_value: Quantity | None = Field(None, alias="averageValue")
    type: str
    value: Quantity | None = None


class ContainerResourceMetricSource(Model):
    container: str
    name: str
    target: MetricTarget


class MetricValueStatus(Model):
    average_utilization: int | None = Field(None, alias="averageUtilization")
    average_value: Quantity | None = Field(None, alias="averageValue")
    value: Quantity | None = None


class ContainerResourceMetricStatus(Model):
    container: str
    current: MetricValueStatus
    name: str


class CrossVersionObjectReference(Model):
    api_version: str | None = Field(None, alias="apiVersion")
    kind: str
    name: str


class MetricIdentifier(Model):
    name: str
    selector: meta_v1.LabelSelector | None = None


class ExternalMetricSource(Model):
    metric: MetricIdentifier
    target: MetricTarget


class ExternalMetricStatus(Model):
    current: MetricValueStatus
    metric: MetricIdentifier


class HPAScalingPolicy(Model):
    period_seconds: int = Field(alias="periodSeconds")
    type: str
    value: int


class HPAScalingRules(Model):
    policies: Annotated[list[HPAScalingPolicy], ListType("atomic")] = Field(default_factory=list)
    select_policy: str | None = Field(None, alias="selectPolicy")
    stabilization_window_seconds: int | None = Field(None, alias="stabilizationWindowSeconds")
    tolerance: Quantity | None = None


class HorizontalPodAutoscalerBehavior(Model):
    scale_down: HPAScalingRules | None = Field(None, alias="scaleDown")
    scale_up: HPAScalingRules | None = Field(None, alias="scaleUp")


class ObjectMetricSource(Model):
    described_object: CrossVersionObjectReference = Field(alias="describedObject")
    metric: MetricIdentifier
    target: MetricTarget


class PodsMetricSource(Model):
    metric: MetricIdentifier
    target: MetricTarget


class ResourceMetricSource(Model):
    name: str
    target: MetricTarget


class MetricSpec(Model):
    container_resource: ContainerResourceMetricSource | None = Field(None, alias="containerResource")
    external: ExternalMetricSource | None = None
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None
    type: str


class HorizontalPodAutoscalerSpec(Model):
    behavior: HorizontalPodAutoscalerBehavior | None = None
    max_replicas: int = Field(alias="maxReplicas")
    metrics: Annotated[list[MetricSpec], ListType("atomic")] = Field(default_factory=list)
    min_replicas: int | None = Field(None, alias="minReplicas")
    scale_target_ref: CrossVersionObjectReference = Field(alias="scaleTargetRef")


class HorizontalPodAutoscalerCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    observed_generation: int | None = Field(None, alias="observedGeneration")
    reason: str | None = None
    status: str
    type: str


class ObjectMetricStatus(Model):
    current: MetricValueStatus
    described_object: CrossVersionObjectReference = Field(alias="describedObject")
    metric: MetricIdentifier


class PodsMetricStatus(Model):
    current: MetricValueStatus
    metric: MetricIdentifier


class ResourceMetricStatus(Model):
    current: MetricValueStatus
    name: str


class MetricStatus(Model):
    container_resource: ContainerResourceMetricStatus | None = Field(None, alias="containerResource")
    external: ExternalMetricStatus | None = None
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None
    type: str


class HorizontalPodAutoscalerStatus(Model):
    conditions: Annotated[list[HorizontalPodAutoscalerCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    current_metrics: Annotated[list[MetricStatus], ListType("atomic")] = Field(default_factory=list, alias="currentMetrics")
    current_replicas: int | None = Field(None, alias="currentReplicas")
    desired_replicas: int = Field(alias="desiredReplicas")
    last_scale_time: Time | None = Field(None, alias="lastScaleTime")
    observed_generation: int | None = Field(None, alias="observedGeneration")


class HorizontalPodAutoscaler(Model):
    api_version: str = Field("autoscaling/v2", alias="apiVersion")
    kind: str = "HorizontalPodAutoscaler"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus | None = None


class HorizontalPodAutoscalerList(Model):
    api_version: str = Field("autoscaling/v2", alias="apiVersion")
    items: list[HorizontalPodAutoscaler]
    kind: str = "HorizontalPodAutoscalerList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
