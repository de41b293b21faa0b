"""The default ClusterRoles and ClusterRoleBindings of Kubernetes 1.37.

Owns      what administrators, editors, viewers, nodes and the control plane may do from the start.
Leaves    the controllers' roles (controller_policy), keeping them up (bootstrap).
Source    Kubernetes reference, "Using RBAC Authorization", default roles; upstream's
          bootstrap policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from busk8s.api.object import Json
from busk8s.master.apiserver.rbac import policy_text
from busk8s.master.apiserver.rbac.policy_text import made, reference, subject

_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_HEALTH = "/healthz /livez /readyz"

ROLES: Mapping[str, str] = {
    "cluster-admin": """
        * | * | *
        * | url | *
    """,
    "system:discovery": f"""
        get | url | {_HEALTH} /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*
    """,
    "system:monitoring": f"""
        get | url | /flagz /metrics /metrics/slis /statusz {_HEALTH} /healthz/* /livez/* /readyz/*
        get | core | nodes/metrics
    """,
    "system:public-info-viewer": f"""
        get | url | {_HEALTH} /version /version/
    """,
    "system:service-account-issuer-discovery": """
        get | url | /.well-known/openid-configuration /.well-known/openid-configuration/ \
            /openid/v1/jwks /openid/v1/jwks/
    """,
    "system:basic-user": """
        create | authorization.k8s.io | selfsubjectaccessreviews selfsubjectrulesreviews
        create | authentication.k8s.io | selfsubjectreviews
    """,
    "system:auth-delegator": """
        create | authentication.k8s.io | tokenreviews
        create | authorization.k8s.io | subjectaccessreviews
    """,
    "system:heapster": """
        read | core | events namespaces nodes pods
        read | extensions | deployments
    """,
    "system:kube-aggregator": """
        read | core | endpoints services
    """,
    "system:kube-dns": """
        list watch | core | endpoints services
    """,
    "system:node": """
        create | authentication.k8s.io | tokenreviews
        create | authorization.k8s.io | localsubjectaccessreviews subjectaccessreviews
        read | core | services
        create read | core | nodes
        patch update | core | nodes/status
        patch update | core | nodes
        events
        read | core | pods
        create delete | core | pods
        patch update | core | pods/status
        create | core | pods/eviction
        read | core | configmaps secrets
        get | core | persistentvolumeclaims persistentvolumes
        get | core | endpoints
        create read | certificates.k8s.io | certificatesigningrequests
        create delete get patch update | coordination.k8s.io | leases
        get | storage.k8s.io | volumeattachments
        create | core | serviceaccounts/token
        get patch update | core | persistentvolumeclaims/status
        read | storage.k8s.io | csidrivers
        create delete get patch update | storage.k8s.io | csinodes
        read | node.k8s.io | runtimeclasses
        get | resource.k8s.io | resourceclaims
        deletecollection | resource.k8s.io | resourceslices
        read | certificates.k8s.io | clustertrustbundles
        create read | certificates.k8s.io | podcertificaterequests
        get | core | serviceaccounts
    """,
    "system:node-bootstrapper": """
        create read | certificates.k8s.io | certificatesigningrequests
    """,
    "system:node-problem-detector": """
        get | core | nodes
        patch | core | nodes/status
        events
    """,
    "system:node-proxier": """
        list watch | core | endpoints services
        read | core | nodes
        events
        list watch | networking.k8s.io | servicecidrs
        list watch | discovery.k8s.io | endpointslices
    """,
    "system:kubelet-api-admin": """
        read | core | nodes
        proxy | core | nodes
        * | core | nodes/log nodes/metrics nodes/proxy nodes/stats
        * | core | nodes/configz nodes/healthz nodes/pods
    """,
    "system:kube-controller-manager": """
        events
        create | coordination.k8s.io | leases
        get update | coordination.k8s.io | leases | kube-controller-manager
        create | core | secrets serviceaccounts
        delete | core | secrets
        get | core | configmaps namespaces secrets serviceaccounts
        update | core | secrets serviceaccounts
        create | authentication.k8s.io | tokenreviews
        create | authorization.k8s.io | subjectaccessreviews
        list watch | * | *
        create | core | serviceaccounts/token
    """,
    "system:kube-scheduler": """
        events
        create | coordination.k8s.io | leases
        get list update watch | coordination.k8s.io | leases | kube-scheduler
        all | coordination.k8s.io | leasecandidates
        read | core | nodes
        delete read | core | pods
        create | core | bindings pods/binding
        patch update | core | pods/status
        read | core | replicationcontrollers services
        read | apps extensions | replicasets
        read | apps | statefulsets
        read | policy | poddisruptionbudgets
        read | core | persistentvolumeclaims persistentvolumes
        create | authentication.k8s.io | tokenreviews
        create | authorization.k8s.io | subjectaccessreviews
        read | storage.k8s.io | csinodes
        read | storage.k8s.io | volumeattachments
        read | core | namespaces
        read | storage.k8s.io | csidrivers
        read | storage.k8s.io | csistoragecapacities
        read | resource.k8s.io | deviceclasses
        read patch update | resource.k8s.io | resourceclaims
        read patch update | resource.k8s.io | resourceclaims/status
        update | core | pods/finalizers
        read | resource.k8s.io | resourceslices
        create delete | resource.k8s.io | resourceclaims
        read | resource.k8s.io | devicetaintrules
        patch update | resource.k8s.io | resourceclaims/binding
    """,
    "system:volume-scheduler": """
        read patch update | core | persistentvolumes
        read | storage.k8s.io | storageclasses
        read patch update | core | persistentvolumeclaims
    """,
    "system:persistent-volume-provisioner": """
        create delete read | core | persistentvolumes
        read update | core | persistentvolumeclaims
        read | storage.k8s.io | storageclasses
        watch | core | events
        events
    """,
    "system:cluster-trust-bundle-discovery": """
        read | certificates.k8s.io | clustertrustbundles
    """,
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": """
        create | certificates.k8s.io | certificatesigningrequests/nodeclient
    """,
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": """
        create | certificates.k8s.io | certificatesigningrequests/selfnodeclient
    """,
    "system:certificates.k8s.io:legacy-unknown-approver": """
        approve | certificates.k8s.io | signers | kubernetes.io/legacy-unknown
    """,
    "system:certificates.k8s.io:kubelet-serving-approver": """
        approve | certificates.k8s.io | signers | kubernetes.io/kubelet-serving
    """,
    "system:certificates.k8s.io:kube-apiserver-client-approver": """
        approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client
    """,
    "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": """
        approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client-kubelet
    """,
}

# Each is gathered into the role after it in its name.
AGGREGATED: Mapping[str, str] = {
    "admin": """
        create | authorization.k8s.io | localsubjectaccessreviews
        all | rbac.authorization.k8s.io | rolebindings roles
    """,
    "edit": """
        read | core | pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy
        impersonate | core | serviceaccounts
        write | core | pods pods/attach pods/exec pods/portforward pods/proxy
        create | core | pods/eviction
        write | core | configmaps persistentvolumeclaims replicationcontrollers \
            replicationcontrollers/scale secrets serviceaccounts services services/proxy
        write | core events.k8s.io | events
        create | core | serviceaccounts/token
        write | apps | daemonsets deployments deployments/rollback deployments/scale replicasets \
            replicasets/scale statefulsets statefulsets/scale
        write | autoscaling | horizontalpodautoscalers
        write | batch | cronjobs jobs
        write | extensions | daemonsets deployments deployments/rollback deployments/scale \
            ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale
        write | policy | poddisruptionbudgets
        write | networking.k8s.io | ingresses networkpolicies
        all | coordination.k8s.io | leases
        write | resource.k8s.io | resourceclaims resourceclaimtemplates
    """,
    "view": """
        read | core | configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status \
            pods replicationcontrollers replicationcontrollers/scale serviceaccounts services \
            services/status
        read | core | bindings limitranges namespaces/status pods/log pods/status \
            replicationcontrollers/status resourcequotas resourcequotas/status
        read | core events.k8s.io | events
        read | core | namespaces
        read | discovery.k8s.io | endpointslices
        read | apps | controllerrevisions daemonsets daemonsets/status deployments \
            deployments/scale deployments/status replicasets replicasets/scale replicasets/status \
            statefulsets statefulsets/scale statefulsets/status
        read | autoscaling | horizontalpodautoscalers horizontalpodautoscalers/status
        read | batch | cronjobs cronjobs/status jobs jobs/status
        read | extensions | daemonsets daemonsets/status deployments deployments/scale \
            deployments/status ingresses ingresses/status networkpolicies replicasets \
            replicasets/scale replicasets/status replicationcontrollers/scale
        read | policy | poddisruptionbudgets poddisruptionbudgets/status
        read | networking.k8s.io | ingresses ingresses/status networkpolicies
        read | resource.k8s.io | resourceclaims resourceclaims/status resourceclaimtemplates
    """,
}
# A role that is gathered into a greater one as a whole.
_INTO = {"admin": None, "edit": "admin", "view": "edit"}

BINDINGS: Mapping[str, tuple[str, ...]] = {
    "cluster-admin": ("group system:masters",),
    "system:monitoring": ("group system:monitoring",),
    "system:discovery": ("group system:authenticated",),
    "system:basic-user": ("group system:authenticated",),
    "system:public-info-viewer": (
        "group system:authenticated",
        "group system:unauthenticated",
    ),
    "system:node-proxier": ("user system:kube-proxy",),
    "system:kube-controller-manager": ("user system:kube-controller-manager",),
    "system:kube-dns": ("account kube-system/kube-dns",),
    "system:kube-scheduler": ("user system:kube-scheduler",),
    "system:volume-scheduler": ("user system:kube-scheduler",),
    "system:node": (),  # The Node authoriser speaks for nodes.
    "system:service-account-issuer-discovery": ("group system:serviceaccounts",),
    "system:cluster-trust-bundle-discovery": ("group system:serviceaccounts",),
}


def cluster_roles() -> Iterator[Json]:
    for name, text in ROLES.items():
        yield made("ClusterRole", name) | {"rules": policy_text.rules(text)}
    for name, greater in _INTO.items():
        labels = {_AGGREGATE + greater: "true"} if greater else {}
        selector = {"matchLabels": {_AGGREGATE + name: "true"}}
        yield made("ClusterRole", name, labels) | {
            "aggregationRule": {"clusterRoleSelectors": [selector]}
        }
    for name, text in AGGREGATED.items():
        labels = {_AGGREGATE + name: "true"}
        yield made("ClusterRole", f"system:aggregate-to-{name}", labels) | {
            "rules": policy_text.rules(text)
        }


def cluster_bindings() -> Iterator[Json]:
    for name, subjects in BINDINGS.items():
        yield binding(name, name, *subjects)


def binding(name: str, role: str, *subjects: str) -> Json:
    made_of: Json = {"roleRef": reference("ClusterRole", role)}
    if subjects:
        made_of["subjects"] = [subject(each) for each in subjects]
    return made("ClusterRoleBinding", name) | made_of
