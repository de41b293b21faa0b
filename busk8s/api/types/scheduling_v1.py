"""Kubernetes scheduling v1, made by tools/generate_types.py; not to be edited."""

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
    "PriorityClass",
    "PriorityClassList",
]


class PriorityClass(Model):
    api_version: str = Field("scheduling.k8s.io/v1", alias="apiVersion")
    description: str | None = None
    global_default: bool | None = Field(None, alias="globalDefault")
    kind: str = "PriorityClass"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    preemption_policy: str | None = Field(None, alias="preemptionPolicy")
    value: int | None = None


class PriorityClassList(Model):
    api_version: str = Field("scheduling.k8s.io/v1", alias="apiVersion")
    items: list[PriorityClass]
    kind: str = "PriorityClassList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
