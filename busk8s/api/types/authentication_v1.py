"""Kubernetes authentication v1, made by tools/generate_types.py; not to be edited."""

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
    "BoundObjectReference",
    "SelfSubjectReview",
    "SelfSubjectReviewStatus",
    "TokenRequest",
    "TokenRequestSpec",
    "TokenRequestStatus",
    "TokenReview",
    "TokenReviewSpec",
    "TokenReviewStatus",
    "UserInfo",
]


class BoundObjectReference(Model):
    api_version: str | None = Field(None, alias="apiVersion")
    kind: str | None = None
    name: str | None = None
    uid: str | None = None


class UserInfo(Model):
    extra: dict[str, list[str]] = Field(default_factory=dict)
    groups: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    uid: str | None = None
    username: str | None = None


class SelfSubjectReviewStatus(Model):
    user_info: UserInfo | None = Field(None, alias="userInfo")


class SelfSubjectReview(Model):
    api_version: str = Field("authentication.k8s.io/v1", alias="apiVersion")
    kind: str = "SelfSubjectReview"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    status: SelfSubjectReviewStatus = Field(default_factory=SelfSubjectReviewStatus)


class TokenRequestSpec(Model):
    attestations: dict[str, list[str]] = Field(default_factory=dict)
    audiences: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    bound_object_ref: BoundObjectReference | None = Field(None, alias="boundObjectRef")
    expiration_seconds: int | None = Field(None, alias="expirationSeconds")


class TokenRequestStatus(Model):
    expiration_timestamp: Time | None = Field(None, alias="expirationTimestamp")
    token: str | None = None


class TokenRequest(Model):
    api_version: str = Field("authentication.k8s.io/v1", alias="apiVersion")
    kind: str = "TokenRequest"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: TokenRequestSpec = Field(default_factory=TokenRequestSpec)
    status: TokenRequestStatus = Field(default_factory=TokenRequestStatus)


class TokenReviewSpec(Model):
    audiences: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    token: str


class TokenReviewStatus(Model):
    audiences: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    authenticated: bool | None = None
    error: str | None = None
    user: UserInfo | None = None


class TokenReview(Model):
    api_version: str = Field("authentication.k8s.io/v1", alias="apiVersion")
    kind: str = "TokenReview"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: TokenReviewSpec
    status: TokenReviewStatus = Field(default_factory=TokenReviewStatus)
