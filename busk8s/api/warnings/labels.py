"""Warnings about node labels that have successors, wherever nodes are selected.

Owns      the list of such labels.
Source    upstream pkg/api/node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

_INSTEAD = 'deprecated since v{}; use "{}" instead'
DEPRECATED = {
    "beta.kubernetes.io/arch": _INSTEAD.format("1.14", "kubernetes.io/arch"),
    "beta.kubernetes.io/os": _INSTEAD.format("1.14", "kubernetes.io/os"),
    "failure-domain.beta.kubernetes.io/region": _INSTEAD.format(
        "1.17", "topology.kubernetes.io/region"
    ),
    "failure-domain.beta.kubernetes.io/zone": _INSTEAD.format(
        "1.17", "topology.kubernetes.io/zone"
    ),
    "beta.kubernetes.io/instance-type": _INSTEAD.format("1.17", "node.kubernetes.io/instance-type"),
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": (
        "deprecated since v1.22; use Taints and Tolerations instead"
    ),
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}


def of_keys(keys: Iterable[str], path: str) -> list[str]:
    """For a map of labels at `path`."""
    return [f"{path}[{key}]: {DEPRECATED[key]}" for key in keys if key in DEPRECATED]


def of_terms(terms: Iterable[Json], path: str) -> list[str]:
    """For a list of node selector terms at `path`."""
    return [said for i, term in enumerate(terms) for said in of_term(term, f"{path}[{i}]")]


def of_term(term: Json, path: str) -> list[str]:
    return [
        f"{path}.matchExpressions[{i}].key: {key} is {DEPRECATED[key]}"
        for i, key in enumerate(one.get("key", "") for one in term.get("matchExpressions") or ())
        if key in DEPRECATED
    ]
