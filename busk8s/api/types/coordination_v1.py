"""Kubernetes coordination v1, made by tools/generate_types.py; not to be edited."""

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
    "Lease",
    "LeaseList",
    "LeaseSpec",
]


class LeaseSpec(Model):
    acquire_time: MicroTime | None = Field(None, alias="acquireTime")
    holder_identity: str | None = Field(None, alias="holderIdentity")
    lease_duration_seconds: int | None = Field(None, alias="leaseDurationSeconds")
    lease_transitions: int | None = Field(None, alias="leaseTransitions")
    preferred_holder: str | None = Field(None, alias="preferredHolder")
    renew_time: MicroTime | None = Field(None, alias="renewTime")
    strategy: str | None = None


class Lease(Model):
    api_version: str = Field("coordination.k8s.io/v1", alias="apiVersion")
    kind: str = "Lease"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: LeaseSpec = Field(default_factory=LeaseSpec)


class LeaseList(Model):
    api_version: str = Field("coordination.k8s.io/v1", alias="apiVersion")
    items: list[Lease]
    kind: str = "LeaseList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
