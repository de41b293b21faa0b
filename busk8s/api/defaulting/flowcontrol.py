"""Defaults of priority and fairness.

Source    pkg/apis/flowcontrol/v1/defaults.go.
"""

from __future__ import annotations

from busk8s.api.defaulting.pod import Json

_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}


def default_flow_schema(schema: Json) -> None:
    spec = schema.setdefault("spec", {})
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def default_priority_level(level: Json) -> None:
    spec = level.setdefault("spec", {})
    for name, shares in (("limited", 30), ("exempt", 0)):
        if (found := spec.get(name)) is not None:
            found.setdefault("nominalConcurrencyShares", shares)
            found.setdefault("lendablePercent", 0)
    response = (spec.get("limited") or {}).get("limitResponse") or {}
    if (queuing := response.get("queuing")) is not None:
        for name, value in _QUEUING.items():
            if not queuing.get(name):
                queuing[name] = value
