"""Policies and their bindings, compiled, and which of them care about a write.

Owns      reading policies and bindings from the watch cache, compiling them once.
Leaves    evaluating (validating, mutating), parameters (parameters), matching (matching).
Invariant the list is that of the cache's present objects; where nothing is bound, a write is
          answered from an empty list, and no expression was ever compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from busk8s.api.cel.errors import CelError
from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.admission.matching import (
    EXEMPT,
    Equivalents,
    Matcher,
    equivalents,
)
from busk8s.master.apiserver.attributes import Operation
from busk8s.master.store.watch import Event, WatchCache

if TYPE_CHECKING:
    from busk8s.api.cel.program import Program

KNOWN_MAX = 2_048  # Kinds of writes remembered.
_EVERYTHING: Json = {
    "apiGroups": ["*"],
    "apiVersions": ["*"],
    "resources": ["*/*"],
    "operations": ["*"],
}


@dataclass(frozen=True, slots=True)
class Kind:
    """Validating or mutating."""

    name: str
    policies: str
    bindings: str


_GROUP = "admissionregistration.k8s.io"
VALIDATING = Kind(
    "ValidatingAdmissionPolicy",
    f"validatingadmissionpolicies.{_GROUP}",
    f"validatingadmissionpolicybindings.{_GROUP}",
)
MUTATING = Kind(
    "MutatingAdmissionPolicy",
    f"mutatingadmissionpolicies.{_GROUP}",
    f"mutatingadmissionpolicybindings.{_GROUP}",
)


@dataclass(frozen=True, slots=True)
class Binding:
    name: str
    matcher: Matcher
    param_ref: Json | None
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    program: Program
    expression: str
    message: str
    message_program: Program | None
    reason: str


@dataclass(frozen=True, slots=True)
class Mutation:
    program: Program
    merges: bool  # an apply configuration; else a JSON patch


@dataclass(slots=True)
class Compiled:
    """`wrong` is why the policy cannot be evaluated at all."""

    variables: list[tuple[str, Program]] = field(default_factory=list)
    conditions: list[Program | CelError] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    annotations: list[tuple[str, Program]] = field(default_factory=list)
    mutations: list[Mutation] = field(default_factory=list)
    wrong: str = ""


class Policy:
    def __init__(
        self, obj: Object, bindings: Sequence[Binding], equivalents: Equivalents = equivalents
    ) -> None:
        self.spec: Json = obj.data.get("spec") or {}
        self.name = obj.name
        self.bindings = tuple(bindings)
        self.matcher = _matcher(self.spec.get("matchConstraints") or {}, equivalents)
        self.fails_open = self.spec.get("failurePolicy") == "Ignore"
        self.reinvocable = self.spec.get("reinvocationPolicy") == "IfNeeded"
        self.param_kind: Json | None = self.spec.get("paramKind")

    @cached_property
    def compiled(self) -> Compiled:
        """At the first write that matches: the language is not loaded before."""
        try:
            return _compile(self.spec)
        except CelError as error:
            return Compiled(wrong=str(error))


def _compile(spec: Json) -> Compiled:
    from busk8s.api.cel import admission

    mutating = "mutations" in spec
    declared = admission.declared(params=spec.get("paramKind") is not None)
    variables, whole, wrong = admission.composed(
        spec.get("variables") or [], declared, patch=mutating
    )
    for error in wrong:
        if error is not None:
            raise error
    made = Compiled(variables)
    for one in spec.get("matchConditions") or ():
        made.conditions.append(admission.condition(one["expression"], declared))
    for one in spec.get("validations") or ():
        made.validations.append(_validation(one, whole))
    for one in spec.get("auditAnnotations") or ():
        program = admission.annotation(one["valueExpression"], whole)
        made.annotations.append((one["key"], program))
    compilers: Mapping[str, tuple[str, Callable[..., Program]]] = {
        "ApplyConfiguration": ("applyConfiguration", admission.apply_configuration),
        "JSONPatch": ("jsonPatch", admission.json_patch),
    }
    for one in spec.get("mutations") or ():
        name, compile = compilers[one["patchType"]]
        program = compile(one[name]["expression"], whole)
        made.mutations.append(Mutation(program, name == "applyConfiguration"))
    return made


def _validation(one: Json, declared: Mapping[str, Any]) -> Validation:
    from busk8s.api.cel import admission

    said: Program | None = None
    if one.get("messageExpression"):
        said = admission.message(one["messageExpression"], declared)
    return Validation(
        admission.condition(one["expression"], declared),
        one["expression"].strip(),
        (one.get("message") or "").strip(),
        said,
        one.get("reason") or "Invalid",
    )


def _matcher(match: Json, equivalents: Equivalents, *, every: bool = False) -> Matcher:
    """`every`: no rules are all rules, as in bindings."""
    rules = match.get("resourceRules") or ([_EVERYTHING] if every else [])
    return Matcher(
        rules,
        exclude=match.get("excludeResourceRules") or (),
        equivalent=match.get("matchPolicy") != "Exact",
        namespace_selector=match.get("namespaceSelector"),
        object_selector=match.get("objectSelector"),
        equivalents=equivalents,
    )


class Policies:
    """Those of one kind that are bound."""

    def __init__(
        self, cache: WatchCache, kind: Kind, *, equivalents: Equivalents = equivalents
    ) -> None:
        self.kind = kind
        self._cache = cache
        self._equivalents = equivalents
        self._policies: tuple[Policy, ...] = ()
        self._known: dict[tuple[Resource, str, str], tuple[Policy, ...]] = {}
        self._open = False

    def open(self) -> None:
        """Begin. Before, the server's own first objects pass without policies."""
        if not self._open:
            self._open = True
            self._cache.on_events(self._observe)
            self._read()

    def forget(self) -> None:
        """Resources have changed: what was worked out about them is void."""
        self._read()

    def interested(self, operation: Operation) -> Sequence[Policy]:
        if not self._policies:
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
            found = self._known[key] = tuple(p for p in self._policies if p.matcher.may_match(*key))
        return found

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.object.resource.key in (self.kind.policies, self.kind.bindings):
                self._read()
                return

    def _read(self) -> None:
        bound: dict[str, list[Binding]] = {}
        for obj in self._cache.list(self.kind.bindings):
            spec = obj.data.get("spec") or {}
            bound.setdefault(str(spec.get("policyName")), []).append(self._binding(obj.name, spec))
        self._policies = tuple(
            Policy(obj, bound[obj.name], self._equivalents)
            for obj in self._cache.list(self.kind.policies)
            if obj.name in bound
        )
        self._known.clear()

    def _binding(self, name: str, spec: Json) -> Binding:
        return Binding(
            name,
            _matcher(spec.get("matchResources") or {}, self._equivalents, every=True),
            spec.get("paramRef"),
            tuple(spec.get("validationActions") or ()),
        )
