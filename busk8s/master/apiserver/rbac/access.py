"""What one subject may do: the rules of all roles bound to it, compiled for quick answers.

Owns      answering from a list of grants, and remembering answers.
Leaves    where grants come from (authorizer).
Invariant an answer that is remembered equals the one that the grants give; grants never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from busk8s.master.apiserver.rbac.rules import Rule

# Remembered answers of one list of grants. More are asked only by reviews of made-up things.
ANSWERS_MAX = 256

Question = tuple[str, str, str, str]  # verb, group, resource, subresource


@dataclass(frozen=True, slots=True)
class Grant:
    """The rules of one role, and by which binding they are held."""

    by: str
    rules: Sequence[Rule]


class Grants:
    """Grants of one scope: of the whole cluster, or of one namespace."""

    __slots__ = ("_answers", "_granters", "_paths", "grants", "missing")

    def __init__(self, grants: Sequence[Grant] = (), missing: Sequence[str] = ()) -> None:
        self.grants = grants
        self.missing = missing  # Why some bindings grant nothing: their role is not there.
        self._answers: dict[Question, bool | frozenset[str]] = {}
        self._granters: dict[Question, str] = {}
        self._paths: dict[tuple[str, str], bool] = {}

    def allows(self, question: Question, name: str) -> bool:
        answer = self._answers.get(question)
        if answer is None:
            answer = self._answer(question)
        return answer if answer is True or answer is False else name in answer

    def _answer(self, question: Question) -> bool | frozenset[str]:
        """True: for every name; else the names, or False."""
        answer: bool | frozenset[str] = False
        names: set[str] = set()
        for rule in self.rules():
            if rule.reaches(*question):
                if not rule.names:
                    answer = True
                    break
                names.update(rule.names)
        else:
            answer = frozenset(names) if names else False
        if len(self._answers) >= ANSWERS_MAX:
            self._answers.clear()
        self._answers[question] = answer
        return answer

    def allows_path(self, verb: str, path: str) -> bool:
        asked = (verb, path)
        answer = self._paths.get(asked)
        if answer is None:
            answer = any(rule.allows_path(verb, path) for rule in self.rules())
            if len(self._paths) >= ANSWERS_MAX:
                self._paths.clear()
            self._paths[asked] = answer
        return answer

    def rules(self) -> Iterator[Rule]:
        for grant in self.grants:
            yield from grant.rules

    def granter(self, question: Question, name: str) -> str | None:
        """By which binding it is allowed."""
        known = self._granters.get(question)
        if known is not None:
            return known
        by_name = False  # Then it is not the same for every name.
        for grant in self.grants:
            for rule in grant.rules:
                if rule.reaches(*question):
                    if not rule.names:
                        if not by_name:
                            self._remember(question, grant.by)
                        return grant.by
                    if name in rule.names:
                        return grant.by
                    by_name = True
        return None

    def _remember(self, question: Question, by: str) -> None:
        if len(self._granters) >= ANSWERS_MAX:
            self._granters.clear()
        self._granters[question] = by

    def path_granter(self, verb: str, path: str) -> str | None:
        for grant in self.grants:
            if any(rule.allows_path(verb, path) for rule in grant.rules):
                return grant.by
        return None


NOTHING = Grants()


@dataclass(slots=True)
class Access:
    """All that one subject holds."""

    cluster: Grants
    namespaces: dict[str, Grants]

    def within(self, namespace: str) -> Iterable[Grants]:
        """What counts for requests in `namespace`; "" is the cluster's scope."""
        local = self.namespaces.get(namespace) if namespace else None
        return (self.cluster,) if local is None else (self.cluster, local)
