"""Kubernetes certificates v1, made by tools/generate_types.py; not to be edited."""

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
    "CertificateSigningRequest",
    "CertificateSigningRequestCondition",
    "CertificateSigningRequestList",
    "CertificateSigningRequestSpec",
    "CertificateSigningRequestStatus",
    "ClusterTrustBundle",
    "ClusterTrustBundleList",
    "ClusterTrustBundleSpec",
    "PodCertificateRequest",
    "PodCertificateRequestList",
    "PodCertificateRequestSpec",
    "PodCertificateRequestStatus",
]


class CertificateSigningRequestSpec(Model):
    expiration_seconds: int | None = Field(None, alias="expirationSeconds")
    extra: dict[str, list[str]] = Field(default_factory=dict)
    groups: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    request: Base64
    signer_name: str = Field(alias="signerName")
    uid: str | None = None
    usages: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    username: str | None = None


class CertificateSigningRequestCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    last_update_time: Time | None = Field(None, alias="lastUpdateTime")
    message: str | None = None
    reason: str | None = None
    status: str
    type: str


class CertificateSigningRequestStatus(Model):
    certificate: Base64 | None = None
    conditions: Annotated[list[CertificateSigningRequestCondition], ListType("map", ("type",))] = Field(default_factory=list)


class CertificateSigningRequest(Model):
    api_version: str = Field("certificates.k8s.io/v1", alias="apiVersion")
    kind: str = "CertificateSigningRequest"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: CertificateSigningRequestSpec
    status: CertificateSigningRequestStatus = Field(default_factory=CertificateSigningRequestStatus)


class CertificateSigningRequestList(Model):
    api_version: str = Field("certificates.k8s.io/v1", alias="apiVersion")
    items: list[CertificateSigningRequest]
    kind: str = "CertificateSigningRequestList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ClusterTrustBundleSpec(Model):
    signer_name: str | None = Field(None, alias="signerName")
    trust_bundle: str = Field(alias="trustBundle")


class ClusterTrustBundle(Model):
    api_version: str = Field("certificates.k8s.io/v1", alias="apiVersion")
    kind: str = "ClusterTrustBundle"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ClusterTrustBundleSpec


class ClusterTrustBundleList(Model):
    api_version: str = Field("certificates.k8s.io/v1", alias="apiVersion")
    items: list[ClusterTrustBundle]
    kind: str = "ClusterTrustBundleList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class PodCertificateRequestSpec(Model):
    max_expiration_seconds: int | None = Field(None, alias="maxExpirationSeconds")
    node_name: str = Field(alias="nodeName")
    node_uid: str = Field(alias="nodeUID")
    pod_name: str = Field(alias="podName")
    pod_uid: str = Field(alias="podUID")
    service_account_name: str = Field(alias="serviceAccountName")
    service_account_uid: str = Field(alias="serviceAccountUID")
    signer_name: str = Field(alias="signerName")
    stub_pkcs10_request: Base64 = Field(alias="stubPKCS10Request")
    unverified_user_annotations: dict[str, str] = Field(default_factory=dict, alias="unverifiedUserAnnotations")


class PodCertificateRequestStatus(Model):
    begin_refresh_at: Time | None = Field(None, alias="beginRefreshAt")
    certificate_chain: str | None = Field(None, alias="certificateChain")
    conditions: Annotated[list[meta_v1.Condition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    not_after: Time | None = Field(None, alias="notAfter")
    not_before: Time | None = Field(None, alias="notBefore")


class PodCertificateRequest(Model):
    api_version: str = Field("certificates.k8s.io/v1", alias="apiVersion")
    kind: str = "PodCertificateRequest"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: PodCertificateRequestSpec
    status: PodCertificateRequestStatus = Field(default_factory=PodCertificateRequestStatus)


class PodCertificateRequestList(Model):
    api_version: str = Field("certificates.k8s.io/v1", alias="apiVersion")
    items: list[PodCertificateRequest]
    kind: str = "PodCertificateRequestList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
