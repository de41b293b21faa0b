"""Deployment: declarative updates of pods through ReplicaSets.

Owns      what wakes a Deployment and what is looked at; the decisions are in deployment_plan.
Leaves    pods (replicaset), deletion of what it owned (garbage).
Invariant only ReplicaSets it controls are touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from busk8s.api.object import Object
from busk8s.api.scheme import DEPLOYMENTS, PODS, REPLICASETS, Resource
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.client.cache import CONTROLLER, NAMESPACE, orphans_in
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Plan
from busk8s.master.controllers.children import claim, controller_of, owned_key, spec_of
from busk8s.master.controllers.deployment_plan import (
    Observed,
    is_collision,
    new_name,
    new_set,
    plan,
)
from busk8s.master.controllers.loop import Wake, own_key
from busk8s.master.controllers.slim import slim_pod


class DeploymentController:
    name = "deployment"
    component = "deployment-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._deployments = caches.need(DEPLOYMENTS)
        self._sets = caches.need(REPLICASETS, (CONTROLLER,))
        self._pods = caches.need(PODS, (CONTROLLER,), whole=False, keep=slim_pod)
        self.wakes: Mapping[Resource, Wake] = {
            DEPLOYMENTS: own_key,
            REPLICASETS: self._woken_by_set,
            PODS: self._woken_by_pod,
        }

    def _woken_by_set(self, old: Object | None, new: Object | None) -> Iterable[str]:
        keys: dict[str, None] = {}
        for rs in (old, new):
            if rs is not None and (key := owned_key(rs, "Deployment")):
                keys[key] = None
        if new is not None and controller_of(new) is None and not new.deleting:
            for deployment in self._deployments.by(NAMESPACE, new.namespace):
                if _selector(deployment).matches(new.labels):
                    keys[deployment.key] = None
        return keys

    def _woken_by_pod(self, old: Object | None, new: Object | None) -> Iterable[str]:
        """Recreate waits until the old pods are gone: only a pod's end matters."""
        if old is None or (new is not None and new.uid == old.uid):
            return ()
        key = owned_key(old, "ReplicaSet")
        rs = self._sets.get(key) if key else None
        deployment = rs and owned_key(rs, "Deployment")
        found = self._deployments.get(deployment) if deployment else None
        return (found.key,) if found is not None and _recreates(found) else ()

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        deployment = self._deployments.get(key)
        if deployment is None:
            return None
        claimed = claim(
            deployment,
            _selector(deployment),
            self._sets.by(CONTROLLER, deployment.uid),
            self._sets.by(CONTROLLER, orphans_in(deployment.namespace)),
            self._sets.is_deleting,
        )
        new = new_set(deployment, claimed.mine)
        name, _ = new_name(deployment)
        bearer = self._sets.get(f"{deployment.namespace}/{name}")
        return Observed(
            deployment=deployment,
            claim=claimed,
            stranger=bearer if is_collision(deployment, bearer) else None,
            old_pods=self._pods_of(rs for rs in claimed.mine if rs is not new)
            if _recreates(deployment)
            else (),
            failure=failure,
        )

    def _pods_of(self, sets: Iterable[Object]) -> tuple[Object, ...]:
        return tuple(pod for rs in sets for pod in self._pods.by(CONTROLLER, rs.uid))

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed, now)


def _selector(deployment: Object) -> LabelSelector:
    return from_label_selector(spec_of(deployment).get("selector"))


def _recreates(deployment: Object) -> bool:
    return (spec_of(deployment).get("strategy") or {}).get("type") == "Recreate"
