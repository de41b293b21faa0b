"""Kubernetes node v1, made by tools/generate_types.py; not to be edited."""

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
    "Overhead",
    "RuntimeClass",
    "RuntimeClassList",
    "Scheduling",
]


class Overhead(Model):
    pod_fixed: dict[str, Quantity] = Field(default_factory=dict, alias="podFixed")


class Scheduling(Model):
    node_selector: Annotated[dict[str, str], MapType("atomic")] = Field(default_factory=dict, alias="nodeSelector")
    tolerations: Annotated[list[core_v1.Toleration], ListType("atomic")] = Field(default_factory=list)


class RuntimeClass(Model):
    api_version: str = Field("node.k8s.io/v1", alias="apiVersion")
    handler: str
    kind: str = "RuntimeClass"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None


class RuntimeClassList(Model):
    api_version: str = Field("node.k8s.io/v1", alias="apiVersion")
    items: list[RuntimeClass]
    kind: str = "RuntimeClassList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
