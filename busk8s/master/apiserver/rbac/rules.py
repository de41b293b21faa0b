"""Policy rules: what one allows, which rules cover others, how a refusal writes them.

Owns      matching a rule against a request; coverage, the order "at least as much as" of rules.
Leaves    who holds which rules (subjects), reading them from objects that may be gone (roles).
Invariant pure. `covers` says yes only if every request that the covered rules allow is allowed by
          the covering ones as well.
Source    Kubernetes reference, "Using RBAC Authorization"; the behaviour of upstream's validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from busk8s.api.object import Json

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule. `resources` holds `plural`, `plural/part`, `*/part` or `*`."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def allows(self, verb: str, group: str, resource: str, part: str, name: str) -> bool:
        return self.reaches(verb, group, resource, part) and (not self.names or name in self.names)

    def reaches(self, verb: str, group: str, resource: str, part: str) -> bool:
        """Whether it is about such requests, be it for certain names alone."""
        return (
            (verb in self.verbs or ALL in self.verbs)
            and (group in self.groups or ALL in self.groups)
            and any(_is_for(mine, resource, part) for mine in self.resources)
        )

    def allows_path(self, verb: str, path: str) -> bool:
        return (verb in self.verbs or ALL in self.verbs) and any(
            _path_covers(url, path) for url in self.urls
        )

    def __str__(self) -> str:
        """As upstream's refusals write a rule."""
        fields = (
            ("APIGroups", self.groups),
            ("Resources", self.resources),
            ("NonResourceURLs", self.urls),
            ("ResourceNames", self.names),
            ("Verbs", self.verbs),
        )
        return "{" + ", ".join(f"{name}:{quoted(of)}" for name, of in fields if of) + "}"


def quoted(texts: Iterable[str]) -> str:
    """A list of strings as upstream prints it: `["a" "b"]`."""
    return "[" + " ".join(orjson.dumps(text).decode() for text in texts) + "]"


def _is_for(mine: str, resource: str, part: str) -> bool:
    if mine == ALL:
        return True
    if not part:
        return mine == resource
    return mine == f"{resource}/{part}" or mine == f"*/{part}"


def _path_covers(mine: str, path: str) -> bool:
    if mine == path:
        return True
    return mine.endswith(ALL) and path.startswith(mine.rstrip(ALL))


def parse(rules: Iterable[Mapping[str, Any]] | None) -> tuple[Rule, ...]:
    """The `rules` of a role's JSON."""
    return tuple(
        Rule(
            tuple(rule.get("verbs") or ()),
            tuple(rule.get("apiGroups") or ()),
            tuple(rule.get("resources") or ()),
            tuple(rule.get("resourceNames") or ()),
            tuple(rule.get("nonResourceURLs") or ()),
        )
        for rule in rules or ()
    )


def render(rule: Rule) -> Json:
    """A rule as the JSON of a role."""
    fields = (
        ("verbs", rule.verbs),
        ("apiGroups", rule.groups),
        ("resources", rule.resources),
        ("resourceNames", rule.names),
        ("nonResourceURLs", rule.urls),
    )
    return {name: list(of) for name, of in fields if of}


def atoms(rule: Rule) -> Iterator[Rule]:
    """The same permission in rules of one verb, group, resource, name or path each."""
    for group in rule.groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for name in rule.names or ("",):
                    yield Rule((verb,), (group,), (resource,), (name,) if name else ())
    for url in rule.urls:
        for verb in rule.verbs:
            yield Rule((verb,), urls=(url,))


def not_covered(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The atoms of `wanted` that no rule of `held` covers."""
    return [
        atom
        for rule in wanted
        for atom in atoms(rule)
        if not any(_covers(mine, atom) for mine in held)
    ]


def _covers(rule: Rule, atom: Rule) -> bool:
    if ALL not in rule.verbs and atom.verbs[0] not in rule.verbs:
        return False
    if atom.urls:
        return any(_path_covers(url, atom.urls[0]) for url in rule.urls)
    if ALL not in rule.groups and atom.groups[0] not in rule.groups:
        return False
    if rule.names and not (atom.names and atom.names[0] in rule.names):
        return False
    resource, _, part = atom.resources[0].partition("/")
    return any(_is_for(mine, resource, part) for mine in rule.resources)


def compact(rules: Iterable[Rule]) -> list[Rule]:
    """Atoms for the same resource as one rule with all their verbs; others as they are."""
    merged: dict[Rule, list[str]] = {}
    others: list[Rule] = []
    for rule in rules:
        if rule.urls or len(rule.groups) != 1 or len(rule.resources) != 1 or len(rule.names) > 1:
            others.append(rule)
        else:
            merged.setdefault(replace(rule, verbs=()), []).extend(rule.verbs)
    return [replace(rule, verbs=tuple(verbs)) for rule, verbs in merged.items()] + others
