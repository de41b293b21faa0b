"""Kubernetes autoscaling v1, made by tools/generate_types.py; not to be edited."""

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
    "CrossVersionObjectReference",
    "HorizontalPodAutoscaler",
    "HorizontalPodAutoscalerList",
    "HorizontalPodAutoscalerSpec",
    "HorizontalPodAutoscalerStatus",
    "Scale",
    "ScaleSpec",
    "ScaleStatus",
]


class CrossVersionObjectReference(Model):
    map_type: ClassVar[str] = "atomic"
    api_version: str | None = Field(None, alias="apiVersion")
    kind: str
    name: str


class HorizontalPodAutoscalerSpec(Model):
    max_replicas: int = Field(alias="maxReplicas")
    min_replicas: int | None = Field(None, alias="minReplicas")
    scale_target_ref: CrossVersionObjectReference = Field(alias="scaleTargetRef")
    target_cpu_utilization_percentage: int | None = Field(None, alias="targetCPUUtilizationPercentage")


class HorizontalPodAutoscalerStatus(Model):
    current_cpu_utilization_percentage: int | None = Field(None, alias="currentCPUUtilizationPercentage")
    current_replicas: int = Field(alias="currentReplicas")
    desired_replicas: int = Field(alias="desiredReplicas")
    last_scale_time: Time | None = Field(None, alias="lastScaleTime")
    observed_generation: int | None = Field(None, alias="observedGeneration")


class HorizontalPodAutoscaler(Model):
    api_version: str = Field("autoscaling/v1", alias="apiVersion")
    kind: str = "HorizontalPodAutoscaler"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus | None = None


class HorizontalPodAutoscalerList(Model):
    api_version: str = Field("autoscaling/v1", alias="apiVersion")
    items: list[HorizontalPodAutoscaler]
    kind: str = "HorizontalPodAutoscalerList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ScaleSpec(Model):
    replicas: int | None = None


class ScaleStatus(Model):
    replicas: int
    selector: str | None = None


class Scale(Model):
    api_version: str = Field("autoscaling/v1", alias="apiVersion")
    kind: str = "Scale"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ScaleSpec = Field(default_factory=ScaleSpec)
    status: ScaleStatus | None = None
