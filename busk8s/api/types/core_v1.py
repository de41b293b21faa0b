"""Kubernetes core v1, made by tools/generate_types.py; not to be edited."""

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
    "AWSElasticBlockStoreVolumeSource",
    "Affinity",
    "AppArmorProfile",
    "AttachedVolume",
    "AzureDiskVolumeSource",
    "AzureFilePersistentVolumeSource",
    "AzureFileVolumeSource",
    "Binding",
    "CSIPersistentVolumeSource",
    "CSIVolumeSource",
    "Capabilities",
    "CephFSPersistentVolumeSource",
    "CephFSVolumeSource",
    "CinderPersistentVolumeSource",
    "CinderVolumeSource",
    "ClientIPConfig",
    "ClusterTrustBundleProjection",
    "ComponentCondition",
    "ComponentStatus",
    "ComponentStatusList",
    "ConfigMap",
    "ConfigMapEnvSource",
    "ConfigMapKeySelector",
    "ConfigMapList",
    "ConfigMapNodeConfigSource",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "Container",
    "ContainerExtendedResourceRequest",
    "ContainerImage",
    "ContainerPort",
    "ContainerResizePolicy",
    "ContainerRestartRule",
    "ContainerRestartRuleOnExitCodes",
    "ContainerState",
    "ContainerStateRunning",
    "ContainerStateTerminated",
    "ContainerStateWaiting",
    "ContainerStatus",
    "ContainerUser",
    "DaemonEndpoint",
    "DownwardAPIProjection",
    "DownwardAPIVolumeFile",
    "DownwardAPIVolumeSource",
    "EmptyDirVolumeSource",
    "EndpointAddress",
    "EndpointPort",
    "EndpointSubset",
    "Endpoints",
    "EndpointsList",
    "EnvFromSource",
    "EnvVar",
    "EnvVarSource",
    "EphemeralContainer",
    "EphemeralVolumeSource",
    "Event",
    "EventList",
    "EventSeries",
    "EventSource",
    "EvictionResponder",
    "ExecAction",
    "FCVolumeSource",
    "FileKeySelector",
    "FlexPersistentVolumeSource",
    "FlexVolumeSource",
    "FlockerVolumeSource",
    "GCEPersistentDiskVolumeSource",
    "GRPCAction",
    "GitRepoVolumeSource",
    "GlusterfsPersistentVolumeSource",
    "GlusterfsVolumeSource",
    "HTTPGetAction",
    "HTTPHeader",
    "HostAlias",
    "HostIP",
    "HostPathVolumeSource",
    "ISCSIPersistentVolumeSource",
    "ISCSIVolumeSource",
    "ImageVolumeSource",
    "ImageVolumeStatus",
    "KeyToPath",
    "Lifecycle",
    "LifecycleHandler",
    "LimitRange",
    "LimitRangeItem",
    "LimitRangeList",
    "LimitRangeSpec",
    "LinuxContainerUser",
    "LoadBalancerIngress",
    "LoadBalancerStatus",
    "LocalObjectReference",
    "LocalVolumeSource",
    "ModifyVolumeStatus",
    "NFSVolumeSource",
    "Namespace",
    "NamespaceCondition",
    "NamespaceList",
    "NamespaceSpec",
    "NamespaceStatus",
    "Node",
    "NodeAddress",
    "NodeAffinity",
    "NodeAllocatableMappedResources",
    "NodeAllocatableOverheadResources",
    "NodeAllocatableResourceClaimStatus",
    "NodeCondition",
    "NodeConfigSource",
    "NodeConfigStatus",
    "NodeDaemonEndpoints",
    "NodeFeatures",
    "NodeList",
    "NodePodPreemptionPolicy",
    "NodeRuntimeHandler",
    "NodeRuntimeHandlerFeatures",
    "NodeSelector",
    "NodeSelectorRequirement",
    "NodeSelectorTerm",
    "NodeSpec",
    "NodeStatus",
    "NodeSwapStatus",
    "NodeSystemInfo",
    "ObjectFieldSelector",
    "ObjectReference",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PersistentVolumeClaimCondition",
    "PersistentVolumeClaimList",
    "PersistentVolumeClaimSpec",
    "PersistentVolumeClaimStatus",
    "PersistentVolumeClaimTemplate",
    "PersistentVolumeClaimVolumeSource",
    "PersistentVolumeList",
    "PersistentVolumeSpec",
    "PersistentVolumeStatus",
    "PhotonPersistentDiskVolumeSource",
    "Pod",
    "PodAffinity",
    "PodAffinityTerm",
    "PodAntiAffinity",
    "PodCertificateProjection",
    "PodCondition",
    "PodDNSConfig",
    "PodDNSConfigOption",
    "PodExtendedResourceClaimStatus",
    "PodIP",
    "PodList",
    "PodOS",
    "PodReadinessGate",
    "PodResourceClaim",
    "PodResourceClaimStatus",
    "PodSchedulingGate",
    "PodSchedulingGroup",
    "PodSecurityContext",
    "PodSpec",
    "PodStatus",
    "PodTemplate",
    "PodTemplateList",
    "PodTemplateSpec",
    "PodVolumeHealth",
    "PortStatus",
    "PortworxVolumeSource",
    "PreferredSchedulingTerm",
    "Probe",
    "ProjectedVolumeSource",
    "QuobyteVolumeSource",
    "RBDPersistentVolumeSource",
    "RBDVolumeSource",
    "ReplicationController",
    "ReplicationControllerCondition",
    "ReplicationControllerList",
    "ReplicationControllerSpec",
    "ReplicationControllerStatus",
    "ResourceClaim",
    "ResourceFieldSelector",
    "ResourceHealth",
    "ResourceQuota",
    "ResourceQuotaList",
    "ResourceQuotaSpec",
    "ResourceQuotaStatus",
    "ResourceRequirements",
    "ResourceStatus",
    "SELinuxOptions",
    "ScaleIOPersistentVolumeSource",
    "ScaleIOVolumeSource",
    "ScopeSelector",
    "ScopedResourceSelectorRequirement",
    "SeccompProfile",
    "Secret",
    "SecretEnvSource",
    "SecretKeySelector",
    "SecretList",
    "SecretProjection",
    "SecretReference",
    "SecretVolumeSource",
    "SecurityContext",
    "Service",
    "ServiceAccount",
    "ServiceAccountList",
    "ServiceAccountTokenProjection",
    "ServiceList",
    "ServicePort",
    "ServiceSpec",
    "ServiceStatus",
    "SessionAffinityConfig",
    "SleepAction",
    "StorageOSPersistentVolumeSource",
    "StorageOSVolumeSource",
    "Sysctl",
    "TCPSocketAction",
    "Taint",
    "Toleration",
    "TopologySelectorLabelRequirement",
    "TopologySelectorTerm",
    "TopologySpreadConstraint",
    "TypedLocalObjectReference",
    "TypedObjectReference",
    "Volume",
    "VolumeDevice",
    "VolumeHealthCondition",
    "VolumeHealthStatus",
    "VolumeMount",
    "VolumeMountStatus",
    "VolumeNodeAffinity",
    "VolumeProjection",
    "VolumeResourceRequirements",
    "VolumeStatus",
    "VsphereVirtualDiskVolumeSource",
    "WeightedPodAffinityTerm",
    "WindowsSecurityContextOptions",
]


class AWSElasticBlockStoreVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    partition: int | None = None
    read_only: bool | None = Field(None, alias="readOnly")
    volume_id: str = Field(alias="volumeID")


class NodeSelectorRequirement(Model):
    key: str
    operator: str
    values: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class NodeSelectorTerm(Model):
    map_type: ClassVar[str] = "atomic"
    match_expressions: Annotated[list[NodeSelectorRequirement], ListType("atomic")] = Field(default_factory=list, alias="matchExpressions")
    match_fields: Annotated[list[NodeSelectorRequirement], ListType("atomic")] = Field(default_factory=list, alias="matchFields")


class PreferredSchedulingTerm(Model):
    preference: NodeSelectorTerm
    weight: int


class NodeSelector(Model):
    map_type: ClassVar[str] = "atomic"
    node_selector_terms: Annotated[list[NodeSelectorTerm], ListType("atomic")] = Field(alias="nodeSelectorTerms")


class NodeAffinity(Model):
    preferred_during_scheduling_ignored_during_execution: Annotated[list[PreferredSchedulingTerm], ListType("atomic")] = Field(default_factory=list, alias="preferredDuringSchedulingIgnoredDuringExecution")
    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(None, alias="requiredDuringSchedulingIgnoredDuringExecution")


class PodAffinityTerm(Model):
    label_selector: meta_v1.LabelSelector | None = Field(None, alias="labelSelector")
    match_label_keys: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="matchLabelKeys")
    mismatch_label_keys: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="mismatchLabelKeys")
    namespace_selector: meta_v1.LabelSelector | None = Field(None, alias="namespaceSelector")
    namespaces: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    topology_key: str = Field(alias="topologyKey")


class WeightedPodAffinityTerm(Model):
    pod_affinity_term: PodAffinityTerm = Field(alias="podAffinityTerm")
    weight: int


class PodAffinity(Model):
    preferred_during_scheduling_ignored_during_execution: Annotated[list[WeightedPodAffinityTerm], ListType("atomic")] = Field(default_factory=list, alias="preferredDuringSchedulingIgnoredDuringExecution")
    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], ListType("atomic")] = Field(default_factory=list, alias="requiredDuringSchedulingIgnoredDuringExecution")


class PodAntiAffinity(Model):
    preferred_during_scheduling_ignored_during_execution: Annotated[list[WeightedPodAffinityTerm], ListType("atomic")] = Field(default_factory=list, alias="preferredDuringSchedulingIgnoredDuringExecution")
    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], ListType("atomic")] = Field(default_factory=list, alias="requiredDuringSchedulingIgnoredDuringExecution")


class Affinity(Model):
    node_affinity: NodeAffinity | None = Field(None, alias="nodeAffinity")
    pod_affinity: PodAffinity | None = Field(None, alias="podAffinity")
    pod_anti_affinity: PodAntiAffinity | None = Field(None, alias="podAntiAffinity")


class AppArmorProfile(Model):
    localhost_profile: str | None = Field(None, alias="localhostProfile")
    type: str


class AttachedVolume(Model):
    device_path: str = Field(alias="devicePath")
    name: str


class AzureDiskVolumeSource(Model):
    caching_mode: str | None = Field(None, alias="cachingMode")
    disk_name: str = Field(alias="diskName")
    disk_uri: str = Field(alias="diskURI")
    fs_type: str | None = Field(None, alias="fsType")
    kind: str | None = None
    read_only: bool | None = Field(None, alias="readOnly")


class AzureFilePersistentVolumeSource(Model):
    read_only: bool | None = Field(None, alias="readOnly")
    secret_name: str = Field(alias="secretName")
    secret_namespace: str | None = Field(None, alias="secretNamespace")
    share_name: str = Field(alias="shareName")


class AzureFileVolumeSource(Model):
    read_only: bool | None = Field(None, alias="readOnly")
    secret_name: str = Field(alias="secretName")
    share_name: str = Field(alias="shareName")


class ObjectReference(Model):
    map_type: ClassVar[str] = "atomic"
    api_version: str | None = Field(None, alias="apiVersion")
    field_path: str | None = Field(None, alias="fieldPath")
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    resource_version: str | None = Field(None, alias="resourceVersion")
    uid: str | None = None


class Binding(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "Binding"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    target: ObjectReference


class SecretReference(Model):
    map_type: ClassVar[str] = "atomic"
    name: str | None = None
    namespace: str | None = None


class CSIPersistentVolumeSource(Model):
    controller_expand_secret_ref: SecretReference | None = Field(None, alias="controllerExpandSecretRef")
    controller_publish_secret_ref: SecretReference | None = Field(None, alias="controllerPublishSecretRef")
    driver: str
    fs_type: str | None = Field(None, alias="fsType")
    node_expand_secret_ref: SecretReference | None = Field(None, alias="nodeExpandSecretRef")
    node_publish_secret_ref: SecretReference | None = Field(None, alias="nodePublishSecretRef")
    node_stage_secret_ref: SecretReference | None = Field(None, alias="nodeStageSecretRef")
    read_only: bool | None = Field(None, alias="readOnly")
    volume_attributes: dict[str, str] = Field(default_factory=dict, alias="volumeAttributes")
    volume_handle: str = Field(alias="volumeHandle")


class LocalObjectReference(Model):
    map_type: ClassVar[str] = "atomic"
    name: str | None = None


class CSIVolumeSource(Model):
    driver: str
    fs_type: str | None = Field(None, alias="fsType")
    node_publish_secret_ref: LocalObjectReference | None = Field(None, alias="nodePublishSecretRef")
    read_only: bool | None = Field(None, alias="readOnly")
    volume_attributes: dict[str, str] = Field(default_factory=dict, alias="volumeAttributes")


class Capabilities(Model):
    add: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    drop: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class CephFSPersistentVolumeSource(Model):
    monitors: Annotated[list[str], ListType("atomic")]
    path: str | None = None
    read_only: bool | None = Field(None, alias="readOnly")
    secret_file: str | None = Field(None, alias="secretFile")
    secret_ref: SecretReference | None = Field(None, alias="secretRef")
    user: str | None = None


class CephFSVolumeSource(Model):
    monitors: Annotated[list[str], ListType("atomic")]
    path: str | None = None
    read_only: bool | None = Field(None, alias="readOnly")
    secret_file: str | None = Field(None, alias="secretFile")
    secret_ref: LocalObjectReference | None = Field(None, alias="secretRef")
    user: str | None = None


class CinderPersistentVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: SecretReference | None = Field(None, alias="secretRef")
    volume_id: str = Field(alias="volumeID")


class CinderVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: LocalObjectReference | None = Field(None, alias="secretRef")
    volume_id: str = Field(alias="volumeID")


class ClientIPConfig(Model):
    timeout_seconds: int | None = Field(None, alias="timeoutSeconds")


class ClusterTrustBundleProjection(Model):
    label_selector: meta_v1.LabelSelector | None = Field(None, alias="labelSelector")
    name: str | None = None
    optional: bool | None = None
    path: str
    signer_name: str | None = Field(None, alias="signerName")
    user: int | None = None


class ComponentCondition(Model):
    error: str | None = None
    message: str | None = None
    status: str
    type: str


class ComponentStatus(Model):
    api_version: str = Field("v1", alias="apiVersion")
    conditions: Annotated[list[ComponentCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    kind: str = "ComponentStatus"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)


class ComponentStatusList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[ComponentStatus]
    kind: str = "ComponentStatusList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ConfigMap(Model):
    api_version: str = Field("v1", alias="apiVersion")
    binary_data: dict[str, Base64] = Field(default_factory=dict, alias="binaryData")
    data: dict[str, str] = Field(default_factory=dict)
    immutable: bool | None = None
    kind: str = "ConfigMap"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)


class ConfigMapEnvSource(Model):
    name: str | None = None
    optional: bool | None = None


class ConfigMapKeySelector(Model):
    map_type: ClassVar[str] = "atomic"
    key: str
    name: str | None = None
    optional: bool | None = None


class ConfigMapList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[ConfigMap]
    kind: str = "ConfigMapList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ConfigMapNodeConfigSource(Model):
    kubelet_config_key: str = Field(alias="kubeletConfigKey")
    name: str
    namespace: str
    resource_version: str | None = Field(None, alias="resourceVersion")
    uid: str | None = None


class KeyToPath(Model):
    key: str
    mode: int | None = None
    path: str
    user: int | None = None


class ConfigMapProjection(Model):
    items: Annotated[list[KeyToPath], ListType("atomic")] = Field(default_factory=list)
    name: str | None = None
    optional: bool | None = None


class ConfigMapVolumeSource(Model):
    default_mode: int | None = Field(None, alias="defaultMode")
    default_user: int | None = Field(None, alias="defaultUser")
    items: Annotated[list[KeyToPath], ListType("atomic")] = Field(default_factory=list)
    name: str | None = None
    optional: bool | None = None


class ObjectFieldSelector(Model):
    map_type: ClassVar[str] = "atomic"
    api_version: str | None = Field(None, alias="apiVersion")
    field_path: str = Field(alias="fieldPath")


class FileKeySelector(Model):
    map_type: ClassVar[str] = "atomic"
    key: str
    optional: bool | None = None
    path: str
    volume_name: str = Field(alias="volumeName")


class ResourceFieldSelector(Model):
    map_type: ClassVar[str] = "atomic"
    container_name: str | None = Field(None, alias="containerName")
    divisor: Quantity | None = None
    resource: str


class SecretKeySelector(Model):
    map_type: ClassVar[str] = "atomic"
    key: str
    name: str | None = None
    optional: bool | None = None


class EnvVarSource(Model):
    config_map_key_ref: ConfigMapKeySelector | None = Field(None, alias="configMapKeyRef")
    field_ref: ObjectFieldSelector | None = Field(None, alias="fieldRef")
    file_key_ref: FileKeySelector | None = Field(None, alias="fileKeyRef")
    resource_field_ref: ResourceFieldSelector | None = Field(None, alias="resourceFieldRef")
    secret_key_ref: SecretKeySelector | None = Field(None, alias="secretKeyRef")


class EnvVar(Model):
    name: str
    value: str | None = None
    value_from: EnvVarSource | None = Field(None, alias="valueFrom")


class SecretEnvSource(Model):
    name: str | None = None
    optional: bool | None = None


class EnvFromSource(Model):
    config_map_ref: ConfigMapEnvSource | None = Field(None, alias="configMapRef")
    prefix: str | None = None
    secret_ref: SecretEnvSource | None = Field(None, alias="secretRef")


class ExecAction(Model):
    command: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class HTTPHeader(Model):
    name: str
    value: str


class HTTPGetAction(Model):
    host: str | None = None
    http_headers: Annotated[list[HTTPHeader], ListType("atomic")] = Field(default_factory=list, alias="httpHeaders")
    path: str | None = None
    port: IntOrString
    protocol: str | None = None
    scheme: str | None = None


class SleepAction(Model):
    seconds: int


class TCPSocketAction(Model):
    host: str | None = None
    port: IntOrString


class LifecycleHandler(Model):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = Field(None, alias="httpGet")
    sleep: SleepAction | None = None
    tcp_socket: TCPSocketAction | None = Field(None, alias="tcpSocket")


class Lifecycle(Model):
    post_start: LifecycleHandler | None = Field(None, alias="postStart")
    pre_stop: LifecycleHandler | None = Field(None, alias="preStop")
    stop_signal: str | None = Field(None, alias="stopSignal")


class GRPCAction(Model):
    mode: str | None = None
    port: int
    service: str | None = None


class Probe(Model):
    exec: ExecAction | None = None
    failure_threshold: int | None = Field(None, alias="failureThreshold")
    grpc: GRPCAction | None = None
    http_get: HTTPGetAction | None = Field(None, alias="httpGet")
    initial_delay_seconds: int | None = Field(None, alias="initialDelaySeconds")
    period_seconds: int | None = Field(None, alias="periodSeconds")
    success_threshold: int | None = Field(None, alias="successThreshold")
    tcp_socket: TCPSocketAction | None = Field(None, alias="tcpSocket")
    termination_grace_period_seconds: int | None = Field(None, alias="terminationGracePeriodSeconds")
    timeout_seconds: int | None = Field(None, alias="timeoutSeconds")


class ContainerPort(Model):
    container_port: int = Field(alias="containerPort")
    host_ip: str | None = Field(None, alias="hostIP")
    host_port: int | None = Field(None, alias="hostPort")
    name: str | None = None
    protocol: str | None = None


class ContainerResizePolicy(Model):
    resource_name: str = Field(alias="resourceName")
    restart_policy: str = Field(alias="restartPolicy")


class ResourceClaim(Model):
    name: str
    request: str | None = None


class ResourceRequirements(Model):
    claims: Annotated[list[ResourceClaim], ListType("map", ("name",))] = Field(default_factory=list)
    limits: dict[str, Quantity] = Field(default_factory=dict)
    requests: dict[str, Quantity] = Field(default_factory=dict)


class ContainerRestartRuleOnExitCodes(Model):
    operator: str
    values: Annotated[list[int], ListType("set")] = Field(default_factory=list)


class ContainerRestartRule(Model):
    action: str
    exit_codes: ContainerRestartRuleOnExitCodes | None = Field(None, alias="exitCodes")


class SELinuxOptions(Model):
    level: str | None = None
    role: str | None = None
    type: str | None = None
    user: str | None = None


class SeccompProfile(Model):
    localhost_profile: str | None = Field(None, alias="localhostProfile")
    type: str


class WindowsSecurityContextOptions(Model):
    gmsa_credential_spec: str | None = Field(None, alias="gmsaCredentialSpec")
    gmsa_credential_spec_name: str | None = Field(None, alias="gmsaCredentialSpecName")
    host_process: bool | None = Field(None, alias="hostProcess")
    run_as_user_name: str | None = Field(None, alias="runAsUserName")


class SecurityContext(Model):
    allow_privilege_escalation: bool | None = Field(None, alias="allowPrivilegeEscalation")
    app_armor_profile: AppArmorProfile | None = Field(None, alias="appArmorProfile")
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: str | None = Field(None, alias="procMount")
    read_only_root_filesystem: bool | None = Field(None, alias="readOnlyRootFilesystem")
    run_as_group: int | None = Field(None, alias="runAsGroup")
    run_as_non_root: bool | None = Field(None, alias="runAsNonRoot")
    run_as_user: int | None = Field(None, alias="runAsUser")
    se_linux_options: SELinuxOptions | None = Field(None, alias="seLinuxOptions")
    seccomp_profile: SeccompProfile | None = Field(None, alias="seccompProfile")
    windows_options: WindowsSecurityContextOptions | None = Field(None, alias="windowsOptions")


class VolumeDevice(Model):
    device_path: str = Field(alias="devicePath")
    name: str


class VolumeMount(Model):
    bind_mount_options: Annotated[list[str], ListType("set")] = Field(default_factory=list, alias="bindMountOptions")
    mount_path: str = Field(alias="mountPath")
    mount_propagation: str | None = Field(None, alias="mountPropagation")
    name: str
    read_only: bool | None = Field(None, alias="readOnly")
    recursive_read_only: str | None = Field(None, alias="recursiveReadOnly")
    sub_path: str | None = Field(None, alias="subPath")
    sub_path_expr: str | None = Field(None, alias="subPathExpr")


class Container(Model):
    args: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    command: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    env: Annotated[list[EnvVar], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list)
    env_from: Annotated[list[EnvFromSource], ListType("atomic")] = Field(default_factory=list, alias="envFrom")
    image: str | None = None
    image_pull_policy: str | None = Field(None, alias="imagePullPolicy")
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = Field(None, alias="livenessProbe")
    name: str
    ports: Annotated[list[ContainerPort], ListType("map", ("containerPort", "protocol")), PatchMerge("merge", "containerPort")] = Field(default_factory=list)
    readiness_probe: Probe | None = Field(None, alias="readinessProbe")
    resize_policy: Annotated[list[ContainerResizePolicy], ListType("atomic")] = Field(default_factory=list, alias="resizePolicy")
    resources: ResourceRequirements | None = None
    restart_policy: str | None = Field(None, alias="restartPolicy")
    restart_policy_rules: Annotated[list[ContainerRestartRule], ListType("atomic")] = Field(default_factory=list, alias="restartPolicyRules")
    security_context: SecurityContext | None = Field(None, alias="securityContext")
    startup_probe: Probe | None = Field(None, alias="startupProbe")
    stdin: bool | None = None
    stdin_once: bool | None = Field(None, alias="stdinOnce")
    termination_message_path: str | None = Field(None, alias="terminationMessagePath")
    termination_message_policy: str | None = Field(None, alias="terminationMessagePolicy")
    tty: bool | None = None
    volume_devices: Annotated[list[VolumeDevice], ListType("map", ("devicePath",)), PatchMerge("merge", "devicePath")] = Field(default_factory=list, alias="volumeDevices")
    volume_mounts: Annotated[list[VolumeMount], ListType("map", ("mountPath",)), PatchMerge("merge", "mountPath")] = Field(default_factory=list, alias="volumeMounts")
    working_dir: str | None = Field(None, alias="workingDir")


class ContainerExtendedResourceRequest(Model):
    container_name: str = Field(alias="containerName")
    request_name: str = Field(alias="requestName")
    resource_name: str = Field(alias="resourceName")


class ContainerImage(Model):
    names: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    size_bytes: int | None = Field(None, alias="sizeBytes")


class ContainerStateRunning(Model):
    started_at: Time | None = Field(None, alias="startedAt")


class ContainerStateTerminated(Model):
    container_id: str | None = Field(None, alias="containerID")
    exit_code: int = Field(alias="exitCode")
    finished_at: Time | None = Field(None, alias="finishedAt")
    message: str | None = None
    reason: str | None = None
    signal: int | None = None
    started_at: Time | None = Field(None, alias="startedAt")


class ContainerStateWaiting(Model):
    message: str | None = None
    reason: str | None = None


class ContainerState(Model):
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class ResourceHealth(Model):
    health: str | None = None
    message: str | None = None
    resource_id: str = Field(alias="resourceID")


class ResourceStatus(Model):
    name: str
    resources: Annotated[list[ResourceHealth], ListType("map", ("resourceID",))] = Field(default_factory=list)


class LinuxContainerUser(Model):
    gid: int
    supplemental_groups: Annotated[list[int], ListType("atomic")] = Field(default_factory=list, alias="supplementalGroups")
    uid: int


class ContainerUser(Model):
    linux: LinuxContainerUser | None = None


class ImageVolumeStatus(Model):
    image_ref: str = Field(alias="imageRef")


class VolumeStatus(Model):
    image: ImageVolumeStatus | None = None


class VolumeMountStatus(Model):
    mount_path: str = Field(alias="mountPath")
    name: str
    read_only: bool | None = Field(None, alias="readOnly")
    recursive_read_only: str | None = Field(None, alias="recursiveReadOnly")
    volume_status: VolumeStatus | None = Field(None, alias="volumeStatus")


class ContainerStatus(Model):
    allocated_resources: dict[str, Quantity] = Field(default_factory=dict, alias="allocatedResources")
    allocated_resources_status: Annotated[list[ResourceStatus], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="allocatedResourcesStatus")
    container_id: str | None = Field(None, alias="containerID")
    image: str
    image_id: str = Field(alias="imageID")
    last_state: ContainerState | None = Field(None, alias="lastState")
    name: str
    ready: bool
    resources: ResourceRequirements | None = None
    restart_count: int = Field(alias="restartCount")
    started: bool | None = None
    state: ContainerState | None = None
    stop_signal: str | None = Field(None, alias="stopSignal")
    user: ContainerUser | None = None
    volume_mounts: Annotated[list[VolumeMountStatus], ListType("map", ("mountPath",)), PatchMerge("merge", "mountPath")] = Field(default_factory=list, alias="volumeMounts")


class DaemonEndpoint(Model):
    port: int = Field(alias="Port")


class DownwardAPIVolumeFile(Model):
    field_ref: ObjectFieldSelector | None = Field(None, alias="fieldRef")
    mode: int | None = None
    path: str
    resource_field_ref: ResourceFieldSelector | None = Field(None, alias="resourceFieldRef")
    user: int | None = None


class DownwardAPIProjection(Model):
    items: Annotated[list[DownwardAPIVolumeFile], ListType("atomic")] = Field(default_factory=list)


class DownwardAPIVolumeSource(Model):
    default_mode: int | None = Field(None, alias="defaultMode")
    default_user: int | None = Field(None, alias="defaultUser")
    items: Annotated[list[DownwardAPIVolumeFile], ListType("atomic")] = Field(default_factory=list)


class EmptyDirVolumeSource(Model):
    medium: str | None = None
    mode: int | None = None
    size_limit: Quantity | None = Field(None, alias="sizeLimit")


class EndpointAddress(Model):
    map_type: ClassVar[str] = "atomic"
    hostname: str | None = None
    ip: str
    node_name: str | None = Field(None, alias="nodeName")
    target_ref: ObjectReference | None = Field(None, alias="targetRef")


class EndpointPort(Model):
    map_type: ClassVar[str] = "atomic"
    app_protocol: str | None = Field(None, alias="appProtocol")
    name: str | None = None
    port: int
    protocol: str | None = None


class EndpointSubset(Model):
    addresses: Annotated[list[EndpointAddress], ListType("atomic")] = Field(default_factory=list)
    not_ready_addresses: Annotated[list[EndpointAddress], ListType("atomic")] = Field(default_factory=list, alias="notReadyAddresses")
    ports: Annotated[list[EndpointPort], ListType("atomic")] = Field(default_factory=list)


class Endpoints(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "Endpoints"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    subsets: Annotated[list[EndpointSubset], ListType("atomic")] = Field(default_factory=list)


class EndpointsList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[Endpoints]
    kind: str = "EndpointsList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class EphemeralContainer(Model):
    args: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    command: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    env: Annotated[list[EnvVar], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list)
    env_from: Annotated[list[EnvFromSource], ListType("atomic")] = Field(default_factory=list, alias="envFrom")
    image: str | None = None
    image_pull_policy: str | None = Field(None, alias="imagePullPolicy")
    lifecycle: Lifecycle | None = None
    liveness_probe: Probe | None = Field(None, alias="livenessProbe")
    name: str
    ports: Annotated[list[ContainerPort], ListType("map", ("containerPort", "protocol")), PatchMerge("merge", "containerPort")] = Field(default_factory=list)
    readiness_probe: Probe | None = Field(None, alias="readinessProbe")
    resize_policy: Annotated[list[ContainerResizePolicy], ListType("atomic")] = Field(default_factory=list, alias="resizePolicy")
    resources: ResourceRequirements | None = None
    restart_policy: str | None = Field(None, alias="restartPolicy")
    restart_policy_rules: Annotated[list[ContainerRestartRule], ListType("atomic")] = Field(default_factory=list, alias="restartPolicyRules")
    security_context: SecurityContext | None = Field(None, alias="securityContext")
    startup_probe: Probe | None = Field(None, alias="startupProbe")
    stdin: bool | None = None
    stdin_once: bool | None = Field(None, alias="stdinOnce")
    target_container_name: str | None = Field(None, alias="targetContainerName")
    termination_message_path: str | None = Field(None, alias="terminationMessagePath")
    termination_message_policy: str | None = Field(None, alias="terminationMessagePolicy")
    tty: bool | None = None
    volume_devices: Annotated[list[VolumeDevice], ListType("map", ("devicePath",)), PatchMerge("merge", "devicePath")] = Field(default_factory=list, alias="volumeDevices")
    volume_mounts: Annotated[list[VolumeMount], ListType("map", ("mountPath",)), PatchMerge("merge", "mountPath")] = Field(default_factory=list, alias="volumeMounts")
    working_dir: str | None = Field(None, alias="workingDir")


class TypedLocalObjectReference(Model):
    map_type: ClassVar[str] = "atomic"
    api_group: str | None = Field(None, alias="apiGroup")
    kind: str
    name: str


class TypedObjectReference(Model):
    api_group: str | None = Field(None, alias="apiGroup")
    kind: str
    name: str
    namespace: str | None = None


class VolumeResourceRequirements(Model):
    limits: dict[str, Quantity] = Field(default_factory=dict)
    requests: dict[str, Quantity] = Field(default_factory=dict)


class PersistentVolumeClaimSpec(Model):
    access_modes: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="accessModes")
    data_source: TypedLocalObjectReference | None = Field(None, alias="dataSource")
    data_source_ref: TypedObjectReference | None = Field(None, alias="dataSourceRef")
    resources: VolumeResourceRequirements | None = None
    selector: meta_v1.LabelSelector | None = None
    storage_class_name: str | None = Field(None, alias="storageClassName")
    volume_attributes_class_name: str | None = Field(None, alias="volumeAttributesClassName")
    volume_mode: str | None = Field(None, alias="volumeMode")
    volume_name: str | None = Field(None, alias="volumeName")


class PersistentVolumeClaimTemplate(Model):
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: PersistentVolumeClaimSpec


class EphemeralVolumeSource(Model):
    volume_claim_template: PersistentVolumeClaimTemplate | None = Field(None, alias="volumeClaimTemplate")


class EventSeries(Model):
    count: int | None = None
    last_observed_time: MicroTime | None = Field(None, alias="lastObservedTime")


class EventSource(Model):
    component: str | None = None
    host: str | None = None


class Event(Model):
    action: str | None = None
    api_version: str = Field("v1", alias="apiVersion")
    count: int | None = None
    event_time: MicroTime | None = Field(None, alias="eventTime")
    first_timestamp: Time | None = Field(None, alias="firstTimestamp")
    involved_object: ObjectReference = Field(alias="involvedObject")
    kind: str = "Event"
    last_timestamp: Time | None = Field(None, alias="lastTimestamp")
    message: str | None = None
    metadata: meta_v1.ObjectMeta
    reason: str | None = None
    related: ObjectReference | None = None
    reporting_component: str | None = Field(None, alias="reportingComponent")
    reporting_instance: str | None = Field(None, alias="reportingInstance")
    series: EventSeries | None = None
    source: EventSource | None = None
    type: str | None = None


class EventList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[Event]
    kind: str = "EventList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class EvictionResponder(Model):
    map_type: ClassVar[str] = "atomic"
    name: str
    priority: int


class FCVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    lun: int | None = None
    read_only: bool | None = Field(None, alias="readOnly")
    target_wwns: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="targetWWNs")
    wwids: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class FlexPersistentVolumeSource(Model):
    driver: str
    fs_type: str | None = Field(None, alias="fsType")
    options: dict[str, str] = Field(default_factory=dict)
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: SecretReference | None = Field(None, alias="secretRef")


class FlexVolumeSource(Model):
    driver: str
    fs_type: str | None = Field(None, alias="fsType")
    options: dict[str, str] = Field(default_factory=dict)
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: LocalObjectReference | None = Field(None, alias="secretRef")


class FlockerVolumeSource(Model):
    dataset_name: str | None = Field(None, alias="datasetName")
    dataset_uuid: str | None = Field(None, alias="datasetUUID")


class GCEPersistentDiskVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    partition: int | None = None
    pd_name: str = Field(alias="pdName")
    read_only: bool | None = Field(None, alias="readOnly")


class GitRepoVolumeSource(Model):
    directory: str | None = None
    repository: str
    revision: str | None = None


class GlusterfsPersistentVolumeSource(Model):
    endpoints: str
    endpoints_namespace: str | None = Field(None, alias="endpointsNamespace")
    path: str
    read_only: bool | None = Field(None, alias="readOnly")


class GlusterfsVolumeSource(Model):
    endpoints: str
    path: str
    read_only: bool | None = Field(None, alias="readOnly")


class HostAlias(Model):
    hostnames: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    ip: str


class HostIP(Model):
    ip: str


class HostPathVolumeSource(Model):
    path: str
    type: str | None = None


class ISCSIPersistentVolumeSource(Model):
    chap_auth_discovery: bool | None = Field(None, alias="chapAuthDiscovery")
    chap_auth_session: bool | None = Field(None, alias="chapAuthSession")
    fs_type: str | None = Field(None, alias="fsType")
    initiator_name: str | None = Field(None, alias="initiatorName")
    iqn: str
    iscsi_interface: str | None = Field(None, alias="iscsiInterface")
    lun: int
    portals: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: SecretReference | None = Field(None, alias="secretRef")
    target_portal: str = Field(alias="targetPortal")


class ISCSIVolumeSource(Model):
    chap_auth_discovery: bool | None = Field(None, alias="chapAuthDiscovery")
    chap_auth_session: bool | None = Field(None, alias="chapAuthSession")
    fs_type: str | None = Field(None, alias="fsType")
    initiator_name: str | None = Field(None, alias="initiatorName")
    iqn: str
    iscsi_interface: str | None = Field(None, alias="iscsiInterface")
    lun: int
    portals: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: LocalObjectReference | None = Field(None, alias="secretRef")
    target_portal: str = Field(alias="targetPortal")


class ImageVolumeSource(Model):
    pull_policy: str | None = Field(None, alias="pullPolicy")
    reference: str | None = None


class LimitRangeItem(Model):
    default: dict[str, Quantity] = Field(default_factory=dict)
    default_request: dict[str, Quantity] = Field(default_factory=dict, alias="defaultRequest")
    max: dict[str, Quantity] = Field(default_factory=dict)
    max_limit_request_ratio: dict[str, Quantity] = Field(default_factory=dict, alias="maxLimitRequestRatio")
    min: dict[str, Quantity] = Field(default_factory=dict)
    type: str


class LimitRangeSpec(Model):
    limits: Annotated[list[LimitRangeItem], ListType("atomic")]


class LimitRange(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "LimitRange"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: LimitRangeSpec


class LimitRangeList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[LimitRange]
    kind: str = "LimitRangeList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class PortStatus(Model):
    error: str | None = None
    port: int
    protocol: str


class LoadBalancerIngress(Model):
    hostname: str | None = None
    ip: str | None = None
    ip_mode: str | None = Field(None, alias="ipMode")
    ports: Annotated[list[PortStatus], ListType("atomic")] = Field(default_factory=list)


class LoadBalancerStatus(Model):
    ingress: Annotated[list[LoadBalancerIngress], ListType("atomic")] = Field(default_factory=list)


class LocalVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    path: str


class ModifyVolumeStatus(Model):
    status: str
    target_volume_attributes_class_name: str | None = Field(None, alias="targetVolumeAttributesClassName")


class NFSVolumeSource(Model):
    path: str
    read_only: bool | None = Field(None, alias="readOnly")
    server: str


class NamespaceSpec(Model):
    finalizers: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class NamespaceCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str
    type: str


class NamespaceStatus(Model):
    conditions: Annotated[list[NamespaceCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    phase: str | None = None


class Namespace(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "Namespace"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: NamespaceSpec = Field(default_factory=NamespaceSpec)
    status: NamespaceStatus = Field(default_factory=NamespaceStatus)


class NamespaceList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[Namespace]
    kind: str = "NamespaceList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class NodeConfigSource(Model):
    config_map: ConfigMapNodeConfigSource | None = Field(None, alias="configMap")


class NodePodPreemptionPolicy(Model):
    disable_resize_preemption: Annotated[list[str], ListType("set")] = Field(default_factory=list, alias="disableResizePreemption")


class Taint(Model):
    effect: str
    key: str
    time_added: Time | None = Field(None, alias="timeAdded")
    value: str | None = None


class NodeSpec(Model):
    config_source: NodeConfigSource | None = Field(None, alias="configSource")
    external_id: str | None = Field(None, alias="externalID")
    pod_cidr: str | None = Field(None, alias="podCIDR")
    pod_cidrs: Annotated[list[str], ListType("set"), PatchMerge("merge")] = Field(default_factory=list, alias="podCIDRs")
    pod_preemption_policy: NodePodPreemptionPolicy | None = Field(None, alias="podPreemptionPolicy")
    provider_id: str | None = Field(None, alias="providerID")
    taints: Annotated[list[Taint], ListType("atomic")] = Field(default_factory=list)
    unschedulable: bool | None = None


class NodeAddress(Model):
    address: str
    type: str


class NodeCondition(Model):
    last_heartbeat_time: Time | None = Field(None, alias="lastHeartbeatTime")
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str
    type: str


class NodeConfigStatus(Model):
    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str | None = None
    last_known_good: NodeConfigSource | None = Field(None, alias="lastKnownGood")


class NodeDaemonEndpoints(Model):
    kubelet_endpoint: DaemonEndpoint | None = Field(None, alias="kubeletEndpoint")


class NodeFeatures(Model):
    supplemental_groups_policy: bool | None = Field(None, alias="supplementalGroupsPolicy")


class NodeSwapStatus(Model):
    capacity: int | None = None


class NodeSystemInfo(Model):
    architecture: str
    boot_id: str = Field(alias="bootID")
    container_runtime_version: str = Field(alias="containerRuntimeVersion")
    kernel_version: str = Field(alias="kernelVersion")
    kube_proxy_version: str = Field(alias="kubeProxyVersion")
    kubelet_version: str = Field(alias="kubeletVersion")
    machine_id: str = Field(alias="machineID")
    operating_system: str = Field(alias="operatingSystem")
    os_image: str = Field(alias="osImage")
    running_in_user_namespace: bool | None = Field(None, alias="runningInUserNamespace")
    swap: NodeSwapStatus | None = None
    system_uuid: str = Field(alias="systemUUID")


class NodeRuntimeHandlerFeatures(Model):
    recursive_read_only_mounts: bool | None = Field(None, alias="recursiveReadOnlyMounts")
    user_namespaces: bool | None = Field(None, alias="userNamespaces")


class NodeRuntimeHandler(Model):
    features: NodeRuntimeHandlerFeatures | None = None
    name: str | None = None


class NodeStatus(Model):
    addresses: Annotated[list[NodeAddress], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    allocatable: dict[str, Quantity] = Field(default_factory=dict)
    capacity: dict[str, Quantity] = Field(default_factory=dict)
    conditions: Annotated[list[NodeCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints | None = Field(None, alias="daemonEndpoints")
    declared_features: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="declaredFeatures")
    features: NodeFeatures | None = None
    images: Annotated[list[ContainerImage], ListType("atomic")] = Field(default_factory=list)
    node_info: NodeSystemInfo | None = Field(None, alias="nodeInfo")
    phase: str | None = None
    runtime_handlers: Annotated[list[NodeRuntimeHandler], ListType("atomic")] = Field(default_factory=list, alias="runtimeHandlers")
    volumes_attached: Annotated[list[AttachedVolume], ListType("atomic")] = Field(default_factory=list, alias="volumesAttached")
    volumes_in_use: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="volumesInUse")


class Node(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "Node"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: NodeSpec = Field(default_factory=NodeSpec)
    status: NodeStatus = Field(default_factory=NodeStatus)


class NodeAllocatableMappedResources(Model):
    name: str
    quantity: Quantity


class NodeAllocatableOverheadResources(Model):
    name: str
    per_container: Quantity | None = Field(None, alias="perContainer")
    per_pod: Quantity | None = Field(None, alias="perPod")


class NodeAllocatableResourceClaimStatus(Model):
    containers: Annotated[list[str], ListType("set")] = Field(default_factory=list)
    mapping: Annotated[list[NodeAllocatableMappedResources], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list)
    overhead: Annotated[list[NodeAllocatableOverheadResources], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list)
    resource_claim_name: str = Field(alias="resourceClaimName")


class NodeList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[Node]
    kind: str = "NodeList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class VolumeNodeAffinity(Model):
    required: NodeSelector | None = None


class PhotonPersistentDiskVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    pd_id: str = Field(alias="pdID")


class PortworxVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    read_only: bool | None = Field(None, alias="readOnly")
    volume_id: str = Field(alias="volumeID")


class QuobyteVolumeSource(Model):
    group: str | None = None
    read_only: bool | None = Field(None, alias="readOnly")
    registry: str
    tenant: str | None = None
    user: str | None = None
    volume: str


class RBDPersistentVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    image: str
    keyring: str | None = None
    monitors: Annotated[list[str], ListType("atomic")]
    pool: str | None = None
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: SecretReference | None = Field(None, alias="secretRef")
    user: str | None = None


class ScaleIOPersistentVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    gateway: str
    protection_domain: str | None = Field(None, alias="protectionDomain")
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: SecretReference = Field(alias="secretRef")
    ssl_enabled: bool | None = Field(None, alias="sslEnabled")
    storage_mode: str | None = Field(None, alias="storageMode")
    storage_pool: str | None = Field(None, alias="storagePool")
    system: str
    volume_name: str | None = Field(None, alias="volumeName")


class StorageOSPersistentVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: ObjectReference | None = Field(None, alias="secretRef")
    volume_name: str | None = Field(None, alias="volumeName")
    volume_namespace: str | None = Field(None, alias="volumeNamespace")


class VsphereVirtualDiskVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    storage_policy_id: str | None = Field(None, alias="storagePolicyID")
    storage_policy_name: str | None = Field(None, alias="storagePolicyName")
    volume_path: str = Field(alias="volumePath")


class PersistentVolumeSpec(Model):
    access_modes: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="accessModes")
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = Field(None, alias="awsElasticBlockStore")
    azure_disk: AzureDiskVolumeSource | None = Field(None, alias="azureDisk")
    azure_file: AzureFilePersistentVolumeSource | None = Field(None, alias="azureFile")
    capacity: dict[str, Quantity] = Field(default_factory=dict)
    cephfs: CephFSPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    claim_ref: Annotated[ObjectReference | None, MapType("granular")] = Field(None, alias="claimRef")
    csi: CSIPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = Field(None, alias="flexVolume")
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = Field(None, alias="gcePersistentDisk")
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    host_path: HostPathVolumeSource | None = Field(None, alias="hostPath")
    iscsi: ISCSIPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    mount_options: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="mountOptions")
    nfs: NFSVolumeSource | None = None
    node_affinity: VolumeNodeAffinity | None = Field(None, alias="nodeAffinity")
    persistent_volume_reclaim_policy: str | None = Field(None, alias="persistentVolumeReclaimPolicy")
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = Field(None, alias="photonPersistentDisk")
    portworx_volume: PortworxVolumeSource | None = Field(None, alias="portworxVolume")
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = Field(None, alias="scaleIO")
    storage_class_name: str | None = Field(None, alias="storageClassName")
    storageos: StorageOSPersistentVolumeSource | None = None
    volume_attributes_class_name: str | None = Field(None, alias="volumeAttributesClassName")
    volume_mode: str | None = Field(None, alias="volumeMode")
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = Field(None, alias="vsphereVolume")


class PersistentVolumeStatus(Model):
    last_phase_transition_time: Time | None = Field(None, alias="lastPhaseTransitionTime")
    message: str | None = None
    phase: str | None = None
    reason: str | None = None


class PersistentVolume(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "PersistentVolume"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: PersistentVolumeSpec = Field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = Field(default_factory=PersistentVolumeStatus)


class PersistentVolumeClaimCondition(Model):
    last_probe_time: Time | None = Field(None, alias="lastProbeTime")
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str
    type: str


class VolumeHealthCondition(Model):
    message: str | None = None
    reason: str
    status: str


class VolumeHealthStatus(Model):
    health_conditions: Annotated[list[VolumeHealthCondition], ListType("map", ("status", "reason")), PatchMerge("merge", "status")] = Field(default_factory=list, alias="healthConditions")
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")


class PersistentVolumeClaimStatus(Model):
    access_modes: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="accessModes")
    allocated_resource_statuses: Annotated[dict[str, str], MapType("granular")] = Field(default_factory=dict, alias="allocatedResourceStatuses")
    allocated_resources: dict[str, Quantity] = Field(default_factory=dict, alias="allocatedResources")
    capacity: dict[str, Quantity] = Field(default_factory=dict)
    conditions: Annotated[list[PersistentVolumeClaimCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    current_volume_attributes_class_name: str | None = Field(None, alias="currentVolumeAttributesClassName")
    health_status: VolumeHealthStatus | None = Field(None, alias="healthStatus")
    modify_volume_status: ModifyVolumeStatus | None = Field(None, alias="modifyVolumeStatus")
    phase: str | None = None


class PersistentVolumeClaim(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "PersistentVolumeClaim"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: PersistentVolumeClaimSpec = Field(default_factory=PersistentVolumeClaimSpec)
    status: PersistentVolumeClaimStatus = Field(default_factory=PersistentVolumeClaimStatus)


class PersistentVolumeClaimList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[PersistentVolumeClaim]
    kind: str = "PersistentVolumeClaimList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class PersistentVolumeClaimVolumeSource(Model):
    claim_name: str = Field(alias="claimName")
    read_only: bool | None = Field(None, alias="readOnly")


class PersistentVolumeList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[PersistentVolume]
    kind: str = "PersistentVolumeList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class PodDNSConfigOption(Model):
    name: str | None = None
    value: str | None = None


class PodDNSConfig(Model):
    nameservers: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)
    options: Annotated[list[PodDNSConfigOption], ListType("atomic")] = Field(default_factory=list)
    searches: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class PodOS(Model):
    name: str


class PodReadinessGate(Model):
    condition_type: str = Field(alias="conditionType")


class PodResourceClaim(Model):
    name: str
    resource_claim_name: str | None = Field(None, alias="resourceClaimName")
    resource_claim_template_name: str | None = Field(None, alias="resourceClaimTemplateName")


class PodSchedulingGate(Model):
    name: str


class PodSchedulingGroup(Model):
    pod_group_name: str | None = Field(None, alias="podGroupName")


class Sysctl(Model):
    name: str
    value: str


class PodSecurityContext(Model):
    app_armor_profile: AppArmorProfile | None = Field(None, alias="appArmorProfile")
    fs_group: int | None = Field(None, alias="fsGroup")
    fs_group_change_policy: str | None = Field(None, alias="fsGroupChangePolicy")
    run_as_group: int | None = Field(None, alias="runAsGroup")
    run_as_non_root: bool | None = Field(None, alias="runAsNonRoot")
    run_as_user: int | None = Field(None, alias="runAsUser")
    se_linux_change_policy: str | None = Field(None, alias="seLinuxChangePolicy")
    se_linux_options: SELinuxOptions | None = Field(None, alias="seLinuxOptions")
    seccomp_profile: SeccompProfile | None = Field(None, alias="seccompProfile")
    supplemental_groups: Annotated[list[int], ListType("atomic")] = Field(default_factory=list, alias="supplementalGroups")
    supplemental_groups_policy: str | None = Field(None, alias="supplementalGroupsPolicy")
    sysctls: Annotated[list[Sysctl], ListType("atomic")] = Field(default_factory=list)
    windows_options: WindowsSecurityContextOptions | None = Field(None, alias="windowsOptions")


class Toleration(Model):
    effect: str | None = None
    key: str | None = None
    operator: str | None = None
    toleration_seconds: int | None = Field(None, alias="tolerationSeconds")
    value: str | None = None


class TopologySpreadConstraint(Model):
    label_selector: meta_v1.LabelSelector | None = Field(None, alias="labelSelector")
    match_label_keys: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="matchLabelKeys")
    max_skew: int = Field(alias="maxSkew")
    min_domains: int | None = Field(None, alias="minDomains")
    node_affinity_policy: str | None = Field(None, alias="nodeAffinityPolicy")
    node_taints_policy: str | None = Field(None, alias="nodeTaintsPolicy")
    topology_key: str = Field(alias="topologyKey")
    when_unsatisfiable: str = Field(alias="whenUnsatisfiable")


class PodCertificateProjection(Model):
    certificate_chain_path: str | None = Field(None, alias="certificateChainPath")
    credential_bundle_path: str | None = Field(None, alias="credentialBundlePath")
    key_path: str | None = Field(None, alias="keyPath")
    key_type: str = Field(alias="keyType")
    max_expiration_seconds: int | None = Field(None, alias="maxExpirationSeconds")
    signer_name: str = Field(alias="signerName")
    user: int | None = None
    user_annotations: dict[str, str] = Field(default_factory=dict, alias="userAnnotations")


class SecretProjection(Model):
    items: Annotated[list[KeyToPath], ListType("atomic")] = Field(default_factory=list)
    name: str | None = None
    optional: bool | None = None


class ServiceAccountTokenProjection(Model):
    audience: str | None = None
    expiration_seconds: int | None = Field(None, alias="expirationSeconds")
    path: str
    user: int | None = None


class VolumeProjection(Model):
    cluster_trust_bundle: ClusterTrustBundleProjection | None = Field(None, alias="clusterTrustBundle")
    config_map: ConfigMapProjection | None = Field(None, alias="configMap")
    downward_api: DownwardAPIProjection | None = Field(None, alias="downwardAPI")
    pod_certificate: PodCertificateProjection | None = Field(None, alias="podCertificate")
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = Field(None, alias="serviceAccountToken")


class ProjectedVolumeSource(Model):
    default_mode: int | None = Field(None, alias="defaultMode")
    default_user: int | None = Field(None, alias="defaultUser")
    sources: Annotated[list[VolumeProjection], ListType("atomic")] = Field(default_factory=list)


class RBDVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    image: str
    keyring: str | None = None
    monitors: Annotated[list[str], ListType("atomic")]
    pool: str | None = None
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: LocalObjectReference | None = Field(None, alias="secretRef")
    user: str | None = None


class ScaleIOVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    gateway: str
    protection_domain: str | None = Field(None, alias="protectionDomain")
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: LocalObjectReference = Field(alias="secretRef")
    ssl_enabled: bool | None = Field(None, alias="sslEnabled")
    storage_mode: str | None = Field(None, alias="storageMode")
    storage_pool: str | None = Field(None, alias="storagePool")
    system: str
    volume_name: str | None = Field(None, alias="volumeName")


class SecretVolumeSource(Model):
    default_mode: int | None = Field(None, alias="defaultMode")
    default_user: int | None = Field(None, alias="defaultUser")
    items: Annotated[list[KeyToPath], ListType("atomic")] = Field(default_factory=list)
    optional: bool | None = None
    secret_name: str | None = Field(None, alias="secretName")


class StorageOSVolumeSource(Model):
    fs_type: str | None = Field(None, alias="fsType")
    read_only: bool | None = Field(None, alias="readOnly")
    secret_ref: LocalObjectReference | None = Field(None, alias="secretRef")
    volume_name: str | None = Field(None, alias="volumeName")
    volume_namespace: str | None = Field(None, alias="volumeNamespace")


class Volume(Model):
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = Field(None, alias="awsElasticBlockStore")
    azure_disk: AzureDiskVolumeSource | None = Field(None, alias="azureDisk")
    azure_file: AzureFileVolumeSource | None = Field(None, alias="azureFile")
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = Field(None, alias="configMap")
    csi: CSIVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = Field(None, alias="downwardAPI")
    empty_dir: EmptyDirVolumeSource | None = Field(None, alias="emptyDir")
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = Field(None, alias="flexVolume")
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = Field(None, alias="gcePersistentDisk")
    git_repo: GitRepoVolumeSource | None = Field(None, alias="gitRepo")
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = Field(None, alias="hostPath")
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    name: str
    nfs: NFSVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = Field(None, alias="persistentVolumeClaim")
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = Field(None, alias="photonPersistentDisk")
    portworx_volume: PortworxVolumeSource | None = Field(None, alias="portworxVolume")
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = Field(None, alias="scaleIO")
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = Field(None, alias="vsphereVolume")


class PodSpec(Model):
    active_deadline_seconds: int | None = Field(None, alias="activeDeadlineSeconds")
    affinity: Affinity | None = None
    automount_service_account_token: bool | None = Field(None, alias="automountServiceAccountToken")
    containers: Annotated[list[Container], ListType("map", ("name",)), PatchMerge("merge", "name")]
    dns_config: PodDNSConfig | None = Field(None, alias="dnsConfig")
    dns_policy: str | None = Field(None, alias="dnsPolicy")
    enable_service_links: bool | None = Field(None, alias="enableServiceLinks")
    ephemeral_containers: Annotated[list[EphemeralContainer], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="ephemeralContainers")
    eviction_responders: Annotated[list[EvictionResponder], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="evictionResponders")
    host_aliases: Annotated[list[HostAlias], ListType("map", ("ip",)), PatchMerge("merge", "ip")] = Field(default_factory=list, alias="hostAliases")
    host_ipc: bool | None = Field(None, alias="hostIPC")
    host_network: bool | None = Field(None, alias="hostNetwork")
    host_pid: bool | None = Field(None, alias="hostPID")
    host_users: bool | None = Field(None, alias="hostUsers")
    hostname: str | None = None
    hostname_override: str | None = Field(None, alias="hostnameOverride")
    image_pull_secrets: Annotated[list[LocalObjectReference], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="imagePullSecrets")
    init_containers: Annotated[list[Container], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="initContainers")
    node_name: str | None = Field(None, alias="nodeName")
    node_selector: Annotated[dict[str, str], MapType("atomic")] = Field(default_factory=dict, alias="nodeSelector")
    os: PodOS | None = None
    overhead: dict[str, Quantity] = Field(default_factory=dict)
    preemption_policy: str | None = Field(None, alias="preemptionPolicy")
    priority: int | None = None
    priority_class_name: str | None = Field(None, alias="priorityClassName")
    readiness_gates: Annotated[list[PodReadinessGate], ListType("atomic")] = Field(default_factory=list, alias="readinessGates")
    resource_claims: Annotated[list[PodResourceClaim], ListType("map", ("name",)), PatchMerge("merge,retainKeys", "name")] = Field(default_factory=list, alias="resourceClaims")
    resources: ResourceRequirements | None = None
    restart_policy: str | None = Field(None, alias="restartPolicy")
    runtime_class_name: str | None = Field(None, alias="runtimeClassName")
    scheduler_name: str | None = Field(None, alias="schedulerName")
    scheduling_gates: Annotated[list[PodSchedulingGate], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="schedulingGates")
    scheduling_group: PodSchedulingGroup | None = Field(None, alias="schedulingGroup")
    security_context: PodSecurityContext | None = Field(None, alias="securityContext")
    service_account: str | None = Field(None, alias="serviceAccount")
    service_account_name: str | None = Field(None, alias="serviceAccountName")
    set_hostname_as_fqdn: bool | None = Field(None, alias="setHostnameAsFQDN")
    share_process_namespace: bool | None = Field(None, alias="shareProcessNamespace")
    subdomain: str | None = None
    termination_grace_period_seconds: int | None = Field(None, alias="terminationGracePeriodSeconds")
    tolerations: Annotated[list[Toleration], ListType("atomic")] = Field(default_factory=list)
    topology_spread_constraints: Annotated[list[TopologySpreadConstraint], ListType("map", ("topologyKey", "whenUnsatisfiable")), PatchMerge("merge", "topologyKey")] = Field(default_factory=list, alias="topologySpreadConstraints")
    volumes: Annotated[list[Volume], ListType("map", ("name",)), PatchMerge("merge,retainKeys", "name")] = Field(default_factory=list)


class PodCondition(Model):
    last_probe_time: Time | None = Field(None, alias="lastProbeTime")
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    observed_generation: int | None = Field(None, alias="observedGeneration")
    reason: str | None = None
    status: str
    type: str


class PodExtendedResourceClaimStatus(Model):
    request_mappings: Annotated[list[ContainerExtendedResourceRequest], ListType("atomic")] = Field(alias="requestMappings")
    resource_claim_name: str = Field(alias="resourceClaimName")


class PodIP(Model):
    ip: str


class PodResourceClaimStatus(Model):
    name: str
    resource_claim_name: str | None = Field(None, alias="resourceClaimName")


class PodVolumeHealth(Model):
    health_conditions: Annotated[list[VolumeHealthCondition], ListType("map", ("status", "reason")), PatchMerge("merge", "status")] = Field(default_factory=list, alias="healthConditions")
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    name: str


class PodStatus(Model):
    allocated_resources: dict[str, Quantity] = Field(default_factory=dict, alias="allocatedResources")
    conditions: Annotated[list[PodCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    container_statuses: Annotated[list[ContainerStatus], ListType("atomic")] = Field(default_factory=list, alias="containerStatuses")
    ephemeral_container_statuses: Annotated[list[ContainerStatus], ListType("atomic")] = Field(default_factory=list, alias="ephemeralContainerStatuses")
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = Field(None, alias="extendedResourceClaimStatus")
    host_ip: str | None = Field(None, alias="hostIP")
    host_ips: Annotated[list[HostIP], ListType("atomic"), PatchMerge("merge", "ip")] = Field(default_factory=list, alias="hostIPs")
    init_container_statuses: Annotated[list[ContainerStatus], ListType("atomic")] = Field(default_factory=list, alias="initContainerStatuses")
    message: str | None = None
    node_allocatable_resource_claim_statuses: Annotated[list[NodeAllocatableResourceClaimStatus], ListType("map", ("resourceClaimName",)), PatchMerge("merge", "resourceClaimName")] = Field(default_factory=list, alias="nodeAllocatableResourceClaimStatuses")
    nominated_node_name: str | None = Field(None, alias="nominatedNodeName")
    observed_generation: int | None = Field(None, alias="observedGeneration")
    phase: str | None = None
    pod_ip: str | None = Field(None, alias="podIP")
    pod_ips: Annotated[list[PodIP], ListType("map", ("ip",)), PatchMerge("merge", "ip")] = Field(default_factory=list, alias="podIPs")
    qos_class: str | None = Field(None, alias="qosClass")
    reason: str | None = None
    resize: str | None = None
    resource_claim_statuses: Annotated[list[PodResourceClaimStatus], ListType("map", ("name",)), PatchMerge("merge,retainKeys", "name")] = Field(default_factory=list, alias="resourceClaimStatuses")
    resources: ResourceRequirements | None = None
    start_time: Time | None = Field(None, alias="startTime")
    volume_health: Annotated[list[PodVolumeHealth], ListType("map", ("name",))] = Field(default_factory=list, alias="volumeHealth")


class Pod(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "Pod"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: PodSpec
    status: PodStatus = Field(default_factory=PodStatus)


class PodList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[Pod]
    kind: str = "PodList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class PodTemplateSpec(Model):
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: PodSpec | None = None


class PodTemplate(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "PodTemplate"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    template: PodTemplateSpec | None = None


class PodTemplateList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[PodTemplate]
    kind: str = "PodTemplateList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ReplicationControllerSpec(Model):
    min_ready_seconds: int | None = Field(None, alias="minReadySeconds")
    replicas: int | None = None
    selector: Annotated[dict[str, str], MapType("atomic")] = Field(default_factory=dict)
    template: PodTemplateSpec | None = None


class ReplicationControllerCondition(Model):
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str
    type: str


class ReplicationControllerStatus(Model):
    available_replicas: int | None = Field(None, alias="availableReplicas")
    conditions: Annotated[list[ReplicationControllerCondition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    fully_labeled_replicas: int | None = Field(None, alias="fullyLabeledReplicas")
    observed_generation: int | None = Field(None, alias="observedGeneration")
    ready_replicas: int | None = Field(None, alias="readyReplicas")
    replicas: int


class ReplicationController(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "ReplicationController"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ReplicationControllerSpec = Field(default_factory=ReplicationControllerSpec)
    status: ReplicationControllerStatus | None = None


class ReplicationControllerList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[ReplicationController]
    kind: str = "ReplicationControllerList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ScopedResourceSelectorRequirement(Model):
    operator: str
    scope_name: str = Field(alias="scopeName")
    values: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class ScopeSelector(Model):
    map_type: ClassVar[str] = "atomic"
    match_expressions: Annotated[list[ScopedResourceSelectorRequirement], ListType("atomic")] = Field(default_factory=list, alias="matchExpressions")


class ResourceQuotaSpec(Model):
    hard: dict[str, Quantity] = Field(default_factory=dict)
    scope_selector: ScopeSelector | None = Field(None, alias="scopeSelector")
    scopes: Annotated[list[str], ListType("atomic")] = Field(default_factory=list)


class ResourceQuotaStatus(Model):
    hard: dict[str, Quantity] = Field(default_factory=dict)
    used: dict[str, Quantity] = Field(default_factory=dict)


class ResourceQuota(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "ResourceQuota"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ResourceQuotaSpec = Field(default_factory=ResourceQuotaSpec)
    status: ResourceQuotaStatus = Field(default_factory=ResourceQuotaStatus)


class ResourceQuotaList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[ResourceQuota]
    kind: str = "ResourceQuotaList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class Secret(Model):
    api_version: str = Field("v1", alias="apiVersion")
    data: dict[str, Base64] = Field(default_factory=dict)
    immutable: bool | None = None
    kind: str = "Secret"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    string_data: dict[str, str] = Field(default_factory=dict, alias="stringData")
    type: str | None = None


class SecretList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[Secret]
    kind: str = "SecretList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ServicePort(Model):
    app_protocol: str | None = Field(None, alias="appProtocol")
    name: str | None = None
    node_port: int | None = Field(None, alias="nodePort")
    port: int
    protocol: str | None = None
    target_port: IntOrString | None = Field(None, alias="targetPort")


class SessionAffinityConfig(Model):
    client_ip: ClientIPConfig | None = Field(None, alias="clientIP")


class ServiceSpec(Model):
    allocate_load_balancer_node_ports: bool | None = Field(None, alias="allocateLoadBalancerNodePorts")
    cluster_ip: str | None = Field(None, alias="clusterIP")
    cluster_ips: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="clusterIPs")
    external_ips: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="externalIPs")
    external_name: str | None = Field(None, alias="externalName")
    external_traffic_policy: str | None = Field(None, alias="externalTrafficPolicy")
    health_check_node_port: int | None = Field(None, alias="healthCheckNodePort")
    internal_traffic_policy: str | None = Field(None, alias="internalTrafficPolicy")
    ip_families: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="ipFamilies")
    ip_family_policy: str | None = Field(None, alias="ipFamilyPolicy")
    load_balancer_class: str | None = Field(None, alias="loadBalancerClass")
    load_balancer_ip: str | None = Field(None, alias="loadBalancerIP")
    load_balancer_source_ranges: Annotated[list[str], ListType("atomic")] = Field(default_factory=list, alias="loadBalancerSourceRanges")
    ports: Annotated[list[ServicePort], ListType("map", ("port", "protocol")), PatchMerge("merge", "port")] = Field(default_factory=list)
    publish_not_ready_addresses: bool | None = Field(None, alias="publishNotReadyAddresses")
    selector: Annotated[dict[str, str], MapType("atomic")] = Field(default_factory=dict)
    session_affinity: str | None = Field(None, alias="sessionAffinity")
    session_affinity_config: SessionAffinityConfig | None = Field(None, alias="sessionAffinityConfig")
    traffic_distribution: str | None = Field(None, alias="trafficDistribution")
    type: str | None = None


class ServiceStatus(Model):
    conditions: Annotated[list[meta_v1.Condition], ListType("map", ("type",)), PatchMerge("merge", "type")] = Field(default_factory=list)
    load_balancer: LoadBalancerStatus | None = Field(None, alias="loadBalancer")


class Service(Model):
    api_version: str = Field("v1", alias="apiVersion")
    kind: str = "Service"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: ServiceSpec = Field(default_factory=ServiceSpec)
    status: ServiceStatus = Field(default_factory=ServiceStatus)


class ServiceAccount(Model):
    api_version: str = Field("v1", alias="apiVersion")
    automount_service_account_token: bool | None = Field(None, alias="automountServiceAccountToken")
    image_pull_secrets: Annotated[list[LocalObjectReference], ListType("atomic")] = Field(default_factory=list, alias="imagePullSecrets")
    kind: str = "ServiceAccount"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    secrets: Annotated[list[ObjectReference], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list)


class ServiceAccountList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[ServiceAccount]
    kind: str = "ServiceAccountList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class ServiceList(Model):
    api_version: str = Field("v1", alias="apiVersion")
    items: list[Service]
    kind: str = "ServiceList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class TopologySelectorLabelRequirement(Model):
    key: str
    values: Annotated[list[str], ListType("atomic")]


class TopologySelectorTerm(Model):
    map_type: ClassVar[str] = "atomic"
    match_label_expressions: Annotated[list[TopologySelectorLabelRequirement], ListType("atomic")] = Field(default_factory=list, alias="matchLabelExpressions")
