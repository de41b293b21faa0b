"""Which resources there are: the table that routing, discovery, storage and clients share.

Owns      every resource of the stable group versions of Kubernetes 1.37.
Leaves    the kinds' fields (api.types), what is done with a resource (apiserver), custom resources.
Invariant a constant is the plural in upper case; of two versions of one resource, the constant and
          `RESOURCES` hold the preferred one, and `lookup` and `SERVED` know both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

    from busk8s.api.customkind import CustomKind

ALL_VERBS = (
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
)  # fmt: skip


@dataclass(frozen=True)
class Resource:
    """One served resource: a group, a version, a plural, and what may be done with it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    list_kind: str = field(default="")
    # Key of the resource whose objects these are, where two show one store; "" is the own key.
    stored_as: str = ""
    # What a CustomResourceDefinition says of it; None: the kind is built in.
    custom: CustomKind | None = field(default=None, compare=False, repr=False)

    @cached_property
    def key(self) -> str:
        """`plural` or `plural.group`: names the resource in stores, topics and messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def path(self) -> str:
        """The URL prefix of the group and version: `/api/v1` or `/apis/apps/v1`."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    @cached_property
    def head_length(self) -> int:
        """Bytes before the first member of `metadata` in the encoded form (object.encode)."""
        head = '{"kind":"%s","apiVersion":"%s","metadata":{'
        return len(head % (self.kind, self.api_version))

    @cached_property
    def storage_key(self) -> str:
        """The key under which the objects lie: `stored_as`, or the own key."""
        return self.stored_as or self.key


def _resource(
    group: str,
    plural: str,
    kind: str,
    short: str = "",
    *,
    version: str = "v1",
    cluster: bool = False,
    sub: str = "",
    categories: str = "",
    verbs: tuple[str, ...] = ALL_VERBS,
    stored_as: str = "",
) -> Resource:
    """A table row; `short`, `sub` and `categories` are lists of words."""
    return Resource(
        group,
        version,
        plural,
        kind,
        namespaced=not cluster,
        singular=kind.lower(),
        short_names=tuple(short.split()),
        categories=tuple(categories.split()),
        subresources=tuple(sub.split()),
        verbs=verbs,
        list_kind=kind + "List" if "list" in verbs else "",
        stored_as=stored_as,
    )


# core
BINDINGS = _resource("", "bindings", "Binding", verbs=("create",))
COMPONENTSTATUSES = _resource(
    "", "componentstatuses", "ComponentStatus", "cs", cluster=True, verbs=("get", "list")
)
CONFIGMAPS = _resource("", "configmaps", "ConfigMap", "cm")
ENDPOINTS = _resource("", "endpoints", "Endpoints", "ep")
EVENTS = _resource("", "events", "Event", "ev")
LIMITRANGES = _resource("", "limitranges", "LimitRange", "limits")
NAMESPACES = _resource(
    "",
    "namespaces",
    "Namespace",
    "ns",
    cluster=True,
    sub="finalize status",
    verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
)
NODES = _resource("", "nodes", "Node", "no", cluster=True, sub="proxy status")
PERSISTENTVOLUMECLAIMS = _resource(
    "", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc", sub="status"
)
PERSISTENTVOLUMES = _resource(
    "", "persistentvolumes", "PersistentVolume", "pv", cluster=True, sub="status"
)
PODS = _resource(
    "",
    "pods",
    "Pod",
    "po",
    sub="attach binding ephemeralcontainers eviction exec log portforward proxy resize status",
    categories="all",
)
PODTEMPLATES = _resource("", "podtemplates", "PodTemplate")
REPLICATIONCONTROLLERS = _resource(
    "",
    "replicationcontrollers",
    "ReplicationController",
    "rc",
    sub="scale status",
    categories="all",
)
RESOURCEQUOTAS = _resource("", "resourcequotas", "ResourceQuota", "quota", sub="status")
SECRETS = _resource("", "secrets", "Secret")
SERVICEACCOUNTS = _resource("", "serviceaccounts", "ServiceAccount", "sa", sub="token")
SERVICES = _resource("", "services", "Service", "svc", sub="proxy status", categories="all")

# apps
CONTROLLERREVISIONS = _resource("apps", "controllerrevisions", "ControllerRevision")
DAEMONSETS = _resource("apps", "daemonsets", "DaemonSet", "ds", sub="status", categories="all")
DEPLOYMENTS = _resource(
    "apps", "deployments", "Deployment", "deploy", sub="scale status", categories="all"
)
REPLICASETS = _resource(
    "apps", "replicasets", "ReplicaSet", "rs", sub="scale status", categories="all"
)
STATEFULSETS = _resource(
    "apps", "statefulsets", "StatefulSet", "sts", sub="scale status", categories="all"
)

# batch and autoscaling
CRONJOBS = _resource("batch", "cronjobs", "CronJob", "cj", sub="status", categories="all")
JOBS = _resource("batch", "jobs", "Job", sub="status", categories="all")
HORIZONTALPODAUTOSCALERS = _resource(
    "autoscaling",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "hpa",
    version="v2",
    sub="status",
    categories="all",
)
HORIZONTALPODAUTOSCALERS_V1 = _resource(
    "autoscaling",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "hpa",
    sub="status",
    categories="all",
    stored_as="horizontalpodautoscalers.autoscaling",
)

# network
INGRESSCLASSES = _resource("networking.k8s.io", "ingressclasses", "IngressClass", cluster=True)
INGRESSES = _resource("networking.k8s.io", "ingresses", "Ingress", "ing", sub="status")
IPADDRESSES = _resource("networking.k8s.io", "ipaddresses", "IPAddress", "ip", cluster=True)
NETWORKPOLICIES = _resource("networking.k8s.io", "networkpolicies", "NetworkPolicy", "netpol")
SERVICECIDRS = _resource(
    "networking.k8s.io", "servicecidrs", "ServiceCIDR", cluster=True, sub="status"
)
ENDPOINTSLICES = _resource("discovery.k8s.io", "endpointslices", "EndpointSlice")

# policy, leases, events
PODDISRUPTIONBUDGETS = _resource(
    "policy", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", sub="status"
)
LEASES = _resource("coordination.k8s.io", "leases", "Lease")
EVENTS_V1 = _resource("events.k8s.io", "events", "Event", "ev", stored_as="events")

# access
CLUSTERROLEBINDINGS = _resource(
    "rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", cluster=True
)
CLUSTERROLES = _resource("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", cluster=True)
ROLEBINDINGS = _resource("rbac.authorization.k8s.io", "rolebindings", "RoleBinding")
ROLES = _resource("rbac.authorization.k8s.io", "roles", "Role")
SELFSUBJECTREVIEWS = _resource(
    "authentication.k8s.io",
    "selfsubjectreviews",
    "SelfSubjectReview",
    cluster=True,
    verbs=("create",),
)
TOKENREVIEWS = _resource(
    "authentication.k8s.io", "tokenreviews", "TokenReview", cluster=True, verbs=("create",)
)
LOCALSUBJECTACCESSREVIEWS = _resource(
    "authorization.k8s.io",
    "localsubjectaccessreviews",
    "LocalSubjectAccessReview",
    verbs=("create",),
)
SELFSUBJECTACCESSREVIEWS = _resource(
    "authorization.k8s.io",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    cluster=True,
    verbs=("create",),
)
SELFSUBJECTRULESREVIEWS = _resource(
    "authorization.k8s.io",
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    cluster=True,
    verbs=("create",),
)
SUBJECTACCESSREVIEWS = _resource(
    "authorization.k8s.io",
    "subjectaccessreviews",
    "SubjectAccessReview",
    cluster=True,
    verbs=("create",),
)
CERTIFICATESIGNINGREQUESTS = _resource(
    "certificates.k8s.io",
    "certificatesigningrequests",
    "CertificateSigningRequest",
    "csr",
    cluster=True,
    sub="approval status",
)
CLUSTERTRUSTBUNDLES = _resource(
    "certificates.k8s.io", "clustertrustbundles", "ClusterTrustBundle", cluster=True
)
PODCERTIFICATEREQUESTS = _resource(
    "certificates.k8s.io", "podcertificaterequests", "PodCertificateRequest", sub="status"
)

# storage, devices, scheduling
CSIDRIVERS = _resource("storage.k8s.io", "csidrivers", "CSIDriver", cluster=True)
CSINODES = _resource("storage.k8s.io", "csinodes", "CSINode", cluster=True, sub="status")
CSISTORAGECAPACITIES = _resource("storage.k8s.io", "csistoragecapacities", "CSIStorageCapacity")
STORAGECLASSES = _resource("storage.k8s.io", "storageclasses", "StorageClass", "sc", cluster=True)
VOLUMEATTACHMENTS = _resource(
    "storage.k8s.io", "volumeattachments", "VolumeAttachment", cluster=True, sub="status"
)
VOLUMEATTRIBUTESCLASSES = _resource(
    "storage.k8s.io", "volumeattributesclasses", "VolumeAttributesClass", "vac", cluster=True
)
STORAGEVERSIONMIGRATIONS = _resource(
    "storagemigration.k8s.io",
    "storageversionmigrations",
    "StorageVersionMigration",
    cluster=True,
    sub="status",
)
DEVICECLASSES = _resource("resource.k8s.io", "deviceclasses", "DeviceClass", cluster=True)
DEVICETAINTRULES = _resource(
    "resource.k8s.io", "devicetaintrules", "DeviceTaintRule", cluster=True, sub="status"
)
RESOURCECLAIMS = _resource("resource.k8s.io", "resourceclaims", "ResourceClaim", sub="status")
RESOURCECLAIMTEMPLATES = _resource(
    "resource.k8s.io", "resourceclaimtemplates", "ResourceClaimTemplate"
)
RESOURCESLICES = _resource("resource.k8s.io", "resourceslices", "ResourceSlice", cluster=True)
RUNTIMECLASSES = _resource("node.k8s.io", "runtimeclasses", "RuntimeClass", cluster=True)
PRIORITYCLASSES = _resource(
    "scheduling.k8s.io", "priorityclasses", "PriorityClass", "pc", cluster=True
)

# extension and flow control
MUTATINGADMISSIONPOLICIES = _resource(
    "admissionregistration.k8s.io",
    "mutatingadmissionpolicies",
    "MutatingAdmissionPolicy",
    cluster=True,
    categories="api-extensions",
)
MUTATINGADMISSIONPOLICYBINDINGS = _resource(
    "admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings",
    "MutatingAdmissionPolicyBinding",
    cluster=True,
    categories="api-extensions",
)
MUTATINGWEBHOOKCONFIGURATIONS = _resource(
    "admissionregistration.k8s.io",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    cluster=True,
    categories="api-extensions",
)
VALIDATINGADMISSIONPOLICIES = _resource(
    "admissionregistration.k8s.io",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    cluster=True,
    sub="status",
    categories="api-extensions",
)
VALIDATINGADMISSIONPOLICYBINDINGS = _resource(
    "admissionregistration.k8s.io",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    cluster=True,
    categories="api-extensions",
)
VALIDATINGWEBHOOKCONFIGURATIONS = _resource(
    "admissionregistration.k8s.io",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    cluster=True,
    categories="api-extensions",
)
CUSTOMRESOURCEDEFINITIONS = _resource(
    "apiextensions.k8s.io",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "crd crds",
    cluster=True,
    sub="status",
    categories="api-extensions",
)
APISERVICES = _resource(
    "apiregistration.k8s.io",
    "apiservices",
    "APIService",
    cluster=True,
    sub="status",
    categories="api-extensions",
)
FLOWSCHEMAS = _resource(
    "flowcontrol.apiserver.k8s.io", "flowschemas", "FlowSchema", cluster=True, sub="status"
)
PRIORITYLEVELCONFIGURATIONS = _resource(
    "flowcontrol.apiserver.k8s.io",
    "prioritylevelconfigurations",
    "PriorityLevelConfiguration",
    cluster=True,
    sub="status",
)

SERVED: tuple[Resource, ...] = (
    BINDINGS,
    COMPONENTSTATUSES,
    CONFIGMAPS,
    ENDPOINTS,
    EVENTS,
    LIMITRANGES,
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PERSISTENTVOLUMES,
    PODS,
    PODTEMPLATES,
    REPLICATIONCONTROLLERS,
    RESOURCEQUOTAS,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    CONTROLLERREVISIONS,
    DAEMONSETS,
    DEPLOYMENTS,
    REPLICASETS,
    STATEFULSETS,
    CRONJOBS,
    JOBS,
    HORIZONTALPODAUTOSCALERS,
    HORIZONTALPODAUTOSCALERS_V1,
    INGRESSCLASSES,
    INGRESSES,
    IPADDRESSES,
    NETWORKPOLICIES,
    SERVICECIDRS,
    ENDPOINTSLICES,
    PODDISRUPTIONBUDGETS,
    LEASES,
    EVENTS_V1,
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    ROLEBINDINGS,
    ROLES,
    SELFSUBJECTREVIEWS,
    TOKENREVIEWS,
    LOCALSUBJECTACCESSREVIEWS,
    SELFSUBJECTACCESSREVIEWS,
    SELFSUBJECTRULESREVIEWS,
    SUBJECTACCESSREVIEWS,
    CERTIFICATESIGNINGREQUESTS,
    CLUSTERTRUSTBUNDLES,
    PODCERTIFICATEREQUESTS,
    CSIDRIVERS,
    CSINODES,
    CSISTORAGECAPACITIES,
    STORAGECLASSES,
    VOLUMEATTACHMENTS,
    VOLUMEATTRIBUTESCLASSES,
    STORAGEVERSIONMIGRATIONS,
    DEVICECLASSES,
    DEVICETAINTRULES,
    RESOURCECLAIMS,
    RESOURCECLAIMTEMPLATES,
    RESOURCESLICES,
    RUNTIMECLASSES,
    PRIORITYCLASSES,
    MUTATINGADMISSIONPOLICIES,
    MUTATINGADMISSIONPOLICYBINDINGS,
    MUTATINGWEBHOOKCONFIGURATIONS,
    VALIDATINGADMISSIONPOLICIES,
    VALIDATINGADMISSIONPOLICYBINDINGS,
    VALIDATINGWEBHOOKCONFIGURATIONS,
    CUSTOMRESOURCEDEFINITIONS,
    APISERVICES,
    FLOWSCHEMAS,
    PRIORITYLEVELCONFIGURATIONS,
)
_BY_PLURAL = {(r.group, r.version, r.plural): r for r in SERVED}
_BY_KIND = {(r.group, r.version, r.kind): r for r in SERVED}
RESOURCES: Mapping[str, Resource] = {r.key: r for r in reversed(SERVED)}


def lookup(group: str, version: str, plural: str) -> Resource | None:
    """The resource at /apis/<group>/<version>/<plural>; the core group is ""."""
    return _BY_PLURAL.get((group, version, plural))


def by_kind(group: str, version: str, kind: str) -> Resource | None:
    """The resource whose objects have this kind; kinds of subresources alone (Scale) have none."""
    return _BY_KIND.get((group, version, kind))


def model_of(resource: Resource) -> type[BaseModel]:
    """The pydantic model of a built-in resource; its module is imported at the first call."""
    model = model_named(resource.group, resource.version, resource.kind)
    assert model is not None, f"{resource.key} is not built in"
    return model


def model_named(group: str, version: str, kind: str) -> type[BaseModel] | None:
    """The model of any kind, those of subresources included: Scale, Eviction, TokenRequest."""
    first_label = group.split(".", 1)[0]
    try:
        module = import_module(f"busk8s.api.types.{first_label or 'core'}_{version}")
    except ModuleNotFoundError:
        return None
    found: type[BaseModel] | None = getattr(module, kind, None)
    return found
