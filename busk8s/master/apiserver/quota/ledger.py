"""How much of each quota is used, to the last object, and who may use more.

Owns      the sums of stored objects and of writes under way; the refusals.
Leaves    what an object uses (usage), telling it in the status (keeper).
Invariant stored plus promised never exceeds what is allowed by a write that was let pass: a sum
          follows the cache change by change, and a promise is held until its write has ended.
          A namespace without a quota costs one look-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.api.quantity import nanos, render
from busk8s.api.scheme import RESOURCEQUOTAS, Resource
from busk8s.master.apiserver.quota.usage import Amounts, counted_by, in_scope, unnamed, usage
from busk8s.master.store.watch import Event, WatchCache

QUOTAS = RESOURCEQUOTAS.key
_FREE = nullcontext()
_NUMBER = re.compile(r"^[+-]?[0-9.]+")


@dataclass(slots=True)
class Quota:
    """One ResourceQuota at work. `bounded`: names by the key of the resource they count."""

    name: str
    hard: dict[str, int]
    suffixes: dict[str, str]
    scopes: list[Json]
    bounded: dict[str, list[str]]
    used: Amounts = field(default_factory=dict)
    held: Amounts = field(default_factory=dict)

    def of(self, key: str, data: Json | None) -> Amounts:
        """What an object uses of this quota; zero where it is bounded but uses none."""
        names = self.bounded.get(key, ())
        if data is None or not names or (self.scopes and not in_scope(key, data, self.scopes)):
            return {}
        found = usage(key, data)
        return {name: found.get(name, 0) for name in names}

    def text(self, amounts: Mapping[str, int]) -> str:
        return ",".join(f"{name}={self.shown(name, amounts[name])}" for name in sorted(amounts))

    def shown(self, name: str, amount: int) -> str:
        return render(amount, self.suffixes[name])


def compiled(quota: Object) -> Quota:
    spec = quota.data.get("spec") or {}
    hard = spec.get("hard") or {}
    scopes = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    bounded: dict[str, list[str]] = {}
    for name in hard:
        bounded.setdefault(counted_by(name), []).append(name)
    return Quota(
        quota.name,
        {name: nanos(value) for name, value in hard.items()},
        {name: _NUMBER.sub("", str(value)) for name, value in hard.items()},
        scopes,
        bounded,
        dict.fromkeys(hard, 0),
    )


class Quotas:
    """`on_change(namespace, name)` is told of quotas whose sums have changed."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._namespaces: dict[str, dict[str, Quota]] = {}
        self.on_change: Callable[[str, str], None] = lambda namespace, name: None

    def open(self) -> None:
        for quota in self._cache.list(QUOTAS):
            self._sum(quota.namespace, self._take(quota))
        self._cache.on_events(self._observe)

    def find(self, namespace: str, name: str) -> Quota | None:
        return self._namespaces.get(namespace, {}).get(name)

    def names(self) -> list[tuple[str, str]]:
        return [(space, name) for space, quotas in self._namespaces.items() for name in quotas]

    def charge(
        self, resource: Resource, namespace: str, new: Json, old: Json | None
    ) -> AbstractContextManager[None]:
        """Hold what a write adds while it is under way. Raises 403 where it is too much."""
        quotas = self._namespaces.get(namespace)
        if not quotas:
            return _FREE
        return self._holding([quotas[name] for name in sorted(quotas)], resource, new, old)

    @contextmanager
    def _holding(
        self, quotas: Sequence[Quota], resource: Resource, new: Json, old: Json | None
    ) -> Iterator[None]:
        promised: list[tuple[Quota, Amounts]] = []
        for quota in quotas:
            more = _more(quota, resource, new, old)
            if more:
                _check(quota, resource, new, more)
                promised.append((quota, more))
        for quota, more in promised:
            _add(quota.held, more, 1)
        try:
            yield
        finally:
            for quota, more in promised:
                _add(quota.held, more, -1)

    def _observe(self, events: Sequence[Event]) -> None:
        fresh: dict[tuple[str, str], None] = {}
        for event in events:
            obj = event.object
            if obj.resource.key == QUOTAS:
                self._note(obj, event.type == "DELETED", fresh)
            if quotas := self._namespaces.get(obj.namespace):
                self._count(quotas, event)
        for namespace, name in fresh:
            # The cache shows all of `events` already: what was counted before it is void.
            self._sum(namespace, self._namespaces[namespace][name])
            self.on_change(namespace, name)

    def _note(self, obj: Object, gone: bool, fresh: dict[tuple[str, str], None]) -> None:
        known = self.find(obj.namespace, obj.name)
        fresh.pop((obj.namespace, obj.name), None)
        if gone:
            quotas = self._namespaces.get(obj.namespace, {})
            quotas.pop(obj.name, None)
            if not quotas:
                self._namespaces.pop(obj.namespace, None)
            return
        made = compiled(obj)
        if known is None or (known.hard, known.scopes) != (made.hard, made.scopes):
            self._take(obj)
            fresh[obj.namespace, obj.name] = None

    def _count(self, quotas: Mapping[str, Quota], event: Event) -> None:
        key, obj = event.object.resource.key, event.object
        for quota in quotas.values():
            if key not in quota.bounded:
                continue
            after = {} if event.type == "DELETED" else quota.of(key, obj.glance())
            was = event.previous
            before = quota.of(key, was.glance()) if was is not None else {}
            if after != before:
                _add(quota.used, after, 1)
                _add(quota.used, before, -1)
                self.on_change(obj.namespace, quota.name)

    def _take(self, obj: Object) -> Quota:
        """Begin to count for a quota, or to count otherwise; what is promised stays promised."""
        quotas = self._namespaces.setdefault(obj.namespace, {})
        known, made = quotas.get(obj.name), compiled(obj)
        if known is not None:
            made.held = known.held
        quotas[obj.name] = made
        return made

    def _sum(self, namespace: str, quota: Quota) -> None:
        quota.used = dict.fromkeys(quota.hard, 0)
        for key in quota.bounded:
            for obj in self._cache.list(key, namespace):
                _add(quota.used, quota.of(key, obj.glance()), 1)


def _more(quota: Quota, resource: Resource, new: Json, old: Json | None) -> Amounts:
    """What a write adds; on create also what it bounds but does not use."""
    after = quota.of(resource.key, new)
    if old is None:
        return after
    before = quota.of(resource.key, old)
    grown = {name: amount - before.get(name, 0) for name, amount in after.items()}
    return {name: amount for name, amount in grown.items() if amount > 0}


def _check(quota: Quota, resource: Resource, new: Json, more: Amounts) -> None:
    metadata = new["metadata"]
    name = metadata.get("name") or metadata.get("generateName") or ""
    if resource.key == "pods" and (missing := unnamed(new, quota.hard)):
        parts = (f"{each} for: {','.join(names)}" for each, names in sorted(missing.items()))
        why = f"failed quota: {quota.name}: must specify {'; '.join(parts)}"
        raise errors.forbidden(resource.plural, name, why, group=resource.group)
    used = {each: quota.used[each] + quota.held.get(each, 0) for each in more}
    over = [each for each in more if more[each] and used[each] + more[each] > quota.hard[each]]
    if over:
        why = (
            f"exceeded quota: {quota.name}, requested: {quota.text({k: more[k] for k in over})}, "
            f"used: {quota.text({k: used[k] for k in over})}, "
            f"limited: {quota.text({k: quota.hard[k] for k in over})}"
        )
        raise errors.forbidden(resource.plural, name, why, group=resource.group)


def _add(into: Amounts, amounts: Mapping[str, int], sign: int) -> None:
    for name, amount in amounts.items():
        into[name] = into.get(name, 0) + sign * amount
