"""A value of the wrong type, in the words of the two ways a Go server makes objects of documents.

Owns      the message of its JSON decoder (bodies, JSON and merge patches) and that of its
          converter (strategic merge patches).
Leaves    finding the value (fieldcheck), saying where it stood in a refusal (decode, apiserver).
Source    encoding/json UnmarshalTypeError; apimachinery runtime DefaultUnstructuredConverter.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel

from busk8s.api.wire import messages

_GO_KINDS = {str: "string", int: "int32", bool: "bool", float: "float64"}
_CONVERTED = ((bool, "bool"), (str, "string"), (int, "int64"), (float, "float64"), (list, "slice"))
_JSON_KINDS = ((bool, "bool"), (str, "string"), (dict, "object"), (list, "array"))


class TypeMismatch(ValueError):
    """A value of the wrong type, as the decoder says it; `converting`: as the converter does."""

    def __init__(
        self, owner: type[BaseModel], fields: list[str], annotation: Any, value: Any
    ) -> None:
        kind = _go_kind(owner, fields[-1] if fields else "", annotation)
        decoding = (
            f"json: cannot unmarshal {json_kind(value)} into Go struct field "
            f"{owner.__name__}.{'.'.join(fields)} of type {kind}"
        )
        super().__init__(decoding)
        self.converting = _converting(kind, annotation, value) or decoding


def core_of(annotation: Any) -> Any:
    """Without `Annotated` and `| None`."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
            continue
        arms = [arg for arg in get_args(annotation) if arg is not type(None)]
        if get_origin(annotation) not in (list, dict) and len(arms) == 1:
            annotation = arms[0]
            continue
        return annotation


def _converting(kind: str, annotation: Any, value: Any) -> str:
    """Empty for types that read JSON themselves: quantities, times, numbers or texts."""
    core = core_of(annotation)
    origin = get_origin(core) or core
    source = next((name for of, name in _CONVERTED if isinstance(value, of)), "map")
    if origin is list:
        return f"cannot restore slice from {source}"
    if origin is dict:
        return f"cannot restore map from {source}"
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        return f"cannot restore struct from: {source}"
    if core not in _GO_KINDS:
        return ""
    # Go converts numbers to text, and fractions to whole numbers: it says that this is not done.
    if (source, core) in (("int64", str), ("float64", int)):
        return f"cannot convert {source} to {kind}"
    return f"unrecognized type: {kind}"


def json_kind(value: Any) -> str:
    for of, name in _JSON_KINDS:
        if isinstance(value, of):
            return name
    return "null" if value is None else "number"


def _go_kind(owner: type[BaseModel], field: str, annotation: Any) -> str:
    core = core_of(annotation)
    origin = get_origin(core)
    if origin is list:
        return "[]" + _go_kind(owner, field, get_args(core)[0])
    if origin is dict:
        return "map[string]" + _go_kind(owner, field, get_args(core)[1])
    if core is int and _is_long(owner, field):
        return "int64"
    if core in _GO_KINDS:
        return _GO_KINDS[core]
    if isinstance(core, type) and issubclass(core, BaseModel):
        version = core.__module__.rpartition("_")[2]
        return f"{version}.{core.__name__}"
    return "intstr.IntOrString"


def _is_long(owner: type[BaseModel], field: str) -> bool:
    """Whether the field is an int64; the wire format tells, the models do not."""
    group, _, version = owner.__module__.rpartition(".")[2].rpartition("_")
    name = f"{group}.{version}.{owner.__name__}"
    if owner.__name__ not in messages.table().get(f"{group}.{version}", {}):
        return False
    return any(f.name == field and f.type == "int64" for f in messages.fields_of(name))
