"""Kubernetes admissionregistration v1, made by tools/generate_types.py; not to be edited."""

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
    "ApplyConfiguration",
    "AuditAnnotation",
    "ExpressionWarning",
    "JSONPatch",
    "MatchCondition",
    "MatchResources",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicyBindingList",
    "MutatingAdmissionPolicyBindingSpec",
    "MutatingAdmissionPolicyList",
    "MutatingAdmissionPolicySpec",
    "MutatingWebhook",
    "MutatingWebhookConfiguration",
    "MutatingWebhookConfigurationList",
    "Mutation",
    "NamedRuleWithOperations",
    "ParamKind",
    "ParamRef",
    "RuleWithOperations",
    "ServiceReference",
    "TypeChecking",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicyBindingList",
    "ValidatingAdmissionPolicyBindingSpec",
    "ValidatingAdmissionPolicyList",
    "ValidatingAdmissionPolicySpec",
    "ValidatingAdmissionPolicyStatus",
    "ValidatingWebhook",
    "ValidatingWebhookConfiguration",
    "ValidatingWebhookConfigurationList",
    "Validation",
    "Variable",
    "WebhookClientConfig",
]


class ApplyConfiguration(Model):
    expression: str | None = None


class AuditAnnotation(Model):
    key: str
    value_expression: str = Field(alias="valueExpression")


class ExpressionWarning(Model):
    field_ref: str = Field(alias="fieldRef")
    warning: str


class JSONPatch(Model):
    expression: str | None = None


class MatchCondition(Model):
    expression: str
    name: str


class NamedRuleWithOperations(Model):
    map_type: ClassVar[str] = "atomic"
    api_groups: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="apiGroups")
    api_versions: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="apiVersions")
    operations: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    resource_names: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="resourceNames")
    resources: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    scope: str | None = None


class MatchResources(Model):
    map_type: ClassVar[str] = "atomic"
    exclude_resource_rules: Annotated[list[NamedRuleWithOperations], ListType("atomic")] = Field(default_factory=list, alias="excludeResourceRules")
    match_policy: str | None = Field(None, alias="matchPolicy")
    namespace_selector: meta_v1.LabelSelector | None = Field(None, alias="namespaceSelector")
    object_selector: meta_v1.LabelSelector | None = Field(None, alias="objectSelector")
    resource_rules: Annotated[list[NamedRuleWithOperations], ListType("atomic")] = Field(default_factory=list, alias="resourceRules")


class Mutation(Model):
    apply_configuration: ApplyConfiguration | None = Field(None, alias="applyConfiguration")
    json_patch: JSONPatch | None = Field(None, alias="jsonPatch")
    patch_type: str = Field(alias="patchType")


class ParamKind(Model):
    map_type: ClassVar[str] = "atomic"
    api_version: str | None = Field(None, alias="apiVersion")
    kind: str | None = None


class Variable(Model):
    map_type: ClassVar[str] = "atomic"
    expression: str
    name: str


class MutatingAdmissionPolicySpec(Model):
    failure_policy: str | None = Field(None, alias="failurePolicy")
    match_conditions: Annotated[list[MatchCondition], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="matchConditions")
    match_constraints: MatchResources | None = Field(None, alias="matchConstraints")
    mutations: Annotated[list[Mutation], ListType("atomic")] = Field(default_factory=list)
    param_kind: ParamKind | None = Field(None, alias="paramKind")
    reinvocation_policy: str | None = Field(None, alias="reinvocationPolicy")
    variables: Annotated[list[Variable], ListType("atomic")] = Field(default_factory=list)


class MutatingAdmissionPolicy(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    kind: str = "MutatingAdmissionPolicy"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: MutatingAdmissionPolicySpec = Field(default_factory=MutatingAdmissionPolicySpec)


class ParamRef(Model):
    map_type: ClassVar[str] = "atomic"
    name: str | None = None
    namespace: str | None = None
    parameter_not_found_action: str | None = Field(None, alias="parameterNotFoundAction")
    selector: meta_v1.LabelSelector | None = None


class MutatingAdmissionPolicyBindingSpec(Model):
    match_resources: MatchResources | None = Field(None, alias="matchResources")
    param_ref: ParamRef | None = Field(None, alias="paramRef")
    policy_name: str | None = Field(None, alias="policyName")


class MutatingAdmissionPolicyBinding(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    kind: str = "MutatingAdmissionPolicyBinding"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: MutatingAdmissionPolicyBindingSpec = Field(default_factory=MutatingAdmissionPolicyBindingSpec)


class MutatingAdmissionPolicyBindingList(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    items: list[MutatingAdmissionPolicyBinding]
    kind: str = "MutatingAdmissionPolicyBindingList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class MutatingAdmissionPolicyList(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    items: list[MutatingAdmissionPolicy]
    kind: str = "MutatingAdmissionPolicyList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ServiceReference(Model):
    name: str
    namespace: str
    path: str | None = None
    port: int | None = None


class WebhookClientConfig(Model):
    ca_bundle: Base64 | None = Field(None, alias="caBundle")
    service: ServiceReference | None = None
    url: str | None = None


class RuleWithOperations(Model):
    api_groups: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="apiGroups")
    api_versions: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="apiVersions")
    operations: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    resources: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    scope: str | None = None


class MutatingWebhook(Model):
    admission_review_versions: Annotated[list[str], ListType("atomic")] = Field(alias="admissionReviewVersions")
    client_config: WebhookClientConfig = Field(alias="clientConfig")
    failure_policy: str | None = Field(None, alias="failurePolicy")
    match_conditions: Annotated[list[MatchCondition], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="matchConditions")
    match_policy: str | None = Field(None, alias="matchPolicy")
    name: str
    namespace_selector: meta_v1.LabelSelector | None = Field(None, alias="namespaceSelector")
    object_selector: meta_v1.LabelSelector | None = Field(None, alias="objectSelector")
    reinvocation_policy: str | None = Field(None, alias="reinvocationPolicy")
    rules: Annotated[list[RuleWithOperations], ListType("atomic")] = Field(default_factory=list)
    side_effects: str = Field(alias="sideEffects")
    timeout_seconds: int | None = Field(None, alias="timeoutSeconds")


class MutatingWebhookConfiguration(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    kind: str = "MutatingWebhookConfiguration"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    webhooks: Annotated[list[MutatingWebhook], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list)


class MutatingWebhookConfigurationList(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    items: list[MutatingWebhookConfiguration]
    kind: str = "MutatingWebhookConfigurationList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class TypeChecking(Model):
    expression_warnings: Annotated[list[ExpressionWarning], ListType("atomic")] = Field(default_factory=list, alias="expressionWarnings")


class Validation(Model):
    expression: str
    message: str | None = None
    message_expression: str | None = Field(None, alias="messageExpression")
    reason: str | None = None


class ValidatingAdmissionPolicySpec(Model):
    audit_annotations: Annotated[list[AuditAnnotation], ListType("atomic")] = Field(default_factory=list, alias="auditAnnotations")
    failure_policy: str | None = Field(None, alias="failurePolicy")
    match_conditions: Annotated[list[MatchCondition], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="matchConditions")
    match_constraints: MatchResources | None = Field(None, alias="matchConstraints")
    param_kind: ParamKind | None = Field(None, alias="paramKind")
    validations: Annotated[list[Validation], ListType("atomic")] = Field(default_factory=list)
    variables: Annotated[list[Variable], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list)


class ValidatingAdmissionPolicyStatus(Model):
    conditions: Annotated[list[meta_v1.Condition], ListType("map", ("type",))] = Field(default_factory=list)
    observed_generation: int | None = Field(None, alias="observedGeneration")
    type_checking: TypeChecking | None = Field(None, alias="typeChecking")


class ValidatingAdmissionPolicy(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    kind: str = "ValidatingAdmissionPolicy"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ValidatingAdmissionPolicySpec = Field(default_factory=ValidatingAdmissionPolicySpec)
    status: ValidatingAdmissionPolicyStatus = Field(default_factory=ValidatingAdmissionPolicyStatus)


class ValidatingAdmissionPolicyBindingSpec(Model):
    match_resources: MatchResources | None = Field(None, alias="matchResources")
    param_ref: ParamRef | None = Field(None, alias="paramRef")
    policy_name: str = Field(alias="policyName")
    validation_actions: Annotated[list[str], ListType("set")] = Field(alias="validationActions")


class ValidatingAdmissionPolicyBinding(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    kind: str = "ValidatingAdmissionPolicyBinding"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ValidatingAdmissionPolicyBindingSpec


class ValidatingAdmissionPolicyBindingList(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    items: list[ValidatingAdmissionPolicyBinding]
    kind: str = "ValidatingAdmissionPolicyBindingList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ValidatingAdmissionPolicyList(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    items: list[ValidatingAdmissionPolicy]
    kind: str = "ValidatingAdmissionPolicyList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ValidatingWebhook(Model):
    admission_review_versions: Annotated[list[str], ListType("atomic")] = Field(alias="admissionReviewVersions")
    client_config: WebhookClientConfig = Field(alias="clientConfig")
    failure_policy: str | None = Field(None, alias="failurePolicy")
    match_conditions: Annotated[list[MatchCondition], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="matchConditions")
    match_policy: str | None = Field(None, alias="matchPolicy")
    name: str
    namespace_selector: meta_v1.LabelSelector | None = Field(None, alias="namespaceSelector")
    object_selector: meta_v1.LabelSelector | None = Field(None, alias="objectSelector")
    rules: Annotated[list[RuleWithOperations], ListType("atomic")] = Field(default_factory=list)
    side_effects: str = Field(alias="sideEffects")
    timeout_seconds: int | None = Field(None, alias="timeoutSeconds")


class ValidatingWebhookConfiguration(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    kind: str = "ValidatingWebhookConfiguration"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    webhooks: Annotated[list[ValidatingWebhook], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list)


class ValidatingWebhookConfigurationList(Model):
    api_version: str = Field("admissionregistration.k8s.io/v1", alias="apiVersion")
    items: list[ValidatingWebhookConfiguration]
    kind: str = "ValidatingWebhookConfigurationList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
