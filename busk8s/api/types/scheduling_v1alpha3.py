"""Kubernetes scheduling v1alpha3, made by tools/generate_types.py; not to be edited."""

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
    "TopologyConstraint",
    "WorkloadPodGroupDisruptionMode",
    "WorkloadPodGroupGangSchedulingPolicy",
    "WorkloadPodGroupResourceClaim",
    "WorkloadPodGroupSchedulingConstraints",
    "WorkloadPodGroupSchedulingPolicy",
]


class TopologyConstraint(Model):
    key: str


class WorkloadPodGroupDisruptionMode(Model):
    all: dict[str, Any] | None = None
    single: dict[str, Any] | None = None


class WorkloadPodGroupGangSchedulingPolicy(Model):
    min_count: int | None = Field(None, alias="minCount")


class WorkloadPodGroupResourceClaim(Model):
    name: str
    resource_claim_name: str | None = Field(None, alias="resourceClaimName")
    resource_claim_template_name: str | None = Field(None, alias="resourceClaimTemplateName")


class WorkloadPodGroupSchedulingConstraints(Model):
    topology: Annotated[list[TopologyConstraint], ListType("atomic")] = Field(default_factory=list)


class WorkloadPodGroupSchedulingPolicy(Model):
    basic: dict[str, Any] | None = None
    gang: WorkloadPodGroupGangSchedulingPolicy | None = None
