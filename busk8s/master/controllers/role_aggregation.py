"""Gathers the rules of ClusterRoles into those that ask for them by an aggregationRule.

Owns      `rules` of every ClusterRole with an aggregationRule.
Leaves    who may write such a rule (apiserver.rbac.escalation).
Invariant the rules are those of all roles selected, in the order of selectors and names, each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.object import Json, Object
from busk8s.api.scheme import CLUSTERROLES, Resource
from busk8s.api.selectors import from_label_selector
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import NOTHING, Patch, Plan
from busk8s.master.controllers.loop import Wake


@dataclass(frozen=True)
class Observed:
    role: Object
    others: Sequence[Object]  # by name


class RoleAggregationController:
    name = "clusterrole-aggregation"
    component = "clusterrole-aggregation-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._roles = caches.need(CLUSTERROLES)
        self._gathering: dict[str, None] = {}
        self.wakes: Mapping[Resource, Wake] = {CLUSTERROLES: self._woken}

    def _woken(self, old: Object | None, new: Object | None) -> Iterable[str]:
        """Any role may be selected by any that gathers: there are few of those."""
        role = new or old
        assert role is not None
        if new is not None and new.data.get("aggregationRule"):
            self._gathering[new.name] = None
        else:
            self._gathering.pop(role.name, None)
        return tuple(self._gathering)

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        role = self._roles.get(key)
        if role is None or not role.data.get("aggregationRule"):
            return None
        others = sorted(self._roles, key=lambda each: each.name)
        return Observed(role, [each for each in others if each.name != role.name])

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed)


def plan(observed: Observed) -> Plan:
    wanted = gathered(observed)
    if wanted == (observed.role.data.get("rules") or []):
        return NOTHING
    return Plan((Patch(observed.role, {"rules": wanted}),))


def gathered(observed: Observed) -> list[Json]:
    """What the role's rules should be."""
    found: list[Json] = []
    selectors = observed.role.data["aggregationRule"].get("clusterRoleSelectors") or ()
    for selector in map(from_label_selector, selectors):
        for other in observed.others:
            if selector.matches(other.labels):
                found += (rule for rule in other.data.get("rules") or () if rule not in found)
    return found
