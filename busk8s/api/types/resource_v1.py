"""Kubernetes resource v1, made by tools/generate_types.py; not to be edited."""

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
    "AllocatedDeviceStatus",
    "AllocationResult",
    "CELDeviceSelector",
    "CapacityRequestPolicy",
    "CapacityRequestPolicyRange",
    "CapacityRequirements",
    "Counter",
    "CounterSet",
    "Device",
    "DeviceAllocationConfiguration",
    "DeviceAllocationResult",
    "DeviceAttribute",
    "DeviceCapacity",
    "DeviceClaim",
    "DeviceClaimConfiguration",
    "DeviceClass",
    "DeviceClassConfiguration",
    "DeviceClassList",
    "DeviceClassSpec",
    "DeviceConstraint",
    "DeviceCounterConsumption",
    "DeviceDerivedAttribute",
    "DeviceRequest",
    "DeviceRequestAllocationResult",
    "DeviceSelector",
    "DeviceSubRequest",
    "DeviceTaint",
    "DeviceTaintRule",
    "DeviceTaintRuleList",
    "DeviceTaintRuleSpec",
    "DeviceTaintRuleStatus",
    "DeviceTaintSelector",
    "DeviceToleration",
    "ExactDeviceRequest",
    "NetworkDeviceData",
    "NodeAllocatableMapping",
    "NodeAllocatableOverhead",
    "NodeAllocatableResource",
    "OpaqueDeviceConfiguration",
    "ResourceClaim",
    "ResourceClaimConsumerReference",
    "ResourceClaimList",
    "ResourceClaimSpec",
    "ResourceClaimStatus",
    "ResourceClaimTemplate",
    "ResourceClaimTemplateList",
    "ResourceClaimTemplateSpec",
    "ResourcePool",
    "ResourceSlice",
    "ResourceSliceList",
    "ResourceSliceSpec",
]


class NetworkDeviceData(Model):
    hardware_address: str | None = Field(None, alias="hardwareAddress")
    interface_name: str | None = Field(None, alias="interfaceName")
    ips: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class AllocatedDeviceStatus(Model):
    conditions: Annotated[list[meta_v1.Condition], ListType("map", ("type",))] = Field(default_factory=list)
    data: dict[str, Any] | None = None
    device: str
    driver: str
    network_data: NetworkDeviceData | None = Field(None, alias="networkData")
    pool: str
    share_id: str | None = Field(None, alias="shareID")


class OpaqueDeviceConfiguration(Model):
    driver: str
    parameters: dict[str, Any]


class DeviceAllocationConfiguration(Model):
    opaque: OpaqueDeviceConfiguration | None = None
    requests: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    source: str


class DeviceToleration(Model):
    effect: str | None = None
    key: str | None = None
    operator: str | None = None
    toleration_seconds: int | None = Field(None, alias="tolerationSeconds")
    value: str | None = None


class DeviceRequestAllocationResult(Model):
    admin_access: bool | None = Field(None, alias="adminAccess")
    binding_conditions: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="bindingConditions")
    binding_failure_conditions: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="bindingFailureConditions")
    consumed_capacity: dict[str, Quantity] = Field(default_factory=dict, alias="consumedCapacity")
    device: str
    driver: str
    pool: str
    request: str
    share_id: str | None = Field(None, alias="shareID")
    skip_node_operations: Annotated[list[str], ListType("set")] = Field(default_factory=list, alias="skipNodeOperations")
    tolerations: Annotated[list[DeviceToleration], ListType("atomic")] = Field(default_factory=list)


class DeviceAllocationResult(Model):
    config: Annotated[list[DeviceAllocationConfiguration], ListType("atomic")] = Field(default_factory=list)
    results: Annotated[list[DeviceRequestAllocationResult], ListType("atomic")] = Field(default_factory=list)


class AllocationResult(Model):
    allocation_timestamp: Time | None = Field(None, alias="allocationTimestamp")
    devices: DeviceAllocationResult | None = None
    node_selector: core_v1.NodeSelector | None = Field(None, alias="nodeSelector")


class CELDeviceSelector(Model):
    expression: str


class CapacityRequestPolicyRange(Model):
    max: Quantity | None = None
    min: Quantity
    step: Quantity | None = None


class CapacityRequestPolicy(Model):
    default: Quantity | None = None
    valid_range: CapacityRequestPolicyRange | None = Field(None, alias="validRange")
    valid_values: Annotated[list[Quantity], ListType("atomic")] = Field(default_factory=list, alias="validValues")


class CapacityRequirements(Model):
    requests: dict[str, Quantity] = Field(default_factory=dict)


class Counter(Model):
    value: Quantity


class CounterSet(Model):
    counters: dict[str, Counter]
    name: str


class DeviceAttribute(Model):
    bool_: bool | None = Field(None, alias="bool")
    bools: Annotated[list[bool], ListType("atomic")] = Field(default_factory=list)
    int_: int | None = Field(None, alias="int")
    ints: Annotated[list[int], ListType("atomic")] = Field(default_factory=list)
    string: str | None = None
    strings: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    version: str | None = None
    versions: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class DeviceCapacity(Model):
    request_policy: CapacityRequestPolicy | None = Field(None, alias="requestPolicy")
    value: Quantity


class DeviceCounterConsumption(Model):
    compatibility_groups: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="compatibilityGroups")
    counter_set: str = Field(alias="counterSet")
    counters: dict[str, Counter]


class NodeAllocatableMapping(Model):
    capacity_key: str | None = Field(None, alias="capacityKey")
    capacity_multiplier: Quantity | None = Field(None, alias="capacityMultiplier")
    device_multiplier: Quantity | None = Field(None, alias="deviceMultiplier")


class NodeAllocatableOverhead(Model):
    per_container: Quantity | None = Field(None, alias="perContainer")
    per_pod: Quantity | None = Field(None, alias="perPod")


class NodeAllocatableResource(Model):
    mapping: NodeAllocatableMapping | None = None
    overhead: NodeAllocatableOverhead | None = None


class DeviceTaint(Model):
    effect: str
    key: str
    time_added: Time | None = Field(None, alias="timeAdded")
    value: str | None = None


class Device(Model):
    all_nodes: bool | None = Field(None, alias="allNodes")
    allow_multiple_allocations: bool | None = Field(None, alias="allowMultipleAllocations")
    attributes: dict[str, DeviceAttribute] = Field(default_factory=dict)
    binding_conditions: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="bindingConditions")
    binding_failure_conditions: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="bindingFailureConditions")
    binds_to_node: bool | None = Field(None, alias="bindsToNode")
    capacity: dict[str, DeviceCapacity] = Field(default_factory=dict)
    consumes_counters: Annotated[list[DeviceCounterConsumption], ListType("atomic")] = Field(default_factory=list, alias="consumesCounters")
    name: str
    node_allocatable_resources: dict[str, NodeAllocatableResource] = Field(default_factory=dict, alias="nodeAllocatableResources")
    node_name: str | None = Field(None, alias="nodeName")
    node_selector: core_v1.NodeSelector | None = Field(None, alias="nodeSelector")
    taints: Annotated[list[DeviceTaint], ListType("atomic")] = Field(default_factory=list)


class DeviceClaimConfiguration(Model):
    opaque: OpaqueDeviceConfiguration | None = None
    requests: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class DeviceConstraint(Model):
    distinct_attribute: str | None = Field(None, alias="distinctAttribute")
    match_attribute: str | None = Field(None, alias="matchAttribute")
    requests: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class DeviceDerivedAttribute(Model):
    expression: str
    name: str


class DeviceSelector(Model):
    cel: CELDeviceSelector | None = None


class ExactDeviceRequest(Model):
    admin_access: bool | None = Field(None, alias="adminAccess")
    allocation_mode: str | None = Field(None, alias="allocationMode")
    capacity: CapacityRequirements | None = None
    count: int | None = None
    derived_attributes: Annotated[list[DeviceDerivedAttribute], ListType("atomic")] = Field(default_factory=list, alias="derivedAttributes")
    device_class_name: str = Field(alias="deviceClassName")
    selectors: Annotated[list[DeviceSelector], ListType("atomic")] = Field(default_factory=list)
    tolerations: Annotated[list[DeviceToleration], ListType("atomic")] = Field(default_factory=list)


class DeviceSubRequest(Model):
    allocation_mode: str | None = Field(None, alias="allocationMode")
    capacity: CapacityRequirements | None = None
    count: int | None = None
    derived_attributes: Annotated[list[DeviceDerivedAttribute], ListType("atomic")] = Field(default_factory=list, alias="derivedAttributes")
    device_class_name: str = Field(alias="deviceClassName")
    name: str
    selectors: Annotated[list[DeviceSelector], ListType("atomic")] = Field(default_factory=list)
    tolerations: Annotated[list[DeviceToleration], ListType("atomic")] = Field(default_factory=list)


class DeviceRequest(Model):
    exactly: ExactDeviceRequest | None = None
    first_available: Annotated[list[DeviceSubRequest], ListType("atomic")] = Field(default_factory=list, alias="firstAvailable")
    name: str


class DeviceClaim(Model):
    config: Annotated[list[DeviceClaimConfiguration], ListType("atomic")] = Field(default_factory=list)
    constraints: Annotated[list[DeviceConstraint], ListType("atomic")] = Field(default_factory=list)
    requests: Annotated[list[DeviceRequest], ListType("atomic")] = Field(default_factory=list)


class DeviceClassConfiguration(Model):
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClassSpec(Model):
    config: Annotated[list[DeviceClassConfiguration], ListType("atomic")] = Field(default_factory=list)
    extended_resource_name: str | None = Field(None, alias="extendedResourceName")
    selectors: Annotated[list[DeviceSelector], ListType("atomic")] = Field(default_factory=list)


class DeviceClass(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    kind: str = "DeviceClass"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: DeviceClassSpec = Field(default_factory=DeviceClassSpec)


class DeviceClassList(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    items: list[DeviceClass]
    kind: str = "DeviceClassList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class DeviceTaintSelector(Model):
    device: str | None = None
    driver: str | None = None
    pool: str | None = None


class DeviceTaintRuleSpec(Model):
    device_selector: DeviceTaintSelector | None = Field(None, alias="deviceSelector")
    taint: DeviceTaint


class DeviceTaintRuleStatus(Model):
    conditions: Annotated[list[meta_v1.Condition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)


class DeviceTaintRule(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    kind: str = "DeviceTaintRule"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: DeviceTaintRuleSpec
    status: DeviceTaintRuleStatus = Field(default_factory=DeviceTaintRuleStatus)


class DeviceTaintRuleList(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    items: list[DeviceTaintRule]
    kind: str = "DeviceTaintRuleList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ResourceClaimSpec(Model):
    devices: DeviceClaim | None = None


class ResourceClaimConsumerReference(Model):
    api_group: str | None = Field(None, alias="apiGroup")
    name: str
    resource: str
    uid: str


class ResourceClaimStatus(Model):
    allocation: AllocationResult | None = None
    devices: Annotated[list[AllocatedDeviceStatus], ListType("map", ("driver", "device", "pool", "shareID"))] = Field(default_factory=list)
    reserved_for: Annotated[list[ResourceClaimConsumerReference], ListType("map", ("uid",)), PatchMerge("merge", "uid")] = Field(default_factory=list, alias="reservedFor")


class ResourceClaim(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    kind: str = "ResourceClaim"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ResourceClaimSpec = Field(default_factory=ResourceClaimSpec)
    status: ResourceClaimStatus = Field(default_factory=ResourceClaimStatus)


class ResourceClaimList(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    items: list[ResourceClaim]
    kind: str = "ResourceClaimList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ResourceClaimTemplateSpec(Model):
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ResourceClaimSpec | None = None


class ResourceClaimTemplate(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    kind: str = "ResourceClaimTemplate"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ResourceClaimTemplateSpec = Field(default_factory=ResourceClaimTemplateSpec)


class ResourceClaimTemplateList(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    items: list[ResourceClaimTemplate]
    kind: str = "ResourceClaimTemplateList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ResourcePool(Model):
    generation: int
    name: str
    resource_slice_count: int = Field(alias="resourceSliceCount")


class ResourceSliceSpec(Model):
    all_nodes: bool | None = Field(None, alias="allNodes")
    devices: Annotated[list[Device], ListType("atomic")] = Field(default_factory=list)
    driver: str
    node_name: str | None = Field(None, alias="nodeName")
    node_selector: core_v1.NodeSelector | None = Field(None, alias="nodeSelector")
    partition_type_attribute: str | None = Field(None, alias="partitionTypeAttribute")
    per_device_node_selection: bool | None = Field(None, alias="perDeviceNodeSelection")
    pool: ResourcePool
    shared_counters: Annotated[list[CounterSet], ListType("atomic")] = Field(default_factory=list, alias="sharedCounters")
    skip_node_operations: Annotated[list[str], ListType("set")] = Field(default_factory=list, alias="skipNodeOperations")


class ResourceSlice(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    kind: str = "ResourceSlice"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ResourceSliceSpec


class ResourceSliceList(Model):
    api_version: str = Field("resource.k8s.io/v1", alias="apiVersion")
    items: list[ResourceSlice]
    kind: str = "ResourceSliceList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
