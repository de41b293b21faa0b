"""Admission put together by hand: the chain, and the stages that wait.

Owns      which plug-ins there are, in which order the waiting ones stand: policies, then webhooks.
Leaves    what each does.
"""

from __future__ import annotations

from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.master.apiserver.admission.chain import AdmissionChain
from busk8s.master.apiserver.admission.policies.plugins import AdmissionPolicies
from busk8s.master.apiserver.admission.webhooks.plugins import Webhooks
from busk8s.master.apiserver.attributes import Admission, Authorizer
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.metrics.admission import AdmissionMetrics
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.escalation import EscalationCheck, Guarded
from busk8s.master.store.watch import WatchCache


class Wired:
    """`admission` is for the API server. Nobody outside it is asked before `open()`."""

    def __init__(
        self,
        cache: WatchCache,
        outgoing: Outgoing,
        rbac: RbacAuthorizer,
        authorizer: Authorizer,
        catalog: Catalog,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._policies = AdmissionPolicies(cache, authorizer, catalog)
        self.metrics = AdmissionMetrics(clock)
        self._webhooks = Webhooks(
            cache, outgoing, ids, clock, self._policies.conditions, self.metrics
        )
        chain = AdmissionChain(
            cache,
            ids=ids,
            clock=clock,
            authorizer=authorizer,
            mutating=(self._policies.mutating, self._webhooks.mutating),
            validating=(self._policies.validating, self._webhooks.validating),
            metrics=self.metrics,
        )
        self.admission: Admission = Guarded(chain, EscalationCheck(rbac, authorizer))

    def open(self) -> None:
        self._policies.open()
        self._webhooks.open()
