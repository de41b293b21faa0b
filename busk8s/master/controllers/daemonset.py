"""DaemonSet: a pod on each node that is to have one.

Owns      what wakes a DaemonSet and what is looked at; the decisions are in daemonset_plan.
Leaves    binding (scheduler), deletion of what it owned (garbage).
Invariant only pods and revisions it controls are touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from busk8s.api.object import Object
from busk8s.api.scheme import CONTROLLERREVISIONS, DAEMONSETS, NODES, PODS, Resource
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.client.cache import CONTROLLER, NAMESPACE, orphans_in
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Plan
from busk8s.master.controllers.children import claim, controller_of, owned_key, spec_of
from busk8s.master.controllers.daemonset_plan import Observed, plan
from busk8s.master.controllers.history import new_name
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import slim_node, slim_pod


class DaemonSetController:
    name = "daemonset"
    component = "daemonset-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._sets = caches.need(DAEMONSETS)
        self._nodes = caches.need(NODES, whole=False, keep=slim_node)
        self._pods = caches.need(PODS, (CONTROLLER,), whole=False, keep=slim_pod)
        self._revisions = caches.need(CONTROLLERREVISIONS, (CONTROLLER,))
        self.wakes: Mapping[Resource, Wake] = {
            DAEMONSETS: own_key,
            NODES: self._woken_by_node,
            PODS: self._woken_by_child,
            CONTROLLERREVISIONS: self._woken_by_child,
        }

    def _woken_by_node(self, old: Object | None, new: Object | None) -> Iterable[str]:
        """Conditions change often and mean nothing here; their taints do."""
        if old is not None and new is not None:
            before, after = (old.labels, spec_of(old)), (new.labels, spec_of(new))
            if before == after:
                return ()
        return [ds.key for ds in self._sets]

    def _woken_by_child(self, old: Object | None, new: Object | None) -> Iterable[str]:
        keys: dict[str, None] = {}
        for child in (old, new):
            if child is not None and (key := owned_key(child, "DaemonSet")):
                keys[key] = None
        if new is not None and controller_of(new) is None and not new.deleting:
            for ds in self._sets.by(NAMESPACE, new.namespace):
                if _selector(ds).matches(new.labels):
                    keys[ds.key] = None
        return keys

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        ds = self._sets.get(key)
        if ds is None:
            return None
        orphans = orphans_in(ds.namespace)
        selector, deleting = _selector(ds), self._pods.is_deleting
        pods, revisions = (
            claim(ds, selector, c.by(CONTROLLER, ds.uid), c.by(CONTROLLER, orphans), c.is_deleting)
            for c in (self._pods, self._revisions)
        )
        return Observed(
            ds=ds,
            pods=pods,
            revisions=revisions,
            nodes=tuple(self._nodes),
            bearer=self._revisions.get(f"{ds.namespace}/{new_name(ds)[0]}"),
            deleting=frozenset(pod.uid for pod in pods.mine if deleting(pod)),
            failure=failure,
        )

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed, now)


def _selector(ds: Object) -> LabelSelector:
    return from_label_selector(spec_of(ds).get("selector"))
