"""Expressions of a ValidatingAdmissionPolicy, checked against the kinds its rules name.

Owns      which expressions are checked, the variables' types, the warnings as the status has them.
Leaves    the kinds' schemas (openapi), which kinds (the API server), the checker (check).
Invariant a warning changes nothing: what is written here is for people.
Source    upstream's type checking of policies.
Differs from Kubernetes: quantities, and `authorizer.requestResource`, are known here. There a
policy about `resources.limits`, or that asks for the resource of the request, is warned of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from busk8s.api.cel import admission, types
from busk8s.api.cel.check import check
from busk8s.api.cel.errors import CelError
from busk8s.api.cel.tree import parse
from busk8s.api.cel.types import CelType

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """A kind that a policy is about: as messages name it, and the type of its objects."""

    name: str
    type: CelType


def type_of(schema: Mapping[str, Any]) -> CelType:
    """The type of objects with this (whole) schema."""
    return types.of_schema(schema) or types.DYN


def warnings(spec: Json, kinds: Sequence[Checked], params: CelType | None) -> Iterator[Json | None]:
    """One answer an expression: an entry of `expressionWarnings`, or None where all is well.

    `params` None: their kind is not known.
    """
    declared = [(kind.name, _declared(spec, kind.type, params)) for kind in kinds]
    for index, one in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            text = one.get(field)
            if text or field == "expression":
                yield _warning(f"spec.validations[{index}].{field}", text or "", declared)


def _declared(spec: Json, of: CelType, params: CelType | None) -> Mapping[str, CelType]:
    given = admission.declared(params=spec.get("paramKind") is not None)
    given |= {"object": of, "oldObject": of}
    if "params" in given and params is not None:
        given["params"] = params
    return admission.composed(spec.get("variables") or [], given)[1]


def _warning(
    path: str, text: str, declared: Sequence[tuple[str, Mapping[str, CelType]]]
) -> Json | None:
    found = []
    for kind, variables in declared:
        try:
            check(text, parse(text), variables, None)
        except RecursionError:
            found.append(f"{kind}: the expression is nested too deep\n")
        except CelError as error:
            found.append(f"{kind}: {error}\n")
    return {"fieldRef": path, "warning": "\n".join(found)} if found else None
