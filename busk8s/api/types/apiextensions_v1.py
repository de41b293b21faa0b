"""Kubernetes apiextensions v1, made by tools/generate_types.py; not to be edited."""

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
    "CustomResourceColumnDefinition",
    "CustomResourceConversion",
    "CustomResourceDefinition",
    "CustomResourceDefinitionCondition",
    "CustomResourceDefinitionList",
    "CustomResourceDefinitionNames",
    "CustomResourceDefinitionSpec",
    "CustomResourceDefinitionStatus",
    "CustomResourceDefinitionVersion",
    "CustomResourceSubresourceScale",
    "CustomResourceSubresources",
    "CustomResourceValidation",
    "ExternalDocumentation",
    "JSONSchemaProps",
    "SelectableField",
    "ServiceReference",
    "ValidationRule",
    "WebhookClientConfig",
    "WebhookConversion",
]


class CustomResourceColumnDefinition(Model):
    description: str | None = None
    format: str | None = None
    json_path: str = Field(alias="jsonPath")
    name: str
    priority: int | None = None
    type: str


class ServiceReference(Model):
    name: str
    namespace: str
    path: str | None = None
    port: int | None = None


class WebhookClientConfig(Model):
    ca_bundle: Base64 | None = Field(None, alias="caBundle")
    service: ServiceReference | None = None
    url: str | None = None


class WebhookConversion(Model):
    client_config: WebhookClientConfig | None = Field(None, alias="clientConfig")
    conversion_review_versions: Annotated[list[str], ListType("atomic")] = Field(alias="conversionReviewVersions")


class CustomResourceConversion(Model):
    strategy: str
    webhook: WebhookConversion | None = None


class CustomResourceDefinitionNames(Model):
    categories: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    kind: str
    list_kind: str | None = Field(None, alias="listKind")
    plural: str
    short_names: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="shortNames")
    singular: str | None = None


class ExternalDocumentation(Model):
    description: str | None = None
    url: str | None = None


class ValidationRule(Model):
    field_path: str | None = Field(None, alias="fieldPath")
    message: str | None = None
    message_expression: str | None = Field(None, alias="messageExpression")
    optional_old_self: bool | None = Field(None, alias="optionalOldSelf")
    reason: str | None = None
    rule: str


class JSONSchemaProps(Model):
    ref: str | None = Field(None, alias="$ref")
    schema_: str | None = Field(None, alias="$schema")
    additional_items: AnyJson | None = Field(None, alias="additionalItems")
    additional_properties: AnyJson | None = Field(None, alias="additionalProperties")
    all_of: Annotated[list["JSONSchemaProps"], ListType("atomic")] = Field(default_factory=list, alias="allOf")
    any_of: Annotated[list["JSONSchemaProps"], ListType("atomic")] = Field(default_factory=list, alias="anyOf")
    default: AnyJson | None = None
    definitions: "dict[str, JSONSchemaProps]" = Field(default_factory=dict)
    dependencies: dict[str, AnyJson] = Field(default_factory=dict)
    description: str | None = None
    enum: Annotated[list[AnyJson], ListType("atomic")] = Field(default_factory=list)
    example: AnyJson | None = None
    exclusive_maximum: bool | None = Field(None, alias="exclusiveMaximum")
    exclusive_minimum: bool | None = Field(None, alias="exclusiveMinimum")
    external_docs: ExternalDocumentation | None = Field(None, alias="externalDocs")
    format: str | None = None
    id: str | None = None
    items: AnyJson | None = None
    max_items: int | None = Field(None, alias="maxItems")
    max_length: int | None = Field(None, alias="maxLength")
    max_properties: int | None = Field(None, alias="maxProperties")
    maximum: float | None = None
    min_items: int | None = Field(None, alias="minItems")
    min_length: int | None = Field(None, alias="minLength")
    min_properties: int | None = Field(None, alias="minProperties")
    minimum: float | None = None
    multiple_of: float | None = Field(None, alias="multipleOf")
    not_: "JSONSchemaProps | None" = Field(None, alias="not")
    nullable: bool | None = None
    one_of: Annotated[list["JSONSchemaProps"], ListType("atomic")] = Field(default_factory=list, alias="oneOf")
    pattern: str | None = None
    pattern_properties: "dict[str, JSONSchemaProps]" = Field(default_factory=dict, alias="patternProperties")
    properties: "dict[str, JSONSchemaProps]" = Field(default_factory=dict)
    required: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    title: str | None = None
    type: str | None = None
    unique_items: bool | None = Field(None, alias="uniqueItems")
    x_kubernetes_embedded_resource: bool | None = Field(None, alias="x-kubernetes-embedded-resource")
    x_kubernetes_int_or_string: bool | None = Field(None, alias="x-kubernetes-int-or-string")
    x_kubernetes_list_map_keys: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="x-kubernetes-list-map-keys")
    x_kubernetes_list_type: str | None = Field(None, alias="x-kubernetes-list-type")
    x_kubernetes_map_type: str | None = Field(None, alias="x-kubernetes-map-type")
    x_kubernetes_preserve_unknown_fields: bool | None = Field(None, alias="x-kubernetes-preserve-unknown-fields")
    x_kubernetes_validations: Annotated[list[ValidationRule], ListType("map", ("rule",)), PatchMerge("merge", "rule")] = Field(default_factory=list, alias="x-kubernetes-validations")


class CustomResourceValidation(Model):
    open_api_v3_schema: JSONSchemaProps | None = Field(None, alias="openAPIV3Schema")


class SelectableField(Model):
    json_path: str = Field(alias="jsonPath")


class CustomResourceSubresourceScale(Model):
    label_selector_path: str | None = Field(None, alias="labelSelectorPath")
    spec_replicas_path: str = Field(alias="specReplicasPath")
    status_replicas_path: str = Field(alias="statusReplicasPath")


class CustomResourceSubresources(Model):
    scale: CustomResourceSubresourceScale | None = None
    status: dict[str, Any] | None = None


class CustomResourceDefinitionVersion(Model):
    additional_printer_columns: Annotated[list[CustomResourceColumnDefinition], ListType("atomic")] = Field(default_factory=list, alias="additionalPrinterColumns")
    deprecated: bool | None = None
    deprecation_warning: str | None = Field(None, alias="deprecationWarning")
    name: str
    schema_: CustomResourceValidation | None = Field(None, alias="schema")
    selectable_fields: Annotated[list[SelectableField], ListType("atomic")] = Field(default_factory=list, alias="selectableFields")
    served: bool
    storage: bool
    subresources: CustomResourceSubresources | None = None


class CustomResourceDefinitionSpec(Model):
    conversion: CustomResourceConversion | None = None
    group: str
    names: CustomResourceDefinitionNames
    preserve_unknown_fields: bool | None = Field(None, alias="preserveUnknownFields")
    scope: str
    versions: Annotated[list[CustomResourceDefinitionVersion], ListType("atomic")]


class CustomResourceDefinitionCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    observed_generation: int | None = Field(None, alias="observedGeneration")
    reason: str | None = None
    status: str
    type: str


class CustomResourceDefinitionStatus(Model):
    accepted_names: CustomResourceDefinitionNames | None = Field(None, alias="acceptedNames")
    conditions: Annotated[list[CustomResourceDefinitionCondition], ListType("map", ("type",))] = Field(default_factory=list)
    observed_generation: int | None = Field(None, alias="observedGeneration")
    stored_versions: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="storedVersions")


class CustomResourceDefinition(Model):
    api_version: str = Field("apiextensions.k8s.io/v1", alias="apiVersion")
    kind: str = "CustomResourceDefinition"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: CustomResourceDefinitionSpec
    status: CustomResourceDefinitionStatus = Field(default_factory=CustomResourceDefinitionStatus)


class CustomResourceDefinitionList(Model):
    api_version: str = Field("apiextensions.k8s.io/v1", alias="apiVersion")
    items: list[CustomResourceDefinition]
    kind: str = "CustomResourceDefinitionList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
