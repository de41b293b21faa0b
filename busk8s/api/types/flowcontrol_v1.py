"""Kubernetes flowcontrol v1, made by tools/generate_types.py; not to be edited."""

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
    "ExemptPriorityLevelConfiguration",
    "FlowDistinguisherMethod",
    "FlowSchema",
    "FlowSchemaCondition",
    "FlowSchemaList",
    "FlowSchemaSpec",
    "FlowSchemaStatus",
    "GroupSubject",
    "LimitResponse",
    "LimitedPriorityLevelConfiguration",
    "NonResourcePolicyRule",
    "PolicyRulesWithSubjects",
    "PriorityLevelConfiguration",
    "PriorityLevelConfigurationCondition",
    "PriorityLevelConfigurationList",
    "PriorityLevelConfigurationReference",
    "PriorityLevelConfigurationSpec",
    "PriorityLevelConfigurationStatus",
    "QueuingConfiguration",
    "ResourcePolicyRule",
    "ServiceAccountSubject",
    "Subject",
    "UserSubject",
]


class ExemptPriorityLevelConfiguration(Model):
    lendable_percent: int | None = Field(None, alias="lendablePercent")
    nominal_concurrency_shares: int | None = Field(None, alias="nominalConcurrencyShares")


class FlowDistinguisherMethod(Model):
    type: str


class PriorityLevelConfigurationReference(Model):
    name: str


class NonResourcePolicyRule(Model):
    non_resource_urls: Annotated[list[str], ListType("set")] = Field(alias="nonResourceURLs")
    verbs: Annotated[list[str], ListType("set")]


class ResourcePolicyRule(Model):
    api_groups: Annotated[list[str], ListType("set")] = Field(alias="apiGroups")
    cluster_scope: bool | None = Field(None, alias="clusterScope")
    namespaces: Annotated[list[str], ListType("set")] = Field(default_factory=list)
    resources: Annotated[list[str], ListType("set")]
    verbs: Annotated[list[str], ListType("set")]


class GroupSubject(Model):
    name: str


class ServiceAccountSubject(Model):
    name: str
    namespace: str


class UserSubject(Model):
    name: str


class Subject(Model):
    group: GroupSubject | None = None
    kind: str
    service_account: ServiceAccountSubject | None = Field(None, alias="serviceAccount")
    user: UserSubject | None = None


class PolicyRulesWithSubjects(Model):
    non_resource_rules: Annotated[list[NonResourcePolicyRule], ListType("atomic")] = Field(default_factory=list, alias="nonResourceRules")
    resource_rules: Annotated[list[ResourcePolicyRule], ListType("atomic")] = Field(default_factory=list, alias="resourceRules")
    subjects: Annotated[list[Subject], ListType("atomic")]


class FlowSchemaSpec(Model):
    distinguisher_method: FlowDistinguisherMethod | None = Field(None, alias="distinguisherMethod")
    matching_precedence: int | None = Field(None, alias="matchingPrecedence")
    priority_level_configuration: PriorityLevelConfigurationReference = Field(alias="priorityLevelConfiguration")
    rules: Annotated[list[PolicyRulesWithSubjects], ListType("atomic")] = Field(default_factory=list)


class FlowSchemaCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str | None = None
    type: str


class FlowSchemaStatus(Model):
    conditions: Annotated[list[FlowSchemaCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)


class FlowSchema(Model):
    api_version: str = Field("flowcontrol.apiserver.k8s.io/v1", alias="apiVersion")
    kind: str = "FlowSchema"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: FlowSchemaSpec
    status: FlowSchemaStatus = Field(default_factory=FlowSchemaStatus)


class FlowSchemaList(Model):
    api_version: str = Field("flowcontrol.apiserver.k8s.io/v1", alias="apiVersion")
    items: list[FlowSchema]
    kind: str = "FlowSchemaList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class QueuingConfiguration(Model):
    hand_size: int | None = Field(None, alias="handSize")
    queue_length_limit: int | None = Field(None, alias="queueLengthLimit")
    queues: int | None = None


class LimitResponse(Model):
    queuing: QueuingConfiguration | None = None
    type: str


class LimitedPriorityLevelConfiguration(Model):
    borrowing_limit_percent: int | None = Field(None, alias="borrowingLimitPercent")
    lendable_percent: int | None = Field(None, alias="lendablePercent")
    limit_response: LimitResponse = Field(alias="limitResponse")
    nominal_concurrency_shares: int | None = Field(None, alias="nominalConcurrencyShares")


class PriorityLevelConfigurationSpec(Model):
    exempt: ExemptPriorityLevelConfiguration | None = None
    limited: LimitedPriorityLevelConfiguration | None = None
    type: str


class PriorityLevelConfigurationCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str | None = None
    type: str


class PriorityLevelConfigurationStatus(Model):
    conditions: Annotated[list[PriorityLevelConfigurationCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)


class PriorityLevelConfiguration(Model):
    api_version: str = Field("flowcontrol.apiserver.k8s.io/v1", alias="apiVersion")
    kind: str = "PriorityLevelConfiguration"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: PriorityLevelConfigurationSpec
    status: PriorityLevelConfigurationStatus = Field(default_factory=PriorityLevelConfigurationStatus)


class PriorityLevelConfigurationList(Model):
    api_version: str = Field("flowcontrol.apiserver.k8s.io/v1", alias="apiVersion")
    items: list[PriorityLevelConfiguration]
    kind: str = "PriorityLevelConfigurationList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
