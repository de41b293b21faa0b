"""What a pod asks of the pods around it: affinity, anti-affinity, spread. Pure.

Owns      reading these rules once for all pods that share them, and what a term covers.
Leaves    counting pods by place (crowds), what follows for nodes (plugins).
Source    API reference, PodAffinityTerm and TopologySpreadConstraint; KEP-895, KEP-3022, KEP-3243.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.object import Json
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.errors import Error

Labels = Mapping[str, str]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NEVER = LabelSelector(never=True)


@dataclass(frozen=True, slots=True)
class PodTerm:
    """Pods of some namespaces and labels, in one domain of `topology_key`. `weight` is 0 for a
    term that must hold, and below 0 where pods are to be avoided."""

    topology_key: str
    selector: LabelSelector
    namespaces: frozenset[str]
    namespace_selector: LabelSelector | None
    weight: int = 0

    def covers(self, namespace: str, labels: Labels, namespaces: Mapping[str, Labels]) -> bool:
        """Whether a pod is one of those; `namespaces` are the labels of each."""
        if namespace not in self.namespaces and (
            self.namespace_selector is None
            or not self.namespace_selector.matches(namespaces.get(namespace))
        ):
            return False
        return self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class Spread:
    """One topology spread constraint."""

    topology_key: str
    selector: LabelSelector
    max_skew: int
    must: bool
    min_domains: int
    honors_affinity: bool
    honors_taints: bool


@dataclass(frozen=True, slots=True)
class PodRules:
    affinity: tuple[PodTerm, ...] = ()
    anti_affinity: tuple[PodTerm, ...] = ()
    preferred: tuple[PodTerm, ...] = ()
    spread: tuple[Spread, ...] = ()


NO_RULES = PodRules()


def pod_rules(spec: Json, namespace: str, labels: Labels) -> PodRules:
    """The rules in a pod's spec; one that cannot be read covers no pod."""
    affinity = spec.get("affinity") or {}
    together, apart = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    spread = spec.get("topologySpreadConstraints") or ()
    if not together and not apart and not spread:
        return NO_RULES

    def terms(holder: Json) -> tuple[PodTerm, ...]:
        return tuple(_term(each, namespace, labels) for each in holder.get(REQUIRED) or ())

    def wishes(holder: Json, sign: int) -> list[PodTerm]:
        return [
            _term(each.get("podAffinityTerm") or {}, namespace, labels, sign * each["weight"])
            for each in holder.get(PREFERRED) or ()
        ]

    return PodRules(
        terms(together),
        terms(apart),
        (*wishes(together, 1), *wishes(apart, -1)),
        tuple(_spread(each, labels) for each in spread),
    )


def _term(term: Json, namespace: str, labels: Labels, weight: int = 0) -> PodTerm:
    given = term.get("namespaces") or ()
    chosen = term.get("namespaceSelector")
    own = not given and chosen is None
    return PodTerm(
        term.get("topologyKey") or "",
        _selector(term, labels),
        frozenset([namespace] if own else given),
        None if chosen is None else _compiled(chosen),
        weight,
    )


def _spread(constraint: Json, labels: Labels) -> Spread:
    return Spread(
        constraint.get("topologyKey") or "",
        _selector(constraint, labels),
        int(constraint.get("maxSkew") or 1),
        constraint.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
        int(constraint.get("minDomains") or 1),
        constraint.get("nodeAffinityPolicy", "Honor") == "Honor",
        constraint.get("nodeTaintsPolicy", "Ignore") == "Honor",
    )


def _selector(holder: Json, labels: Labels) -> LabelSelector:
    """The selector of a rule, with what `matchLabelKeys` and their opposite add of own labels."""
    selector = holder.get("labelSelector")
    if selector is None:
        return _NEVER
    more: list[Json] = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in holder.get(field) or ()
        if key in labels
    ]
    if more:
        expressions: Sequence[Json] = (*(selector.get("matchExpressions") or ()), *more)
        selector = {**selector, "matchExpressions": expressions}
    return _compiled(selector)


def _compiled(selector: Json) -> LabelSelector:
    try:
        return from_label_selector(selector)
    except Error:
        return _NEVER
