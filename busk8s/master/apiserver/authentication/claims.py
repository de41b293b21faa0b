"""What a token's claims make of its user: by name, with prefixes, or by CEL expressions.

Owns      the mapping of claims to username, groups, uid and extra; the rules claims must pass.
Leaves    whether the token is good (issued), CEL itself (api/cel).
Source    Kubernetes reference, "Authenticating", OpenID Connect tokens and structured
          authentication configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from busk8s.api.cel.errors import CelEvalError, CostExceeded
from busk8s.api.cel.program import Budget, Program
from busk8s.api.object import Json
from busk8s.api.request import User
from busk8s.master.apiserver.authentication.credentials import Rejected

VALUES_MAX = 1_000  # Groups, or values of one extra key.


@dataclass(frozen=True, slots=True)
class Mapped:
    """A claim with a prefix, or an expression over `claims`."""

    claim: str = ""
    prefix: str = ""
    expression: Program | None = None

    def find(self, claims: Json, budget: Budget) -> Any:
        if self.expression is None:
            return claims.get(self.claim)
        return _evaluate(self.expression, {"claims": claims}, budget)


@dataclass(frozen=True, slots=True)
class Rule:
    """A claim that must have a value, or an expression that must be true."""

    claim: str = ""
    value: str = ""
    expression: Program | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    username: Mapped
    groups: Mapped | None = None
    uid: Mapped | None = None
    extra: tuple[tuple[str, Program], ...] = ()
    rules: tuple[Rule, ...] = ()
    user_rules: tuple[Rule, ...] = ()

    def user(self, claims: Json) -> User:
        """Raises Rejected for claims that make none."""
        budget = Budget()
        self._check(claims, budget)
        uid = self.uid.find(claims, budget) if self.uid is not None else ""
        if not isinstance(uid, str):
            raise Rejected("oidc: the uid is not a string")
        extra = {key: _strings(_evaluate(program, {"claims": claims}, budget), "an extra value")
                 for key, program in self.extra}  # fmt: skip
        extra = {key: values for key, values in extra.items() if values}
        user = User(self._name(claims, budget), self._groups(claims, budget), uid, extra)
        self._check_user(user, budget)
        return user

    def _name(self, claims: Json, budget: Budget) -> str:
        found = self.username.find(claims, budget)
        if not isinstance(found, str) or not found:
            raise Rejected(f"oidc: parse username claims {self.username.claim!r}: not a name")
        if self.username.claim == "email" and claims.get("email_verified", True) is not True:
            raise Rejected("oidc: email not verified")
        return self.username.prefix + found

    def _groups(self, claims: Json, budget: Budget) -> tuple[str, ...]:
        if self.groups is None:
            return ()
        found = self.groups.find(claims, budget)
        if found is None:
            return ()
        return tuple(self.groups.prefix + name for name in _strings(found, "groups"))

    def _check(self, claims: Json, budget: Budget) -> None:
        for rule in self.rules:
            if rule.expression is not None:
                if _evaluate(rule.expression, {"claims": claims}, budget) is not True:
                    raise Rejected(f"oidc: {rule.message or 'a claim validation rule failed'}")
            elif claims.get(rule.claim) != rule.value:
                what = f"required claim {rule.claim} value does not match"
                raise Rejected(f"oidc: {what}. Got = {claims.get(rule.claim)!s:.100}")

    def _check_user(self, user: User, budget: Budget) -> None:
        values = {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(value) for key, value in user.extra.items()},
        }
        for rule in self.user_rules:
            assert rule.expression is not None
            if _evaluate(rule.expression, {"user": values}, budget) is not True:
                raise Rejected(f"oidc: {rule.message or 'a user validation rule failed'}")


def _evaluate(program: Program, values: Mapping[str, Any], budget: Budget) -> Any:
    try:
        return program.evaluate(values, budget)
    except (CelEvalError, CostExceeded) as error:
        raise Rejected(f"oidc: error evaluating {program.text!r}: {error}") from None


def _strings(found: Any, what: str) -> tuple[str, ...]:
    """A string or a list of them, as issuers differ."""
    if found is None or found == "":
        return ()
    values = [found] if isinstance(found, str) else found
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        raise Rejected(f"oidc: {what} must be a string or a list of strings")
    return tuple(value for value in values if value)[:VALUES_MAX]
