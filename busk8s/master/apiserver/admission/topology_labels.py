"""Pods are told in which zone and region they run (PodTopologyLabels).

Owns      labels of the Node that a Binding, or a pod that names its node, is given.
Leaves    putting a Binding's labels on its pod (subresources/binding).
Invariant a label that is there already stays.
Source    KEP 4742.
"""

from __future__ import annotations

from busk8s.api.scheme import NODES, PODS
from busk8s.master.apiserver.admission.plugin import Interest, Lookup
from busk8s.master.apiserver.attributes import Operation

LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels:
    interest = Interest(
        kinds=frozenset({"CREATE"}),
        resources=frozenset({PODS.key}),
        subresources=frozenset({"", "binding"}),
    )

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        obj = operation.object
        assert obj is not None
        if operation.attributes.subresource:
            target = obj.get("target") or {}
            name = target.get("name") if target.get("kind") == "Node" else None
        else:
            name = (obj.get("spec") or {}).get("nodeName")
        node = self._lookup.get(NODES.key, "", name) if name else None
        if node is None:
            return
        found = {key: node.labels[key] for key in LABELS if key in node.labels}
        if found:
            metadata = obj.setdefault("metadata", {})
            metadata["labels"] = {**found, **(metadata.get("labels") or {})}
