"""Which writes a webhook or a policy looks at: rules, selectors, equivalent resources.

Owns      the meaning of `rules`, `excludeResourceRules`, `matchPolicy`, `namespaceSelector` and
          `objectSelector`, as upstream has it.
Leaves    match conditions (CEL), what is then done (webhooks, policies).
Invariant a Matcher never changes; which rules fit a resource and operation is worked out once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.object import Json
from busk8s.api.scheme import Resource
from busk8s.api.selectors import LabelSelector, from_label_selector
from busk8s.master.apiserver.admission.plugin import Lookup
from busk8s.master.apiserver.attributes import Operation

ADMISSION_GROUP = "admissionregistration.k8s.io"
# Never shown to webhooks and policies that live in the API: they could lock themselves in.
EXEMPT = frozenset(
    f"{plural}.{ADMISSION_GROUP}"
    for plural in (
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    )
)
RESULTS_MAX = 1_024  # Remembered per matcher; there are a few hundred resources and parts.

Equivalents = Callable[[Resource], Sequence[Resource]]


def equivalents(resource: Resource) -> Sequence[Resource]:
    """Every resource that shows the same objects, `resource` among them."""
    if resource.custom is not None:
        return tuple(resource.custom.family.versions.values())
    return tuple(r for r in scheme.SERVED if r.storage_key == resource.storage_key)


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `rules`, compiled."""

    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    operations: frozenset[str]
    scope: str = "*"
    names: frozenset[str] = frozenset()

    def covers(self, resource: Resource, subresource: str, kind: str) -> bool:
        """All but names."""
        if self.scope != "*" and (self.scope == "Namespaced") != resource.namespaced:
            return False
        return (
            _holds(self.operations, kind)
            and _holds(self.groups, resource.group)
            and _holds(self.versions, resource.version)
            and any(
                plural in ("*", resource.plural) and part in ("*", subresource)
                for plural, part in self.resources
            )
        )


def compile_rule(rule: Mapping[str, Any]) -> Rule:
    return Rule(
        frozenset(rule.get("apiGroups") or ()),
        frozenset(rule.get("apiVersions") or ()),
        tuple(_split(text) for text in rule.get("resources") or ()),
        frozenset(rule.get("operations") or ()),
        rule.get("scope") or "*",
        frozenset(rule.get("resourceNames") or ()),
    )


def _split(text: str) -> tuple[str, str]:
    plural, _, part = text.partition("/")
    return plural, part


def _holds(allowed: frozenset[str], value: str) -> bool:
    return "*" in allowed or value in allowed


class Matcher:
    """What one webhook, policy or binding matches; made from its JSON.

    `rules` and `exclude` are lists of RuleWithOperations (with `resourceNames` for policies).
    """

    def __init__(
        self,
        rules: Sequence[Json],
        *,
        exclude: Sequence[Json] = (),
        equivalent: bool = True,
        namespace_selector: Json | None = None,
        object_selector: Json | None = None,
        equivalents: Equivalents = equivalents,
    ) -> None:
        self._rules = tuple(map(compile_rule, rules))
        self._exclude = tuple(map(compile_rule, exclude))
        self._equivalent = equivalent
        self._namespaces = from_label_selector(namespace_selector or {})
        self._objects = from_label_selector(object_selector or {})
        self._equivalents = equivalents
        self._found: dict[tuple[Resource, str, str], tuple[tuple[Rule, Resource], ...]] = {}

    def may_match(self, resource: Resource, subresource: str, kind: str) -> bool:
        """Whether there is any rule for such a write."""
        return bool(self._fitting(resource, subresource, kind))

    def match(self, operation: Operation, lookup: Lookup) -> Resource | None:
        """The resource by which `operation` is matched (its own, or an equivalent); None: not.

        Raises errors.Error (404) when the namespace whose labels decide is not there.
        """
        attributes = operation.attributes
        resource = attributes.resource
        assert resource is not None
        fitting = self._fitting(resource, attributes.subresource, operation.kind)
        matched = next((to for rule, to in fitting if _names_fit(rule, operation)), None)
        if matched is None or self._excluded(operation):
            return None
        if not self._objects.everything and not _object_fits(self._objects, operation):
            return None
        if not self._namespaces.everything and not _namespace_fits(
            self._namespaces, operation, lookup
        ):
            return None
        return matched

    def _fitting(
        self, resource: Resource, subresource: str, kind: str
    ) -> tuple[tuple[Rule, Resource], ...]:
        key = (resource, subresource, kind)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= RESULTS_MAX:
                self._found.clear()
            found = self._found[key] = tuple(self._search(resource, subresource, kind))
        return found

    def _search(
        self, resource: Resource, subresource: str, kind: str
    ) -> Sequence[tuple[Rule, Resource]]:
        own = [(rule, resource) for rule in self._rules if rule.covers(resource, subresource, kind)]
        if own or not self._equivalent:
            return own
        others = [r for r in self._equivalents(resource) if r is not resource]
        return [
            (rule, other)
            for rule in self._rules
            for other in others
            if rule.covers(other, subresource, kind)
        ]

    def _excluded(self, operation: Operation) -> bool:
        if not self._exclude:
            return False
        attributes = operation.attributes
        resource = attributes.resource
        assert resource is not None
        shapes = self._equivalents(resource) if self._equivalent else (resource,)
        return any(
            _names_fit(rule, operation)
            and any(rule.covers(r, attributes.subresource, operation.kind) for r in shapes)
            for rule in self._exclude
        )


def _names_fit(rule: Rule, operation: Operation) -> bool:
    return not rule.names or request_name(operation) in rule.names


def request_name(operation: Operation) -> str:
    """The name of the request: of the URL, else the object's own."""
    if operation.attributes.name:
        return operation.attributes.name
    metadata = (operation.object or {}).get("metadata") or {}
    return str(metadata.get("name") or "")


def request_namespace(operation: Operation) -> str:
    """The namespace of the request; that of a Namespace is its name."""
    attributes = operation.attributes
    resource = attributes.resource
    if resource is not None and resource.key == "namespaces":
        return request_name(operation)
    return attributes.namespace


def _object_fits(selector: LabelSelector, operation: Operation) -> bool:
    new, old = operation.object, operation.old
    if new is not None and selector.matches(_labels(new)):
        return True
    return old is not None and selector.matches(old.labels)


def _labels(obj: Json) -> Mapping[str, str]:
    metadata = obj.get("metadata")
    return (metadata.get("labels") if isinstance(metadata, dict) else None) or {}


def _namespace_fits(selector: LabelSelector, operation: Operation, lookup: Lookup) -> bool:
    attributes = operation.attributes
    is_namespace = attributes.resource is not None and attributes.resource.key == "namespaces"
    if not attributes.namespace and not is_namespace:
        return True
    if is_namespace and not attributes.subresource and operation.kind in ("CREATE", "UPDATE"):
        return selector.matches(_labels(operation.object or {}))
    name = request_namespace(operation)
    namespace = lookup.get("namespaces", "", name)
    if namespace is None:
        raise errors.not_found("namespaces", name)
    return selector.matches(namespace.labels)
