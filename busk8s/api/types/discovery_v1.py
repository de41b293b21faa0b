"""Kubernetes discovery v1, made by tools/generate_types.py; not to be edited."""

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
    "Endpoint",
    "EndpointConditions",
    "EndpointHints",
    "EndpointPort",
    "EndpointSlice",
    "EndpointSliceList",
    "ForNode",
    "ForZone",
]


class EndpointConditions(Model):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForNode(Model):
    name: str


class ForZone(Model):
    name: str


class EndpointHints(Model):
    for_nodes: Annotated[list[ForNode], ListType("atomic")] = Field(default_factory=list, alias="forNodes")
    for_zones: Annotated[list[ForZone], ListType("atomic")] = Field(default_factory=list, alias="forZones")


class Endpoint(Model):
    addresses: Annotated[list[str], ListType("set")]
    conditions: EndpointConditions | None = None
    deprecated_topology: dict[str, str] = Field(default_factory=dict, alias="deprecatedTopology")
    hints: EndpointHints | None = None
    hostname: str | None = None
    node_name: str | None = Field(None, alias="nodeName")
    target_ref: core_v1.ObjectReference | None = Field(None, alias="targetRef")
    zone: str | None = None


class EndpointPort(Model):
    map_type: ClassVar[str] = "atomic"
    app_protocol: str | None = Field(None, alias="appProtocol")
    name: str | None = None
    port: int | None = None
    protocol: str | None = None


class EndpointSlice(Model):
    address_type: str = Field(alias="addressType")
    api_version: str = Field("discovery.k8s.io/v1", alias="apiVersion")
    endpoints: Annotated[list[Endpoint], ListType("atomic")] = Field(default_factory=list)
    kind: str = "EndpointSlice"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    ports: Annotated[list[EndpointPort], ListType("atomic")] = Field(default_factory=list)


class EndpointSliceList(Model):
    api_version: str = Field("discovery.k8s.io/v1", alias="apiVersion")
    items: list[EndpointSlice]
    kind: str = "EndpointSliceList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
