"""StatefulSet: pods with names that stay, made and ended in order.

Owns      what wakes a StatefulSet and what is looked at; the decisions are in statefulset_plan.
Leaves    names in DNS (the headless Service), deletion of what it owned (garbage).
Invariant only pods and revisions it controls are touched; nobody is adopted whose name is no
          member's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from busk8s.api.object import Object
from busk8s.api.scheme import (
    CONTROLLERREVISIONS,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    STATEFULSETS,
    Resource,
)
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.client.cache import CONTROLLER, NAMESPACE, orphans_in
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Plan
from busk8s.master.controllers.children import claim, controller_of, owned_key, spec_of
from busk8s.master.controllers.history import new_name
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import slim_pod
from busk8s.master.controllers.statefulset_claims import (
    Claims,
    claim_names,
    is_claim_of,
    templates_of,
)
from busk8s.master.controllers.statefulset_plan import (
    Observed,
    by_ordinals,
    ordinal_of,
    plan,
    replicas_of,
)


class StatefulSetController:
    name = "statefulset"
    component = "statefulset-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._sets = caches.need(STATEFULSETS)
        self._pods = caches.need(PODS, (CONTROLLER,), whole=False, keep=slim_pod)
        self._revisions = caches.need(CONTROLLERREVISIONS, (CONTROLLER,))
        self._claims = caches.need(PERSISTENTVOLUMECLAIMS)
        self.wakes: Mapping[Resource, Wake] = {
            STATEFULSETS: own_key,
            PODS: self._woken_by_child,
            CONTROLLERREVISIONS: self._woken_by_child,
            PERSISTENTVOLUMECLAIMS: self._woken_by_claim,
        }

    def _woken_by_child(self, old: Object | None, new: Object | None) -> Iterable[str]:
        keys: dict[str, None] = {}
        for child in (old, new):
            if child is not None and (key := owned_key(child, "StatefulSet")):
                keys[key] = None
        if new is not None and controller_of(new) is None and not new.deleting:
            for sts in self._sets.by(NAMESPACE, new.namespace):
                if _selector(sts).matches(new.labels):
                    keys[sts.key] = None
        return keys

    def _woken_by_claim(self, old: Object | None, new: Object | None) -> Iterable[str]:
        claim = new or old
        if claim is None:
            return []
        sets = self._sets.by(NAMESPACE, claim.namespace)
        return [sts.key for sts in sets if is_claim_of(sts, claim.name)]

    def _claims_of(self, sts: Object, pods: Iterable[Object]) -> Claims:
        start = int((spec_of(sts).get("ordinals") or {}).get("start") or 0)
        ordinals = {*range(start, start + replicas_of(sts)), *by_ordinals(sts, pods)}
        names = [name for ordinal in sorted(ordinals) for name in claim_names(sts, ordinal)]
        found = [(name, self._claims.get(f"{sts.namespace}/{name}")) for name in names]
        return {name: claim for name, claim in found if claim is not None}

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        sts = self._sets.get(key)
        if sts is None:
            return None
        orphans = orphans_in(sts.namespace)
        selector, deleting = _selector(sts), self._pods.is_deleting
        members = [
            pod for pod in self._pods.by(CONTROLLER, orphans) if ordinal_of(sts, pod) is not None
        ]
        owned = self._pods.by(CONTROLLER, sts.uid)
        pods = claim(sts, selector, owned, members, deleting)
        loose = self._revisions.by(CONTROLLER, orphans)
        kept = self._revisions.by(CONTROLLER, sts.uid)
        revisions = claim(sts, selector, kept, loose, self._revisions.is_deleting)
        return Observed(
            sts=sts,
            pods=pods,
            revisions=revisions,
            claims=self._claims_of(sts, pods.mine) if templates_of(sts) else {},
            bearer=self._revisions.get(f"{sts.namespace}/{new_name(sts)[0]}"),
            deleting=frozenset(pod.uid for pod in pods.mine if deleting(pod)),
            failure=failure,
        )

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed, now)


def _selector(sts: Object) -> LabelSelector:
    return from_label_selector(spec_of(sts).get("selector"))
