"""`authorizer`: an expression asks whether somebody may do something.

Owns      the questions' words, and what a question and its answer are.
Leaves    the answer: whoever evaluates passes a function in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from busk8s.api.cel import types
from busk8s.api.cel.signatures import Overload, declare
from busk8s.api.cel.types import CelType
from busk8s.api.cel.values import size_of

CHECK_COST = 350_000  # so that one expression may ask twice
_NAME = "kubernetes.authorization."


@dataclass(frozen=True, slots=True)
class Question:
    """`account` is (namespace, name) of the service account asked about; None: the caller."""

    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    account: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str = ""
    error: str = ""
    cel_type: ClassVar[CelType] = types.opaque(f"{_NAME}Decision")


Decide = Callable[[Question], Decision]


@dataclass(frozen=True, slots=True)
class Authorizer:
    decide: Decide
    question: Question = Question()
    cel_type: ClassVar[CelType] = types.opaque(f"{_NAME}Authorizer")


class PathCheck(Authorizer):
    __slots__ = ()
    cel_type: ClassVar[CelType] = types.opaque(f"{_NAME}PathCheck")


class GroupCheck(Authorizer):
    __slots__ = ()
    cel_type: ClassVar[CelType] = types.opaque(f"{_NAME}GroupCheck")


class ResourceCheck(Authorizer):
    __slots__ = ()
    cel_type: ClassVar[CelType] = types.opaque(f"{_NAME}ResourceCheck")


AUTHORIZER, RESOURCE_CHECK = Authorizer.cel_type, ResourceCheck.cel_type


def _account(asking: Authorizer, namespace: str, name: str) -> Authorizer:
    return Authorizer(asking.decide, replace(asking.question, account=(namespace, name)))


def _path(asking: Authorizer, path: str) -> PathCheck:
    return PathCheck(asking.decide, replace(asking.question, path=path))


def _group(asking: Authorizer, group: str) -> GroupCheck:
    return GroupCheck(asking.decide, replace(asking.question, group=group))


def _with(field: str) -> Callable[[Authorizer, str], ResourceCheck]:
    def ask(asking: Authorizer, value: str) -> ResourceCheck:
        changed: dict[str, Any] = {field: value}
        return ResourceCheck(asking.decide, replace(asking.question, **changed))

    return ask


def _check(asking: Authorizer, verb: str) -> Decision:
    return asking.decide(replace(asking.question, verb=verb))


def _same(asking: ResourceCheck, _: str) -> ResourceCheck:
    """Differs from Kubernetes: selectors do not narrow the question; no rule here reads them."""
    return asking


def _check_cost(_: Sequence[Any], __: Any) -> int:
    return CHECK_COST


def _selector_cost(values: Sequence[Any], _: Any) -> int:
    size = size_of(values[1])
    return 10 + (size + 9) // 10 + (size + 1) // 2 * 50


_A, _P, _G, _R = (f"{_NAME}{n}" for n in ("Authorizer", "PathCheck", "GroupCheck", "ResourceCheck"))
_D = f"{_NAME}Decision"
OVERLOADS: tuple[Overload, ...] = (
    declare(f".serviceAccount::{_A},string,string -> {_A}", _account),
    declare(f".path::{_A},string -> {_P}", _path),
    declare(f".group::{_A},string -> {_G}", _group),
    declare(f".resource::{_G},string -> {_R}", _with("resource")),
    declare(f".subresource::{_R},string -> {_R}", _with("subresource")),
    declare(f".namespace::{_R},string -> {_R}", _with("namespace")),
    declare(f".name::{_R},string -> {_R}", _with("name")),
    declare(f".fieldSelector::{_R},string -> {_R}", _same, _selector_cost),
    declare(f".labelSelector::{_R},string -> {_R}", _same, _selector_cost),
    declare(f".check::{_R},string -> {_D}", _check, _check_cost),
    declare(f".check::{_P},string -> {_D}", _check, _check_cost),
    declare(f".allowed::{_D} -> bool", lambda d: d.allowed),
    declare(f".reason::{_D} -> string", lambda d: d.reason),
    declare(f".error::{_D} -> string", lambda d: d.error),
    declare(f".errored::{_D} -> bool", lambda d: bool(d.error)),
)
