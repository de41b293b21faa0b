"""Admission: what every write passes through, from top to bottom.

Owns      the order of the plug-ins, and who is asked about what.
Leaves    each rule to its own module; LimitRanger, ResourceQuota and webhooks are not there yet.
Invariant a write no plug-in cares about costs one dictionary lookup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from busk8s.master.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from busk8s.master.apiserver.admission.node_restriction import NodeRestriction
from busk8s.master.apiserver.admission.plugin import Lookup, Plugin
from busk8s.master.apiserver.admission.priority import Priority
from busk8s.master.apiserver.admission.service_account import ServiceAccount
from busk8s.master.apiserver.admission.taint_nodes import TaintNodesByCondition
from busk8s.master.apiserver.admission.toleration_seconds import DefaultTolerationSeconds
from busk8s.master.apiserver.attributes import Operation

Admit = Callable[[Operation], None]


class AdmissionChain:
    """The `Admission` the API server is given."""

    def __init__(self, lookup: Lookup) -> None:
        self._mutating = _Stage(
            (
                NamespaceLifecycle(lookup),
                TaintNodesByCondition(),
                ServiceAccount(lookup),
                DefaultTolerationSeconds(),
                Priority(lookup),
            )
        )
        self._validating = _Stage((NodeRestriction(lookup),))

    async def mutate(self, operation: Operation) -> None:
        for admit in self._mutating.asked(operation):
            admit(operation)

    async def validate(self, operation: Operation) -> None:
        for admit in self._validating.asked(operation):
            admit(operation)


class _Stage:
    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = plugins
        # One entry for each resource, subresource and kind: a few hundred at most.
        self._asked: dict[tuple[str, str, str], tuple[Admit, ...]] = {}

    def asked(self, operation: Operation) -> tuple[Admit, ...]:
        attributes = operation.attributes
        if attributes.resource is None:
            return ()
        key = (attributes.resource.key, attributes.subresource, operation.kind)
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = tuple(
                plugin.admit
                for plugin in self._plugins
                if plugin.interest.covers(key[0], key[1], operation.kind)
            )
        return found
