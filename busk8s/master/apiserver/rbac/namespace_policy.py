"""The default Roles and RoleBindings of kube-system and kube-public.

Source    Kubernetes reference, "Using RBAC Authorization"; upstream's bootstrap policy.
"""

from __future__ import annotations

from collections.abc import Iterator

from busk8s.api.object import Json
from busk8s.master.apiserver.rbac import policy_text
from busk8s.master.apiserver.rbac.policy_text import made, reference, subject

SYSTEM, PUBLIC = "kube-system", "kube-public"
_SIGNER = "system:controller:bootstrap-signer"
_READER = "extension-apiserver-authentication-reader"
_LOCK = """
    create get list update watch | coordination.k8s.io | leases
    create get list update watch | coordination.k8s.io | leasecandidates
"""

# (namespace, role, rules, its binding, subjects)
POLICY: tuple[tuple[str, str, str, str, tuple[str, ...]], ...] = (
    (
        SYSTEM,
        _READER,
        "read | core | configmaps | extension-apiserver-authentication",
        f"system::{_READER}",
        ("user system:kube-controller-manager", "user system:kube-scheduler"),
    ),
    (
        SYSTEM,
        "system::leader-locking-kube-controller-manager",
        _LOCK,
        "system::leader-locking-kube-controller-manager",
        (
            "user system:kube-controller-manager",
            f"account {SYSTEM}/kube-controller-manager",
            f"account {SYSTEM}/leader-election-controller",
        ),
    ),
    (
        SYSTEM,
        "system::leader-locking-kube-scheduler",
        _LOCK,
        "system::leader-locking-kube-scheduler",
        ("user system:kube-scheduler", f"account {SYSTEM}/kube-scheduler"),
    ),
    (
        SYSTEM,
        "system:controller:cloud-provider",
        "create get list watch | core | configmaps",
        "system:controller:cloud-provider",
        (f"account {SYSTEM}/cloud-provider",),
    ),
    (
        SYSTEM,
        "system:controller:token-cleaner",
        """
        delete read | core | secrets
        events
        """,
        "system:controller:token-cleaner",
        (f"account {SYSTEM}/token-cleaner",),
    ),
    (SYSTEM, _SIGNER, "read | core | secrets", _SIGNER, (f"account {SYSTEM}/bootstrap-signer",)),
    (
        PUBLIC,
        _SIGNER,
        """
        read | core | configmaps
        update | core | configmaps | cluster-info
        events
        """,
        _SIGNER,
        (f"account {SYSTEM}/bootstrap-signer",),
    ),
)


def namespace_roles() -> Iterator[Json]:
    for namespace, name, text, _, _ in POLICY:
        rules = policy_text.rules(text)
        yield made("Role", name, namespace=namespace) | {"rules": rules}


def namespace_bindings() -> Iterator[Json]:
    for namespace, role, _, name, subjects in POLICY:
        yield made("RoleBinding", name, namespace=namespace) | {
            "roleRef": reference("Role", role),
            "subjects": [subject(each) for each in subjects],
        }
