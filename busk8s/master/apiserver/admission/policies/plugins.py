"""Both kinds of policies, put together."""

from __future__ import annotations

from busk8s.master.apiserver.admission.policies.definitions import (
    MUTATING,
    VALIDATING,
    Policies,
)
from busk8s.master.apiserver.admission.policies.mutating import MutatingPolicies
from busk8s.master.apiserver.admission.policies.validating import ValidatingPolicies
from busk8s.master.apiserver.attributes import Authorizer
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.store.watch import WatchCache


class AdmissionPolicies:
    """`mutating` and `validating` are for the chain; nothing is evaluated before `open()`."""

    def __init__(self, cache: WatchCache, authorizer: Authorizer, catalog: Catalog) -> None:
        find = catalog.by_kind
        self._policies = (Policies(cache, MUTATING), Policies(cache, VALIDATING))
        self.mutating = MutatingPolicies(self._policies[0], cache, authorizer, find)
        self.validating = ValidatingPolicies(self._policies[1], cache, authorizer, find)

        catalog.on_change(self._forget)

    def _forget(self) -> None:
        for policies in self._policies:
            policies.forget()

    def open(self) -> None:
        for policies in self._policies:
            policies.open()
