"""Kubernetes apiregistration v1, made by tools/generate_types.py; not to be edited."""

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
    "APIService",
    "APIServiceCondition",
    "APIServiceList",
    "APIServiceSpec",
    "APIServiceStatus",
    "ServiceReference",
]


class ServiceReference(Model):
    name: str | None = None
    namespace: str | None = None
    port: int | None = None


class APIServiceSpec(Model):
    ca_bundle: Annotated[Base64 | None, ListType("atomic")] = Field(None, alias="caBundle")
    group: str | None = None
    group_priority_minimum: int = Field(alias="groupPriorityMinimum")
    insecure_skip_tls_verify: bool | None = Field(None, alias="insecureSkipTLSVerify")
    service: ServiceReference | None = None
    version: str | None = None
    version_priority: int = Field(alias="versionPriority")


class APIServiceCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str
    type: str


class APIServiceStatus(Model):
    conditions: Annotated[list[APIServiceCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)


class APIService(Model):
    api_version: str = Field("apiregistration.k8s.io/v1", alias="apiVersion")
    kind: str = "APIService"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: APIServiceSpec
    status: APIServiceStatus = Field(default_factory=APIServiceStatus)


class APIServiceList(Model):
    api_version: str = Field("apiregistration.k8s.io/v1", alias="apiVersion")
    items: list[APIService]
    kind: str = "APIServiceList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
