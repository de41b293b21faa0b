"""Every pod runs as a ServiceAccount that exists; its token and pull secrets go with the pod.

Source    Kubernetes: the ServiceAccount admission controller.
"""

from __future__ import annotations

from busk8s.api.object import Json
from busk8s.ids import IdSource
from busk8s.master.apiserver.accounts import POD_TOKEN_S
from busk8s.master.apiserver.admission.plugin import (
    Interest,
    Lookup,
    NotYet,
    name_of,
    refuse,
)
from busk8s.master.apiserver.attributes import Operation

DEFAULT_ACCOUNT = "default"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
PREFIX = "kube-api-access-"
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


class ServiceAccount:
    interest = Interest(kinds=frozenset({"CREATE"}), resources=frozenset({"pods"}))

    def __init__(self, lookup: Lookup, ids: IdSource) -> None:
        self._lookup, self._ids = lookup, ids

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
            refusal = refuse(attributes, why, name=name_of(operation))
            # That of a new namespace is on its way: scripts make a namespace, then pods in it.
            raise NotYet(refusal) if name == DEFAULT_ACCOUNT else refusal
        if _automounts(spec, account.data):
            self._mount_token(spec)
        secrets = account.data.get("imagePullSecrets")
        if secrets and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(secret) for secret in secrets]

    def _mount_token(self, spec: Json) -> None:
        """The volume with token, CA and namespace, in each container that has none of its own."""
        lacking = [
            container
            for kind in ("initContainers", "containers")
            for container in spec.get(kind) or ()
            if all(m.get("mountPath") != MOUNT_PATH for m in container.get("volumeMounts") or ())
        ]
        if not lacking:
            return
        volumes = spec.setdefault("volumes", None) or []
        names = [str(volume.get("name", "")) for volume in volumes]
        name = next((name for name in names if name.startswith(PREFIX)), "")
        if not name:
            name = PREFIX + self._ids.suffix(5)
            volumes.append({"name": name, "projected": _projected()})
        spec["volumes"] = volumes
        for container in lacking:
            mounts = container.get("volumeMounts") or []
            mounts.append({"name": name, "readOnly": True, "mountPath": MOUNT_PATH})
            container["volumeMounts"] = mounts


def _automounts(spec: Json, account: Json) -> bool:
    for said in (
        spec.get("automountServiceAccountToken"),
        account.get("automountServiceAccountToken"),
    ):
        if said is not None:
            return bool(said)
    return True


def _projected() -> Json:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": POD_TOKEN_S, "path": "token"}},
            {
                "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
        ],
        "defaultMode": 0o644,
    }
