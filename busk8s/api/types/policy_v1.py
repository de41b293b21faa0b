"""Kubernetes policy v1, made by tools/generate_types.py; not to be edited."""

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
    "Eviction",
    "PodDisruptionBudget",
    "PodDisruptionBudgetList",
    "PodDisruptionBudgetSpec",
    "PodDisruptionBudgetStatus",
]


class Eviction(Model):
    api_version: str = Field("policy/v1", alias="apiVersion")
    delete_options: meta_v1.DeleteOptions | None = Field(None, alias="deleteOptions")
    kind: str = "Eviction"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)


class PodDisruptionBudgetSpec(Model):
    max_unavailable: IntOrString | None = Field(None, alias="maxUnavailable")
    min_available: IntOrString | None = Field(None, alias="minAvailable")
    selector: Annotated[meta_v1.LabelSelector | None, PatchMerge("replace")] = None
    unhealthy_pod_eviction_policy: str | None = Field(None, alias="unhealthyPodEvictionPolicy")


class PodDisruptionBudgetStatus(Model):
    conditions: Annotated[list[meta_v1.Condition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    current_healthy: int | None = Field(None, alias="currentHealthy")
    desired_healthy: int | None = Field(None, alias="desiredHealthy")
    disrupted_pods: dict[str, Time] = Field(default_factory=dict, alias="disruptedPods")
    disruptions_allowed: int | None = Field(None, alias="disruptionsAllowed")
    expected_pods: int | None = Field(None, alias="expectedPods")
    observed_generation: int | None = Field(None, alias="observedGeneration")


class PodDisruptionBudget(Model):
    api_version: str = Field("policy/v1", alias="apiVersion")
    kind: str = "PodDisruptionBudget"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: PodDisruptionBudgetSpec = Field(default_factory=PodDisruptionBudgetSpec)
    status: PodDisruptionBudgetStatus = Field(default_factory=PodDisruptionBudgetStatus)


class PodDisruptionBudgetList(Model):
    api_version: str = Field("policy/v1", alias="apiVersion")
    items: list[PodDisruptionBudget]
    kind: str = "PodDisruptionBudgetList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
