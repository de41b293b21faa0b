"""Which rules a stored pod, or a stored template of pods, breaks already.

Owns      asking each later rule about the old object, on an update that changes it.
Leaves    what is then let pass (each rule, by `Tolerance`).
Invariant pure; only updates whose spec changed come here.
Source    Kubernetes' pod validation options, as they are computed of the old object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from busk8s.api.rules.container import restarts_on_resize
from busk8s.api.rules.paths import inside_path
from busk8s.api.rules.pod import DELETION_COST, is_cost
from busk8s.api.rules.resources import HUGE_PAGES, indivisible
from busk8s.api.rules.scheduling import (
    validate_label_selector,
    validate_node_selector,
    validate_spread,
)
from busk8s.api.rules.security import containers_of, shared_namespace
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def of_template(template: Json) -> Tolerance:
    return of_spec(template.get("spec") or {}, template.get("metadata") or {})


def of_spec(spec: Json, metadata: Json) -> Tolerance:
    affinity, annotations = spec.get("affinity") or {}, metadata.get("annotations") or {}
    spread = spec.get("topologySpreadConstraints") or []
    found = Tolerance(
        selector_values=_bad_values(affinity),
        node_values=_bad_node_values(affinity.get("nodeAffinity") or {}),
        spread_selectors=_breaks_spread(spread, ".labelSelector"),
        spread_keys=_breaks_spread(spread, ".matchLabelKeys", "]["),
        token_paths=_breaks_projection(spec),
        huge_pages=_breaks_pages(spec),
        host_sysctls=any(
            shared_namespace(spec, each.get("name") or "")
            for each in (spec.get("securityContext") or {}).get("sysctls") or ()
        ),
        deletion_cost=not is_cost(annotations.get(DELETION_COST, "0")),
        init_restart=any(
            restarts_on_resize(each, "")
            for each in spec.get("initContainers") or ()
            if each.get("restartPolicy") != "Always"
        ),
        shared_devices=spec.get("hostUsers") is False
        and any(each.get("volumeDevices") for each, _ in containers_of(spec, "")),
    )
    return STRICT if found == STRICT else found


def _bad_values(affinity: Json) -> bool:
    causes: list[Cause] = []
    for term in _pod_terms(affinity):
        for name in ("labelSelector", "namespaceSelector"):
            validate_label_selector(term.get(name) or {}, "", causes)
    return any(".values[" in cause.field for cause in causes)


def _pod_terms(affinity: Json) -> Iterator[Json]:
    for name in ("podAffinity", "podAntiAffinity"):
        pod = affinity.get(name) or {}
        yield from pod.get(_REQUIRED) or ()
        for weighted in pod.get(_PREFERRED) or ():
            yield weighted.get("podAffinityTerm") or {}


def _bad_node_values(node: Json) -> bool:
    causes: list[Cause] = []
    validate_node_selector(node.get(_REQUIRED) or {}, "", causes)
    return any(".matchExpressions[" in c.field and ".values[" in c.field for c in causes)


def _breaks_spread(constraints: list[Json], *parts: str) -> bool:
    causes: list[Cause] = []
    validate_spread(constraints, "", causes)
    return any(part in cause.field for cause in causes for part in parts)


def _breaks_projection(spec: Json) -> bool:
    return any(
        inside_path((source.get("serviceAccountToken") or {}).get("path") or "", "")
        for volume in spec.get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
    )


def _breaks_pages(spec: Json) -> bool:
    given = [spec.get("resources") or {}, {"limits": spec.get("overhead") or {}}]
    given += [container.get("resources") or {} for container, _ in containers_of(spec, "")]
    return any(
        indivisible(name, quantity, "")
        for resources in given
        for kind in ("limits", "requests")
        for name, quantity in (resources.get(kind) or {}).items()
        if name.startswith(HUGE_PAGES)
    )
