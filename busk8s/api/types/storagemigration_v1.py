"""Kubernetes storagemigration v1, made by tools/generate_types.py; not to be edited."""

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
    "StorageVersionMigration",
    "StorageVersionMigrationList",
    "StorageVersionMigrationSpec",
    "StorageVersionMigrationStatus",
]


class StorageVersionMigrationSpec(Model):
    resource: meta_v1.GroupResource


class StorageVersionMigrationStatus(Model):
    conditions: Annotated[list[meta_v1.Condition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    resource_version: str | None = Field(None, alias="resourceVersion")


class StorageVersionMigration(Model):
    api_version: str = Field("storagemigration.k8s.io/v1", alias="apiVersion")
    kind: str = "StorageVersionMigration"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: StorageVersionMigrationSpec
    status: StorageVersionMigrationStatus = Field(default_factory=StorageVersionMigrationStatus)


class StorageVersionMigrationList(Model):
    api_version: str = Field("storagemigration.k8s.io/v1", alias="apiVersion")
    items: list[StorageVersionMigration]
    kind: str = "StorageVersionMigrationList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
