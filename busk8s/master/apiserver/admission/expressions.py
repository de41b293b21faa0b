"""The variables of admission expressions, with the values of one write.

Owns      object, oldObject, request, params, namespaceObject, authorizer, `variables.x`; match
          conditions.
Leaves    which expressions there are (webhooks, policies), their types (api/cel/admission).
Invariant nothing is made before an expression reads it; what expressions read is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from busk8s.api import scheme
from busk8s.api.cel.errors import CelError, CelEvalError, CostExceeded
from busk8s.api.cel.library.authz import Authorizer as Asking
from busk8s.api.cel.library.authz import Decision, Question, ResourceCheck
from busk8s.api.cel.program import MATCH_CONDITIONS_BUDGET, Budget, Program
from busk8s.api.object import Json
from busk8s.api.request import User
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.admission.matching import request_name
from busk8s.master.apiserver.admission.plugin import Lookup
from busk8s.master.apiserver.admission.webhooks.review import body_kind, shown, user_info
from busk8s.master.apiserver.attributes import Attributes, Authorizer, Operation

CONDITIONS_MAX = 1_024  # compiled match conditions remembered
OUT_OF_BUDGET = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
_NAMESPACE_FIELDS = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation",
    "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels",
    "annotations", "finalizers",
)  # fmt: skip


class Values(dict[str, Any]):
    """Values by variable; each is made when it is first read."""

    def __init__(
        self, operation: Operation, seen_as: Resource, lookup: Lookup, authorizer: Authorizer
    ) -> None:
        super().__init__()
        self._operation, self._seen_as = operation, seen_as
        self._lookup, self._authorizer = lookup, authorizer

    def __missing__(self, name: str) -> Any:
        make = self._MAKE.get(name)
        if make is None:
            raise KeyError(name)
        self[name] = found = make(self)
        return found

    def with_params(self, params: Json | None) -> Values:
        """The same write, seen with other parameters."""
        other = Values(self._operation, self._seen_as, self._lookup, self._authorizer)
        other.update({k: v for k, v in self.items() if k != "variables"})
        other["params"] = params
        return other

    def _object(self) -> Any:
        return self._shown(self._operation.object)

    def _old(self) -> Any:
        old = self._operation.old
        return self._shown(old.data if old is not None else None)

    def _shown(self, data: Json | None) -> Any:
        old = self._operation.old
        return shown(self._operation, self._seen_as, data, old.revision if old else 0)

    def _request(self) -> Json:
        return request_of(self._operation, self._seen_as)

    def _namespace(self) -> Any:
        attributes = self._operation.attributes
        resource = attributes.resource
        if not attributes.namespace or (resource is not None and resource.key == "namespaces"):
            return None
        found = self._lookup.get("namespaces", "", attributes.namespace)
        if found is None:
            return None
        data = found.data
        metadata = {k: v for k, v in data["metadata"].items() if k in _NAMESPACE_FIELDS}
        return {"metadata": metadata, **{k: data[k] for k in ("spec", "status") if k in data}}

    def _asking(self) -> Asking:
        user = self._operation.attributes.user
        return Asking(lambda question: decide(self._authorizer, user, question))

    def _own_resource(self) -> ResourceCheck:
        attributes = self._operation.attributes
        question = Question(
            group=attributes.group,
            resource=attributes.plural,
            subresource=attributes.subresource,
            namespace=attributes.namespace,
            name=request_name(self._operation),
        )
        return ResourceCheck(self["authorizer"].decide, question)

    _MAKE: dict[str, Callable[[Values], Any]] = {  # noqa: RUF012
        "object": _object,
        "oldObject": _old,
        "request": _request,
        "namespaceObject": _namespace,
        "authorizer": _asking,
        "authorizer.requestResource": _own_resource,
    }


def request_of(operation: Operation, seen_as: Resource) -> Json:
    """AdmissionRequest without its objects."""
    attributes = operation.attributes
    resource = attributes.resource
    assert resource is not None
    part = attributes.subresource
    own, asked = body_kind(seen_as, part), body_kind(resource, part)
    return {
        "kind": dict(zip(("group", "version", "kind"), own, strict=True)),
        "resource": _resource(seen_as),
        "subResource": part,
        "requestKind": dict(zip(("group", "version", "kind"), asked, strict=True)),
        "requestResource": _resource(resource),
        "requestSubResource": part,
        "name": request_name(operation),
        "namespace": attributes.namespace,
        "operation": operation.kind,
        "userInfo": {"groups": [], "extra": {}, **user_info(attributes.user)},
        "dryRun": operation.dry_run,
        "options": dict(operation.options),
    }


def _resource(resource: Resource) -> Json:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def decide(authorizer: Authorizer, user: User, question: Question) -> Decision:
    if question.account is not None:
        user = account_user(*question.account)
    if question.path:
        attributes = Attributes(user, question.verb, path=question.path)
    else:
        attributes = Attributes(
            user,
            question.verb,
            _resource_named(question.group, question.resource),
            question.subresource,
            question.namespace,
            question.name,
        )
    refused = authorizer.authorize(attributes)
    return Decision(refused is None, refused or "")


def account_user(namespace: str, name: str) -> User:
    groups = (
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    )
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


def _resource_named(group: str, plural: str) -> Resource:
    """Permission is asked by name: whether there is such a resource does not matter."""
    found = scheme.RESOURCES.get(f"{plural}.{group}" if group else plural)
    return found or Resource(group, "*", plural, plural, True)


class Variables(dict[str, Any]):
    """`variables`: each is evaluated when it is first read, and once."""

    def __init__(
        self, programs: Sequence[tuple[str, Program]], values: Values, budget: Budget
    ) -> None:
        super().__init__()
        self._programs, self._values, self._budget = dict(programs), values, budget
        self._wrong: dict[str, str] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._programs

    def __missing__(self, name: str) -> Any:
        program = self._programs.get(name)
        if program is None:
            raise KeyError(name)
        if name not in self._wrong:
            try:
                self[name] = found = program.evaluate(self._values, self._budget)
            except CostExceeded:
                raise
            except CelEvalError as error:
                self._wrong[name] = str(error)
            else:
                return found
        raise CelEvalError(f'composited variable "{name}" fails to evaluate: {self._wrong[name]}')


class OutOfBudget(Exception):
    """The expressions of one policy and binding cost too much together."""


def evaluate(program: Program, values: Values, budget: Budget) -> Any:
    """The value; CelEvalError says which expression has none, OutOfBudget that all are at end."""
    try:
        return program.evaluate(values, budget)
    except CostExceeded as error:
        if budget.left <= 0:
            raise OutOfBudget(OUT_OF_BUDGET) from None
        raise CelEvalError(f"expression '{program.text}' resulted in error: {error}") from None
    except CelEvalError as error:
        raise CelEvalError(f"expression '{program.text}' resulted in error: {error}") from None


Results = list[bool | str]


def evaluate_all(programs: Sequence[Program | CelError], values: Values) -> Results:
    """What each match condition says; a text is why it says nothing."""
    budget = Budget(MATCH_CONDITIONS_BUDGET)
    results: Results = []
    for program in programs:
        if isinstance(program, CelError):
            results.append(str(program))
            continue
        try:
            results.append(evaluate(program, values, budget) is True)
        except (CelEvalError, OutOfBudget) as error:
            results.append(str(error))
    return results


class MatchConditions:
    """Those of webhooks, compiled when they are first asked."""

    def __init__(self, lookup: Lookup, authorizer: Authorizer) -> None:
        self._lookup, self._authorizer = lookup, authorizer
        self._compiled = lru_cache(maxsize=CONDITIONS_MAX)(_compiled)

    def __call__(
        self, conditions: Sequence[tuple[str, str]], operation: Operation, seen_as: Resource
    ) -> Results:
        values = Values(operation, seen_as, self._lookup, self._authorizer)
        return evaluate_all([self._compiled(text) for _, text in conditions], values)


def _compiled(text: str) -> Program | CelError:
    from busk8s.api.cel import admission

    try:
        return admission.condition(text, admission.of_webhooks())
    except CelError as error:
        return error
