"""Kubernetes authorization v1, made by tools/generate_types.py; not to be edited."""

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
    "FieldSelectorAttributes",
    "LabelSelectorAttributes",
    "LocalSubjectAccessReview",
    "NonResourceAttributes",
    "NonResourceRule",
    "ResourceAttributes",
    "ResourceRule",
    "SelfSubjectAccessReview",
    "SelfSubjectAccessReviewSpec",
    "SelfSubjectRulesReview",
    "SelfSubjectRulesReviewSpec",
    "SubjectAccessReview",
    "SubjectAccessReviewSpec",
    "SubjectAccessReviewStatus",
    "SubjectRulesReviewStatus",
]


class FieldSelectorAttributes(Model):
    raw_selector: str | None = Field(None, alias="rawSelector")
    requirements: Annotated[list[meta_v1.FieldSelectorRequirement], ListType("atomic")] = Field(default_factory=list)


class LabelSelectorAttributes(Model):
    raw_selector: str | None = Field(None, alias="rawSelector")
    requirements: Annotated[list[meta_v1.LabelSelectorRequirement], ListType("atomic")] = Field(default_factory=list)


class NonResourceAttributes(Model):
    path: str | None = None
    verb: str | None = None


class ResourceAttributes(Model):
    field_selector: FieldSelectorAttributes | None = Field(None, alias="fieldSelector")
    group: str | None = None
    label_selector: LabelSelectorAttributes | None = Field(None, alias="labelSelector")
    name: str | None = None
    namespace: str | None = None
    resource: str | None = None
    subresource: str | None = None
    verb: str | None = None
    version: str | None = None


class SubjectAccessReviewSpec(Model):
    extra: dict[str, list[str]] = Field(default_factory=dict)
    groups: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    non_resource_attributes: NonResourceAttributes | None = Field(None, alias="nonResourceAttributes")
    resource_attributes: ResourceAttributes | None = Field(None, alias="resourceAttributes")
    uid: str | None = None
    user: str | None = None


class SubjectAccessReviewStatus(Model):
    allowed: bool
    denied: bool | None = None
    evaluation_error: str | None = Field(None, alias="evaluationError")
    reason: str | None = None


class LocalSubjectAccessReview(Model):
    api_version: str = Field("authorization.k8s.io/v1", alias="apiVersion")
    kind: str = "LocalSubjectAccessReview"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: SubjectAccessReviewSpec
    status: SubjectAccessReviewStatus | None = None


class NonResourceRule(Model):
    non_resource_urls: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="nonResourceURLs")
    verbs: Annotated[list[str], ListType("atomic")]


class ResourceRule(Model):
    api_groups: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="apiGroups")
    resource_names: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="resourceNames")
    resources: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    verbs: Annotated[list[str], ListType("atomic")]


class SelfSubjectAccessReviewSpec(Model):
    non_resource_attributes: NonResourceAttributes | None = Field(None, alias="nonResourceAttributes")
    resource_attributes: ResourceAttributes | None = Field(None, alias="resourceAttributes")


class SelfSubjectAccessReview(Model):
    api_version: str = Field("authorization.k8s.io/v1", alias="apiVersion")
    kind: str = "SelfSubjectAccessReview"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: SelfSubjectAccessReviewSpec
    status: SubjectAccessReviewStatus | None = None


class SelfSubjectRulesReviewSpec(Model):
    namespace: str | None = None


class SubjectRulesReviewStatus(Model):
    evaluation_error: str | None = Field(None, alias="evaluationError")
    incomplete: bool
    non_resource_rules: Annotated[list[NonResourceRule], ListType("atomic")] = Field(alias="nonResourceRules")
    resource_rules: Annotated[list[ResourceRule], ListType("atomic")] = Field(alias="resourceRules")


class SelfSubjectRulesReview(Model):
    api_version: str = Field("authorization.k8s.io/v1", alias="apiVersion")
    kind: str = "SelfSubjectRulesReview"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: SelfSubjectRulesReviewSpec
    status: SubjectRulesReviewStatus | None = None


class SubjectAccessReview(Model):
    api_version: str = Field("authorization.k8s.io/v1", alias="apiVersion")
    kind: str = "SubjectAccessReview"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: SubjectAccessReviewSpec
    status: SubjectAccessReviewStatus | None = None
