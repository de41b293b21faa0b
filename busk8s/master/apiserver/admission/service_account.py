"""Every pod runs as a ServiceAccount that exists; pull secrets of the account go with it.

Differs from Kubernetes: no projected token volume is added (`automountServiceAccountToken` is kept
but has no effect): the volume appears once the kubelet can ask for tokens.
"""

from __future__ import annotations

from busk8s.master.apiserver.admission.plugin import Interest, Lookup, name_of, refuse
from busk8s.master.apiserver.attributes import Operation

DEFAULT_ACCOUNT = "default"
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


class ServiceAccount:
    interest = Interest(kinds=frozenset({"CREATE"}), resources=frozenset({"pods"}))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        attributes, pod = operation.attributes, operation.object
        assert pod is not None
        if MIRROR_ANNOTATION in ((pod.get("metadata") or {}).get("annotations") or {}):
            return
        spec = pod.setdefault("spec", {})
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT_ACCOUNT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = self._lookup.get("serviceaccounts", attributes.namespace, name)
        if account is None:
            why = (
                f"error looking up service account {attributes.namespace}/{name}: "
                f'serviceaccount "{name}" not found'
            )
            raise refuse(attributes, why, name=name_of(operation))
        secrets = account.data.get("imagePullSecrets")
        if secrets and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(secret) for secret in secrets]
