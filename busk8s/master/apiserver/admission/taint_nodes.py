"""A new node takes no pods until the node lifecycle controller has seen it ready."""

from __future__ import annotations

from busk8s.master.apiserver.admission.plugin import Interest
from busk8s.master.apiserver.attributes import Operation

NOT_READY = "node.kubernetes.io/not-ready"


class TaintNodesByCondition:
    interest = Interest(kinds=frozenset({"CREATE"}), resources=frozenset({"nodes"}))

    def admit(self, operation: Operation) -> None:
        assert operation.object is not None
        spec = operation.object.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any(t.get("key") == NOT_READY and t.get("effect") == "NoSchedule" for t in taints):
            spec["taints"] = [*taints, {"key": NOT_READY, "effect": "NoSchedule"}]
