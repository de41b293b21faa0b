"""Members that an object of a built-in kind always has, though nobody gave them.

Owns      which members these are, by model: upstream encodes a struct that is held by value, and
          a list that has to be there, whether or not they hold anything.
Leaves    what follows for ownership (layout, compare).
Source    types/wire.json: whether a member is a pointer, and whether it is left out when empty.
Invariant the table the facts are read from is not kept; what is kept is a few kilobytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic import BaseModel

from busk8s.api.wire.messages import SCALARS, Field, fields_in, read_table

# Structs of Go whose zero is a value; whoever means it writes it out.
_VALUES = frozenset(
    {"resource.Quantity", "intstr.IntOrString", "runtime.RawExtension", "apiextensions.v1.JSON"}
)
_LEFT_OUT = ("meta.v1.ObjectMeta", "creationTimestamp")  # The only struct with `omitzero`.


def always(model: type[BaseModel]) -> frozenset[str]:
    """JSON names of the members of `model` that are always there."""
    module = model.__module__.rpartition(".")[2]
    package, _, version = module.rpartition("_")
    return _always().get(f"{package}.{version}.{model.__name__}", frozenset())


@cache
def _always() -> Mapping[str, frozenset[str]]:
    table = read_table()
    found: dict[str, frozenset[str]] = {}
    for package, messages in table.items():
        for message in messages:
            name = f"{package}.{message}"
            if members := frozenset(_members(name, table)):
                found[name] = members
    return found


def _members(name: str, table: Mapping[str, Mapping[str, list[str]]]) -> list[str]:
    members: list[str] = []
    for field in fields_in(name, table):
        if field.inline:
            members += _members(field.type, table)
        elif _is_kept(field) and (name, field.name) != _LEFT_OUT:
            members.append(field.name)
    return members


def _is_kept(field: Field) -> bool:
    if field.label != "1":
        return not field.omitted_when_empty
    return not (field.pointer or field.type in SCALARS or field.type in _VALUES)
