"""Admission: what every write passes through, from top to bottom.

Owns      the order of the plug-ins, who is asked about what, and the second round of mutation.
Leaves    each rule to its own module.
Invariant a write no plug-in cares about costs one dictionary lookup and one question a
          configured kind of policy or webhook.

The order is upstream's: built-in mutating plug-ins, mutating policies, mutating webhooks; when one
of the last two changed the object, all of them once more; then, on the final object, built-in
validating plug-ins, validating policies, validating webhooks, and the quota last, as it counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from busk8s import errors
from busk8s.api.defaults import apply_defaults
from busk8s.clock import Clock, LoopClock
from busk8s.ids import IdSource
from busk8s.master.apiserver import waits
from busk8s.master.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
)
from busk8s.master.apiserver.admission.claim_resize import PersistentVolumeClaimResize
from busk8s.master.apiserver.admission.classes import (
    DefaultIngressClass,
    DefaultStorageClass,
    RuntimeClasses,
)
from busk8s.master.apiserver.admission.limit_ranger import LimitBounds, LimitDefaults
from busk8s.master.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from busk8s.master.apiserver.admission.node_restriction import NodeRestriction
from busk8s.master.apiserver.admission.plugin import (
    AsyncPlugin,
    Lookup,
    NotYet,
    Plugin,
)
from busk8s.master.apiserver.admission.pod_security.plugin import PodSecurity
from busk8s.master.apiserver.admission.priority import Priority
from busk8s.master.apiserver.admission.service_account import ServiceAccount
from busk8s.master.apiserver.admission.storage_protection import StorageObjectInUseProtection
from busk8s.master.apiserver.admission.taint_nodes import TaintNodesByCondition
from busk8s.master.apiserver.admission.toleration_seconds import DefaultTolerationSeconds
from busk8s.master.apiserver.admission.topology_labels import PodTopologyLabels
from busk8s.master.apiserver.attributes import AllowAll, Authorizer, Operation
from busk8s.master.apiserver.metrics.admission import AdmissionMetrics

ANYBODY = AllowAll()  # Tests of other plug-ins.
LOOP_CLOCK = LoopClock()
# Until the default account of a new namespace is there: a second in all, then the write is refused.
LOOK_AGAIN_S = 0.05
LOOKS_MAX = 20
Admit = Callable[[Operation], None]
NAMES = {"RuntimeClasses": "RuntimeClass", "LimitDefaults": "LimitRanger",
         "LimitBounds": "LimitRanger"}  # fmt: skip
Complete = Callable[[Operation], None]
Step = Callable[[Operation], Awaitable[None]]
# Parts of an object whose writes carry the whole object; others have a body of another kind.
WHOLE = frozenset({"", "status", "approval", "finalize"})


def complete(operation: Operation) -> None:
    """Give the object its defaults, which policies and webhooks expect to see."""
    attributes = operation.attributes
    if (
        operation.object is not None
        and attributes.resource is not None
        and attributes.subresource in WHOLE
    ):
        apply_defaults(attributes.resource, operation.object)


class AdmissionChain:
    """The `Admission` the API server is given."""

    def __init__(
        self,
        lookup: Lookup,
        *,
        ids: IdSource,
        authorizer: Authorizer = ANYBODY,
        mutating: Sequence[AsyncPlugin] = (),
        validating: Sequence[AsyncPlugin] = (),
        last: Sequence[Plugin] = (),
        complete: Complete = complete,
        metrics: AdmissionMetrics | None = None,
        clock: Clock = LOOP_CLOCK,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._mutating = _Stage(
            (
                NamespaceLifecycle(lookup),
                TaintNodesByCondition(),
                ServiceAccount(lookup, ids),
                DefaultTolerationSeconds(),
                Priority(lookup),
                RuntimeClasses(lookup),
                DefaultStorageClass(lookup),
                DefaultIngressClass(lookup),
                StorageObjectInUseProtection(),
                PodTopologyLabels(lookup),
                LimitDefaults(lookup),
            ),
            "admit",
            metrics,
        )
        self._then_mutating = tuple(mutating)
        self._validating = _Stage(
            (
                NodeRestriction(lookup),
                LimitBounds(lookup),
                PodSecurity(lookup),
                CertificateApproval(authorizer),
                CertificateSigning(authorizer),
                CertificateSubjectRestriction(),
                PersistentVolumeClaimResize(lookup),
            ),
            "validate",
            metrics,
        )
        self._then_validating = tuple(validating)
        self._last = _Stage(last, "validate", metrics)
        self._complete = complete

    async def mutate(self, operation: Operation) -> None:
        await self._step(operation, self._mutate, "admit")

    async def validate(self, operation: Operation) -> None:
        await self._step(operation, self._validate, "validate")

    async def _step(self, operation: Operation, step: Step, kind: str) -> None:
        metrics = self._metrics
        began = metrics.now() if metrics is not None else 0.0
        rejected = True
        try:
            await step(operation)
            rejected = False
        except errors.Error as error:
            error.warnings = tuple(operation.warnings)
            raise
        finally:
            if metrics is not None:
                took = metrics.now() - began
                metrics.step(operation.kind, kind, took, rejected=rejected)

    async def _mutate(self, operation: Operation) -> None:
        await self._built_in(operation)
        waiting = _interested(self._then_mutating, operation)
        if not waiting:
            return
        self._complete(operation)
        await self._ask(waiting, operation)
        if not operation.changed:
            return
        operation.round = 1
        await self._built_in(operation)
        self._complete(operation)
        await self._ask(waiting, operation)

    async def _built_in(self, operation: Operation) -> None:
        asked = self._mutating.asked(operation)
        try:
            for admit in asked:
                admit(operation)
        except NotYet:
            await self._look_again(asked, operation)

    async def _look_again(self, asked: Sequence[Admit], operation: Operation) -> None:
        for look in range(2, LOOKS_MAX + 1):
            await self._clock.sleep(LOOK_AGAIN_S)
            if self._metrics is not None:
                waits.add(LOOK_AGAIN_S)
            try:
                for admit in asked:
                    admit(operation)
                return
            except NotYet as lacking:
                if look == LOOKS_MAX:
                    raise lacking.refusal from None

    async def _validate(self, operation: Operation) -> None:
        for admit in self._validating.asked(operation):
            admit(operation)
        await self._ask(_interested(self._then_validating, operation), operation)
        for admit in self._last.asked(operation):
            admit(operation)

    async def _ask(self, plugins: Sequence[AsyncPlugin], operation: Operation) -> None:
        """What they take is no work of ours: it is told apart."""
        if not plugins:
            return
        began = self._metrics.now() if self._metrics is not None else 0.0
        try:
            for plugin in plugins:
                await plugin.admit(operation)
        finally:
            if self._metrics is not None:
                waits.add(self._metrics.now() - began)


def _interested(plugins: Sequence[AsyncPlugin], operation: Operation) -> Sequence[AsyncPlugin]:
    found: Sequence[AsyncPlugin] = ()
    for plugin in plugins:
        if plugin.interest_in(operation):
            found = (*found, plugin)
    return found


class _Stage:
    """The plug-ins that never wait. `kind`: what the step is called in the metrics."""

    def __init__(
        self, plugins: Sequence[Plugin], kind: str, metrics: AdmissionMetrics | None
    ) -> None:
        self._plugins = plugins
        self._kind = kind
        self._metrics = metrics
        # One entry for each resource, subresource and kind: a few hundred at most.
        self._asked: dict[tuple[str, str, str], tuple[Admit, ...]] = {}

    def asked(self, operation: Operation) -> tuple[Admit, ...]:
        attributes = operation.attributes
        if attributes.resource is None or not self._plugins:
            return ()
        key = (attributes.resource.key, attributes.subresource, operation.kind)
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = tuple(
                self._timed(plugin, operation.kind)
                for plugin in self._plugins
                if plugin.interest.covers(key[0], key[1], operation.kind)
            )
        return found

    def _timed(self, plugin: Plugin, kind: str) -> Admit:
        metrics, admit = self._metrics, plugin.admit
        if metrics is None:
            return admit
        name = type(plugin).__name__
        admitted, refused = metrics.plugin(NAMES.get(name, name), kind, self._kind)
        now = metrics.now

        def timed(operation: Operation) -> None:
            began = now()
            try:
                admit(operation)
            except errors.Error:
                refused.observe(now() - began)
                raise
            admitted.observe(now() - began)

        return timed
