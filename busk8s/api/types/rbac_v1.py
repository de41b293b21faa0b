"""Kubernetes rbac v1, made by tools/generate_types.py; not to be edited."""

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
    "AggregationRule",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "ClusterRoleList",
    "PolicyRule",
    "Role",
    "RoleBinding",
    "RoleBindingList",
    "RoleList",
    "RoleRef",
    "Subject",
]


class AggregationRule(Model):
    cluster_role_selectors: Annotated[list[meta_v1.LabelSelector], ListType("atomic")] = Field(default_factory=list, alias="clusterRoleSelectors")


class PolicyRule(Model):
    api_groups: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="apiGroups")
    non_resource_urls: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="nonResourceURLs")
    resource_names: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="resourceNames")
    resources: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    verbs: Annotated[list[str], ListType("atomic")]


class ClusterRole(Model):
    aggregation_rule: AggregationRule | None = Field(None, alias="aggregationRule")
    api_version: str = Field("rbac.authorization.k8s.io/v1", alias="apiVersion")
    kind: str = "ClusterRole"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    rules: Annotated[list[PolicyRule], ListType("atomic")] = Field(default_factory=list)


class RoleRef(Model):
    map_type: ClassVar[str] = "atomic"
    api_group: str | None = Field(None, alias="apiGroup")
    kind: str
    name: str


class Subject(Model):
    map_type: ClassVar[str] = "atomic"
    api_group: str | None = Field(None, alias="apiGroup")
    kind: str
    name: str
    namespace: str | None = None


class ClusterRoleBinding(Model):
    api_version: str = Field("rbac.authorization.k8s.io/v1", alias="apiVersion")
    kind: str = "ClusterRoleBinding"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    role_ref: RoleRef = Field(alias="roleRef")
    subjects: Annotated[list[Subject], ListType("atomic")] = Field(default_factory=list)


class ClusterRoleBindingList(Model):
    api_version: str = Field("rbac.authorization.k8s.io/v1", alias="apiVersion")
    items: list[ClusterRoleBinding]
    kind: str = "ClusterRoleBindingList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ClusterRoleList(Model):
    api_version: str = Field("rbac.authorization.k8s.io/v1", alias="apiVersion")
    items: list[ClusterRole]
    kind: str = "ClusterRoleList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class Role(Model):
    api_version: str = Field("rbac.authorization.k8s.io/v1", alias="apiVersion")
    kind: str = "Role"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    rules: Annotated[list[PolicyRule], ListType("atomic")] = Field(default_factory=list)


class RoleBinding(Model):
    api_version: str = Field("rbac.authorization.k8s.io/v1", alias="apiVersion")
    kind: str = "RoleBinding"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    role_ref: RoleRef = Field(alias="roleRef")
    subjects: Annotated[list[Subject], ListType("atomic")] = Field(default_factory=list)


class RoleBindingList(Model):
    api_version: str = Field("rbac.authorization.k8s.io/v1", alias="apiVersion")
    items: list[RoleBinding]
    kind: str = "RoleBindingList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class RoleList(Model):
    api_version: str = Field("rbac.authorization.k8s.io/v1", alias="apiVersion")
    items: list[Role]
    kind: str = "RoleList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
