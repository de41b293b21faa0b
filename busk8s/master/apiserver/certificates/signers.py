"""Which certificates each of Kubernetes' own signers gives, and which it refuses. Pure.

Source    Kubernetes reference, "Certificates and Certificate Signing Requests", signers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from busk8s.master.apiserver.certificates.request import Requested

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"

NODES = "system:nodes"
NODE_PREFIX = "system:node:"
_SIGNATURE = frozenset({"digital signature"})
_ENCIPHER = frozenset({"key encipherment"})


def why_not(signer: str, asked: Requested) -> str:
    """Why `signer` does not sign it, in upstream's words; "" when it does."""
    return _RULES[signer](asked)


def is_ours(signer: str) -> bool:
    return signer in _RULES


def _of_kubelet(asked: Requested, purpose: str) -> str:
    if asked.organizations != (NODES,):
        return "subject organization is not system:nodes"
    required = _SIGNATURE | {purpose}
    if asked.usages not in (required, required | _ENCIPHER):
        return f"usages did not match {sorted(required | _ENCIPHER)}"
    if not asked.name.startswith(NODE_PREFIX) or asked.name == NODE_PREFIX:
        return f"subject common name does not begin with {NODE_PREFIX}"
    if asked.emails:
        return "Email subjectAltNames are not allowed"
    if asked.uris:
        return "URI subjectAltNames are not allowed"
    return ""


def kubelet_client(asked: Requested) -> str:
    if why := _of_kubelet(asked, "client auth"):
        return why
    if asked.dns:
        return "DNS subjectAltNames are not allowed"
    return "IP subjectAltNames are not allowed" if asked.ips else ""


def _kubelet_serving(asked: Requested) -> str:
    if why := _of_kubelet(asked, "server auth"):
        return why
    return "" if asked.dns or asked.ips else "DNS or IP subjectAltName is required"


def _client(asked: Requested) -> str:
    allowed = _SIGNATURE | _ENCIPHER | {"client auth"}
    if "client auth" not in asked.usages or not asked.usages <= allowed:
        return f"usages did not match {sorted(allowed)}"
    return ""


def _anything(asked: Requested) -> str:
    return ""


_RULES: Mapping[str, Callable[[Requested], str]] = {
    CLIENT: _client,
    KUBELET_CLIENT: kubelet_client,
    KUBELET_SERVING: _kubelet_serving,
    LEGACY: _anything,
}
