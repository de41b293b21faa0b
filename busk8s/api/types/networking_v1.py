"""Kubernetes networking v1, made by tools/generate_types.py; not to be edited."""

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
    "HTTPIngressPath",
    "HTTPIngressRuleValue",
    "IPAddress",
    "IPAddressList",
    "IPAddressSpec",
    "IPBlock",
    "Ingress",
    "IngressBackend",
    "IngressClass",
    "IngressClassList",
    "IngressClassParametersReference",
    "IngressClassSpec",
    "IngressList",
    "IngressLoadBalancerIngress",
    "IngressLoadBalancerStatus",
    "IngressPortStatus",
    "IngressRule",
    "IngressServiceBackend",
    "IngressSpec",
    "IngressStatus",
    "IngressTLS",
    "NetworkPolicy",
    "NetworkPolicyEgressRule",
    "NetworkPolicyIngressRule",
    "NetworkPolicyList",
    "NetworkPolicyPeer",
    "NetworkPolicyPort",
    "NetworkPolicySpec",
    "ParentReference",
    "ServiceBackendPort",
    "ServiceCIDR",
    "ServiceCIDRList",
    "ServiceCIDRSpec",
    "ServiceCIDRStatus",
]


class ServiceBackendPort(Model):
    map_type: ClassVar[str] = "atomic"
    name: str | None = None
    number: int | None = None


class IngressServiceBackend(Model):
    name: str
    port: ServiceBackendPort | None = None


class IngressBackend(Model):
    resource: core_v1.TypedLocalObjectReference | None = None
    service: IngressServiceBackend | None = None


class HTTPIngressPath(Model):
    backend: IngressBackend
    path: str | None = None
    path_type: str = Field(alias="pathType")


class HTTPIngressRuleValue(Model):
    paths: Annotated[list[HTTPIngressPath], ListType("atomic")]


class ParentReference(Model):
    group: str | None = None
    name: str
    namespace: str | None = None
    resource: str


class IPAddressSpec(Model):
    parent_ref: ParentReference = Field(alias="parentRef")


class IPAddress(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    kind: str = "IPAddress"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: IPAddressSpec


class IPAddressList(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    items: list[IPAddress]
    kind: str = "IPAddressList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class IPBlock(Model):
    cidr: str
    except_: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="except")


class IngressRule(Model):
    host: str | None = None
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Model):
    hosts: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    secret_name: str | None = Field(None, alias="secretName")


class IngressSpec(Model):
    default_backend: IngressBackend | None = Field(None, alias="defaultBackend")
    ingress_class_name: str | None = Field(None, alias="ingressClassName")
    rules: Annotated[list[IngressRule], ListType("atomic")] = Field(default_factory=list)
    tls: Annotated[list[IngressTLS], ListType("atomic")] = Field(default_factory=list)


class IngressPortStatus(Model):
    error: str | None = None
    port: int
    protocol: str


class IngressLoadBalancerIngress(Model):
    hostname: str | None = None
    ip: str | None = None
    ports: Annotated[list[IngressPortStatus], ListType("atomic")] = Field(default_factory=list)


class IngressLoadBalancerStatus(Model):
    ingress: Annotated[list[IngressLoadBalancerIngress], ListType("atomic")] = Field(default_factory=list)


class IngressStatus(Model):
    load_balancer: IngressLoadBalancerStatus | None = Field(None, alias="loadBalancer")


class Ingress(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    kind: str = "Ingress"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: IngressSpec = Field(default_factory=IngressSpec)
    status: IngressStatus = Field(default_factory=IngressStatus)


class IngressClassParametersReference(Model):
    api_group: str | None = Field(None, alias="apiGroup")
    kind: str
    name: str
    namespace: str | None = None
    scope: str | None = None


class IngressClassSpec(Model):
    controller: str | None = None
    parameters: IngressClassParametersReference | None = None


class IngressClass(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    kind: str = "IngressClass"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: IngressClassSpec = Field(default_factory=IngressClassSpec)


class IngressClassList(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    items: list[IngressClass]
    kind: str = "IngressClassList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class IngressList(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    items: list[Ingress]
    kind: str = "IngressList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class NetworkPolicyPort(Model):
    end_port: int | None = Field(None, alias="endPort")
    port: IntOrString | None = None
    protocol: str | None = None


class NetworkPolicyPeer(Model):
    ip_block: IPBlock | None = Field(None, alias="ipBlock")
    namespace_selector: meta_v1.LabelSelector | None = Field(None, alias="namespaceSelector")
    pod_selector: meta_v1.LabelSelector | None = Field(None, alias="podSelector")


class NetworkPolicyEgressRule(Model):
    ports: Annotated[list[NetworkPolicyPort], ListType("atomic")] = Field(default_factory=list)
    to: Annotated[list[NetworkPolicyPeer], ListType("atomic")] = Field(default_factory=list)


class NetworkPolicyIngressRule(Model):
    from_: Annotated[list[NetworkPolicyPeer], ListType("atomic")] = Field(default_factory=list, alias="from")
    ports: Annotated[list[NetworkPolicyPort], ListType("atomic")] = Field(default_factory=list)


class NetworkPolicySpec(Model):
    egress: Annotated[list[NetworkPolicyEgressRule], ListType("atomic")] = Field(default_factory=list)
    ingress: Annotated[list[NetworkPolicyIngressRule], ListType("atomic")] = Field(default_factory=list)
    pod_selector: meta_v1.LabelSelector | None = Field(None, alias="podSelector")
    policy_types: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="policyTypes")


class NetworkPolicy(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    kind: str = "NetworkPolicy"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: NetworkPolicySpec = Field(default_factory=NetworkPolicySpec)


class NetworkPolicyList(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    items: list[NetworkPolicy]
    kind: str = "NetworkPolicyList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ServiceCIDRSpec(Model):
    cidrs: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class ServiceCIDRStatus(Model):
    conditions: Annotated[list[meta_v1.Condition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)


class ServiceCIDR(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    kind: str = "ServiceCIDR"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ServiceCIDRSpec = Field(default_factory=ServiceCIDRSpec)
    status: ServiceCIDRStatus = Field(default_factory=ServiceCIDRStatus)


class ServiceCIDRList(Model):
    api_version: str = Field("networking.k8s.io/v1", alias="apiVersion")
    items: list[ServiceCIDR]
    kind: str = "ServiceCIDRList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
