"""Tells authors of policies which of their expressions do not fit the kinds they are about.

Owns      `status.typeChecking` and `observedGeneration` of ValidatingAdmissionPolicies; the kinds
          that a policy's rules name.
Leaves    the checking (api.cel.typecheck), schemas (api.openapi).
Invariant a policy is checked once a generation, between the work of others, and CEL is loaded when
          there is one.
Source    upstream's validatingadmissionpolicystatus controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from busk8s.api.object import Json
from busk8s.api.scheme import Resource
from busk8s.log import Logger
from busk8s.master.apiserver.admission.policies.definitions import VALIDATING
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.loopback import Dispatch, ask
from busk8s.master.store.watch import Event, WatchCache

if TYPE_CHECKING:
    from busk8s.api.cel.types import CelType

PATH = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
KINDS_MAX = 10  # That one rule of a policy is checked against; upstream's number.

log = Logger("busk8s.apiserver")


class PolicyChecker:
    def __init__(self, cache: WatchCache, catalog: Catalog, dispatch: Dispatch) -> None:
        self._cache, self._catalog, self._dispatch = cache, catalog, dispatch
        self._awake = asyncio.Event()
        self._due: dict[str, None] = {}
        for policy in cache.list(VALIDATING.policies):
            self._later(policy.name)
        cache.on_events(self._observe)

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.object.resource.key == VALIDATING.policies and event.type != "DELETED":
                self._later(event.object.name)

    def _later(self, name: str) -> None:
        self._due[name] = None
        self._awake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            await self.settle()

    async def settle(self) -> None:
        """Check every policy that has changed."""
        while self._due:
            name = next(iter(self._due))
            del self._due[name]
            await self._check(name)

    async def _check(self, name: str) -> None:
        policy = self._cache.get(VALIDATING.policies, "", name)
        if policy is None:
            return
        data = policy.glance()
        generation = data["metadata"].get("generation") or 0
        if generation <= ((data.get("status") or {}).get("observedGeneration") or 0):
            return
        found = await self._warnings(data["spec"])
        status = {
            **(data.get("status") or {}),
            "observedGeneration": generation,
            "typeChecking": {"expressionWarnings": found} if found else {},
        }
        path = f"{PATH}/{name}/status"
        code, answer = await ask(self._dispatch, "PUT", path, {**data, "status": status})
        if code >= 400 and code not in (404, 409):  # After 409 the newer policy is due.
            log.warning("a policy's status was refused", name=name, why=answer)

    async def _warnings(self, spec: Json) -> list[Json]:
        from busk8s.api.cel.typecheck import Checked, warnings

        kinds = []
        for resource in self._kinds(spec):
            of = _type(resource)
            if of is not None:
                name = f"{resource.group}/{resource.version}, Kind={resource.kind}"
                kinds.append(Checked(name, of))
            await asyncio.sleep(0)
        found = []
        for warning in warnings(spec, kinds, self._params(spec)):
            if warning is not None:
                found.append(warning)
            await asyncio.sleep(0)
        return found

    def _params(self, spec: Json) -> CelType | None:
        kind = spec.get("paramKind") or {}
        group, _, version = str(kind.get("apiVersion") or "").rpartition("/")
        resource = self._catalog.by_kind(group, version, str(kind.get("kind") or ""))
        return _type(resource) if resource is not None else None

    def _kinds(self, spec: Json) -> list[Resource]:
        """What the rules name without a wildcard, by group, version and kind."""
        rules = (spec.get("matchConstraints") or {}).get("resourceRules") or ()
        found: dict[tuple[str, str, str], Resource] = {}
        for rule in rules:
            for resource in self._named(rule)[:KINDS_MAX]:
                found[resource.group, resource.version, resource.kind] = resource
        return [found[key] for key in sorted(found)]

    def _named(self, rule: Json) -> list[Resource]:
        groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
        if _wild(groups) or _wild(versions):
            return []
        plurals = sorted(each for each in rule.get("resources") or () if not set("*/") & set(each))
        named = (
            self._catalog.lookup(group, version, plural)
            for group in sorted(groups)
            for version in sorted(versions)
            for plural in plurals
        )
        return [resource for resource in named if resource is not None]


def _wild(names: Iterable[str]) -> bool:
    return any("*" in name for name in names)


def _type(resource: Resource) -> CelType | None:
    from busk8s.api.cel.typecheck import type_of
    from busk8s.api.openapi import whole_schema

    schema = whole_schema(resource)
    return type_of(schema) if schema is not None else None
