"""Selectors of devices: what they may name, and what they may cost.

Leaves    picking devices by them: nothing here does yet.
Source    Kubernetes API reference, CELDeviceSelector; the sizes are those of its types.
"""

from __future__ import annotations

from busk8s.api.cel import types
from busk8s.api.cel.errors import CelTypeError
from busk8s.api.cel.program import Program, compile
from busk8s.api.cel.types import CelType, object_of

COST_MAX = 1_000_000
_ATTRIBUTES_MAX = 32
_DOMAIN = CelType("string", size_max=63)
_IDENTIFIER = CelType("string", size_max=32)


def _by_name(value: CelType) -> CelType:
    inner = CelType("map", (_IDENTIFIER, value), size_max=_ATTRIBUTES_MAX)
    return CelType("map", (_DOMAIN, inner), size_max=_ATTRIBUTES_MAX)


_DEVICE = object_of(
    {
        "driver": CelType("string", size_max=63),
        "allowMultipleAllocations": CelType("bool", size_max=1),
        "attributes": _by_name(CelType("dyn", size_max=64)),
        "capacity": _by_name(types.opaque("kubernetes.Quantity")),
    },
    "kubernetes.DRADevice",
)
_DECLARED = {"device": _DEVICE}


def selector(text: str) -> Program:
    """Raises CelError; an attribute may itself be the answer, so its type is let pass."""
    program = compile(text, _DECLARED, bindings=True)
    if program.result.kind not in ("bool", "dyn"):
        detail = f"must evaluate to bool or the unknown type, not {program.result}"
        raise CelTypeError(detail)
    return program
