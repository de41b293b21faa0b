"""Both kinds of webhooks, put together."""

from __future__ import annotations

from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.master.apiserver.admission.webhooks.calling import Caller
from busk8s.master.apiserver.admission.webhooks.conditions import Conditions
from busk8s.master.apiserver.admission.webhooks.hooks import MUTATING, VALIDATING, Hooks
from busk8s.master.apiserver.admission.webhooks.mutating import MutatingWebhooks
from busk8s.master.apiserver.admission.webhooks.validating import ValidatingWebhooks
from busk8s.master.apiserver.metrics.admission import AdmissionMetrics
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.store.watch import WatchCache


class Webhooks:
    """`mutating` and `validating` are for the chain; nobody is called before `open()`."""

    def __init__(
        self,
        cache: WatchCache,
        outgoing: Outgoing,
        ids: IdSource,
        clock: Clock,
        conditions: Conditions | None = None,
        metrics: AdmissionMetrics | None = None,
    ) -> None:
        caller = Caller(outgoing, ids, clock, metrics)
        self._hooks = (Hooks(cache, MUTATING), Hooks(cache, VALIDATING))
        self.mutating = MutatingWebhooks(self._hooks[0], caller, cache, conditions)
        self.validating = ValidatingWebhooks(self._hooks[1], caller, cache, conditions)

    def open(self) -> None:
        for hooks in self._hooks:
            hooks.open()
