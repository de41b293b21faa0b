"""Which nodes a pod accepts, and which accept it: node selectors, node affinity, taints. Pure.

Owns      the meaning of NodeSelectorTerm and of Toleration.
Leaves    choosing among the nodes that are left (scheduler), evicting (taint eviction).
Source    core/v1 NodeSelectorTerm: terms are ORed, the expressions of a term ANDed; a term without
          expressions matches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from busk8s.api.object import Json

NODE_NAME = "metadata.name"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def accepts(pod_spec: Json, labels: Mapping[str, str], name: str) -> bool:
    """Whether nodeName, nodeSelector and required node affinity allow the node."""
    if pod_spec.get("nodeName") not in (None, "", name):
        return False
    if any(labels.get(k) != v for k, v in (pod_spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get(REQUIRED)
    if required is None:
        return True
    return any(term_matches(t, labels, name) for t in required.get("nodeSelectorTerms") or ())


def term_matches(term: Json, labels: Mapping[str, str], name: str) -> bool:
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(_holds(e, labels.get(e.get("key", ""))) for e in expressions) and all(
        f.get("key") == NODE_NAME and _holds(f, name) for f in fields
    )


def _holds(requirement: Json, found: str | None) -> bool:
    values = requirement.get("values") or ()
    match requirement.get("operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt" as operator:
            return _compare(operator, found, values[0] if values else "")
    return False


def _compare(operator: str, found: str | None, wanted: str) -> bool:
    try:
        left, right = int(found or ""), int(wanted)
    except ValueError:
        return False
    return left > right if operator == "Gt" else left < right


def untolerated(taints: Iterable[Json], tolerations: Iterable[Json]) -> list[Json]:
    known = list(tolerations)
    return [taint for taint in taints if not any(tolerates(t, taint) for t in known)]


def tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")
