"""What every namespace has from its first moment: the ServiceAccount `default` and the root CA.

Owns      the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt` of each namespace.
Leaves    tokens (apiserver), everything else in the namespace.
Invariant both exist in every namespace that is not being deleted; the certificate is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from busk8s.api.object import Object
from busk8s.api.scheme import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS, Resource
from busk8s.client.cache import metadata_only
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Action, Create, Patch, Plan
from busk8s.master.controllers.loop import Wake, own_key

DEFAULT = "default"
ROOT_CA = "kube-root-ca.crt"
CA_KEY = "ca.crt"


@dataclass(frozen=True)
class Observed:
    namespace: str
    account: Object | None
    certificate: Object | None
    ca_pem: str


class NamespaceContentsController:
    """`ca_pem` "": the cluster has no CA of its own, so there is no ConfigMap to publish."""

    name = "namespace-contents"
    component = "service-account-controller"

    def __init__(self, caches: SharedCaches, ca_pem: str) -> None:
        self._namespaces = caches.need(NAMESPACES)
        self._accounts = caches.need(SERVICEACCOUNTS, whole=False)
        self._configs = caches.need(CONFIGMAPS, whole=False, keep=_keep_root_ca)
        self._ca_pem = ca_pem
        self.wakes: Mapping[Resource, Wake] = {
            NAMESPACES: own_key,
            SERVICEACCOUNTS: _namespace_of(DEFAULT),
            CONFIGMAPS: _namespace_of(ROOT_CA),
        }

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        namespace = self._namespaces.get(key)
        if namespace is None or self._namespaces.is_deleting(namespace):
            return None
        return Observed(
            key,
            self._accounts.get(f"{key}/{DEFAULT}"),
            self._configs.get(f"{key}/{ROOT_CA}"),
            self._ca_pem,
        )

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed)


def plan(observed: Observed) -> Plan:
    actions: list[Action] = []
    if observed.account is None:
        metadata = {"name": DEFAULT, "namespace": observed.namespace}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        actions.append(Create(SERVICEACCOUNTS, account))
    wanted = {CA_KEY: observed.ca_pem}
    if observed.ca_pem and observed.certificate is None:
        metadata = {"name": ROOT_CA, "namespace": observed.namespace}
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": wanted}
        actions.append(Create(CONFIGMAPS, config))
    elif observed.ca_pem and observed.certificate is not None:
        found = observed.certificate.data.get("data") or {}
        if found != wanted:
            cleared = {key: None for key in found if key not in wanted}
            actions.append(Patch(observed.certificate, {"data": {**cleared, **wanted}}))
    return Plan(tuple(actions))


def _namespace_of(name: str) -> Wake:
    def woken(old: Object | None, new: Object | None) -> Iterable[str]:
        obj = new or old
        return (obj.namespace,) if obj is not None and obj.name == name else ()

    return woken


def _keep_root_ca(obj: Object) -> Object:
    return obj if obj.name == ROOT_CA else metadata_only(obj)
