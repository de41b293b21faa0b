"""The configured webhooks, compiled, in the order they are asked.

Owns      reading configurations from the watch cache, and who may be asked about a write.
Leaves    asking (calling), what an answer does (mutating, validating), matching itself (matching).
Invariant the list is that of the cache's present objects; a write is answered from one
          dictionary, and from an empty list where nothing is configured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.admission.matching import (
    EXEMPT,
    Equivalents,
    Matcher,
    equivalents,
)
from busk8s.master.apiserver.admission.plugin import Lookup
from busk8s.master.apiserver.attributes import Operation
from busk8s.master.apiserver.outgoing import Target, target_of
from busk8s.master.store.watch import Event, WatchCache

KNOWN_MAX = 2_048  # Kinds of writes remembered; a few hundred with many custom resources.
TIMEOUT_S = 10
MUTATING = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
VALIDATING = "validatingwebhookconfigurations.admissionregistration.k8s.io"


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of one configuration. `index` is its place among all, as audit names it."""

    index: int
    configuration: str
    name: str
    matcher: Matcher
    target: Target
    timeout_s: int
    fails_open: bool
    harmless: bool  # may be asked of a dry run
    versions: tuple[str, ...]
    reinvocable: bool
    conditions: tuple[tuple[str, str], ...] = ()
    uid: str = field(default="")
    broken: str = ""  # why it could not be compiled: whatever its rules cover is refused

    def match(self, operation: Operation, lookup: Lookup) -> Resource | None:
        """As Matcher.match; raises errors.Error (500) for a webhook nobody can ask."""
        if self.broken:
            raise errors.internal(self.broken)
        return self.matcher.match(operation, lookup)


def compile_hook(
    configuration: str, index: int, hook: Json, equivalents: Equivalents = equivalents
) -> Hook:
    name = str(hook.get("name"))
    return Hook(
        index,
        configuration,
        name,
        Matcher(
            hook.get("rules") or (),
            equivalent=hook.get("matchPolicy") != "Exact",
            namespace_selector=hook.get("namespaceSelector"),
            object_selector=hook.get("objectSelector"),
            equivalents=equivalents,
        ),
        target_of(hook.get("clientConfig") or {}),
        int(hook.get("timeoutSeconds") or TIMEOUT_S),
        hook.get("failurePolicy") == "Ignore",
        hook.get("sideEffects") in ("None", "NoneOnDryRun"),
        tuple(hook.get("admissionReviewVersions") or ()),
        hook.get("reinvocationPolicy") == "IfNeeded",
        tuple((c["name"], c["expression"]) for c in hook.get("matchConditions") or ()),
        f"{configuration}/{name}",
    )


def _compiled(configuration: str, index: int, hook: Json, equivalents: Equivalents) -> Hook:
    """This runs while a write is taken in, which must not fail for what was stored once."""
    try:
        return compile_hook(configuration, index, hook, equivalents)
    except (errors.Error, ValueError) as error:
        bare: Json = {key: hook[key] for key in ("name", "rules", "matchPolicy") if key in hook}
        made = compile_hook(configuration, index, bare, equivalents)
        return replace(made, broken=f'webhook "{made.name}" cannot be used: {error}')


class Hooks:
    """Those of one kind of configuration."""

    def __init__(
        self, cache: WatchCache, key: str, *, equivalents: Equivalents = equivalents
    ) -> None:
        self._cache = cache
        self._key = key
        self._equivalents = equivalents
        self._hooks: tuple[Hook, ...] = ()
        self._known: dict[tuple[Resource, str, str], tuple[Hook, ...]] = {}
        self._open = False

    def open(self) -> None:
        """Begin. Before, no write is shown to any webhook: the server's own first objects must
        not depend on servers that run as its pods."""
        if not self._open:
            self._open = True
            self._cache.on_events(self._observe)
            self._read()

    def forget(self) -> None:
        """Resources have changed: what was worked out about them is void."""
        self._read()

    def interested(self, operation: Operation) -> Sequence[Hook]:
        """Who has a rule for such a write."""
        if not self._hooks:
            return ()
        attributes = operation.attributes
        resource = attributes.resource
        if resource is None or resource.key in EXEMPT:
            return ()
        key = (resource, attributes.subresource, operation.kind)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            found = self._known[key] = tuple(h for h in self._hooks if h.matcher.may_match(*key))
        return found

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.object.resource.key == self._key:
                self._read()
                return

    def _read(self) -> None:
        hooks: list[Hook] = []
        for configuration in self._cache.list(self._key):  # in the order of names
            for hook in _hooks_of(configuration):
                hooks.append(_compiled(configuration.name, len(hooks), hook, self._equivalents))
        self._hooks = tuple(hooks)
        self._known.clear()


def _hooks_of(configuration: Object) -> Sequence[Json]:
    return configuration.glance().get("webhooks") or ()
