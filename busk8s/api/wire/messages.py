"""The messages of built-in kinds, as the protobuf runtime knows them.

Owns      the fields of each message (types/wire.json, generated), their descriptors and classes.
Leaves    JSON (reading, writing), the envelope (api.protobuf), the wire itself (the runtime).
Invariant nothing of the runtime is loaded before the first message class is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import orjson

# Numbers of descriptor.proto.
SCALARS = {"string": 9, "bytes": 12, "bool": 8, "int32": 5, "int64": 3, "double": 1}
# Kinds that every version has, whatever apiVersion they bear.
_META_KINDS = frozenset(
    [
        "DeleteOptions",
        "Status",
        "ListOptions",
        "WatchEvent",
        "PatchOptions",
        "APIVersions",
        "APIGroupList",
        "APIGroup",
        "APIResourceList",
    ]
)
_NO_NAME = re.compile(r"\W")
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3
_LONG_GROUPS = ("rbac.authorization.k8s.io", "flowcontrol.apiserver.k8s.io")


@cache
def message_name(api_version: str, kind: str) -> str | None:
    """`core.v1.Pod` for ("v1", "Pod"); None where there is no such message."""
    group, _, version = api_version.rpartition("/")
    if kind in _META_KINDS:
        package = "meta.v1"
    else:
        short = group.partition(".")[0]
        if "." in group and group != f"{short}.k8s.io" and group not in _LONG_GROUPS:
            return None  # A custom group may share its first label with one of ours.
        package = f"{short or 'core'}.{version}"
    return f"{package}.{kind}" if kind in table().get(package, {}) else None


@dataclass(frozen=True, slots=True)
class Field:
    """`label` is 1, n (list) or m (map by string); `pointer`: Go tells zero from absent;
    `inline`: JSON has the message's fields where the message would be."""

    name: str
    number: int
    label: str
    type: str
    pointer: bool
    omitted_when_empty: bool
    inline: bool

    @property
    def attribute(self) -> str:
        """The name as the runtime takes it: `$ref` and `x-kubernetes-…` are none there."""
        return _NO_NAME.sub("_", self.name)


@cache
def fields_of(name: str) -> tuple[Field, ...]:
    return fields_in(name, table())


def fields_in(name: str, table: Mapping[str, Mapping[str, list[str]]]) -> tuple[Field, ...]:
    package, _, message = name.rpartition(".")
    return tuple(_field(text) for text in table[package][message])


def _field(text: str) -> Field:
    name, number, label, kind, flags = (*text.split(" "), "")[:5]
    return Field(name, int(number), label, kind, "p" in flags, "o" in flags, "i" in flags)


def is_text_list(name: str) -> bool:
    """ExtraValue, Verbs: messages whose JSON is a list of strings."""
    found = [(field.name, field.label, field.type) for field in fields_of(name)]
    return found == [("items", "n", "string")]


@cache
def table() -> Mapping[str, Mapping[str, list[str]]]:
    return read_table()


def read_table() -> Mapping[str, Mapping[str, list[str]]]:
    """The table as it is in the file, for who needs it once."""
    source = resources.files("busk8s.api.types").joinpath("wire.json")
    table: dict[str, dict[str, list[str]]] = orjson.loads(source.read_bytes())
    return table


# Messages on the wire as those they are named after, with parts that are encoded already.
_FRAMES = {
    "frame.List": {1: ("metadata", _OPTIONAL), 2: ("items", _REPEATED)},
    "frame.WatchEvent": {1: ("type", _OPTIONAL), 2: ("object", _OPTIONAL)},
}


@cache
def _pool() -> Any:
    """Every message as the protobuf runtime wants it; built at the first use of protobuf."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool

    file = FileDescriptorProto(name="kubernetes.proto", package="k", syntax="proto2")
    for package, messages in table().items():
        for message in messages:
            name = f"{package}.{message}"
            described = file.message_type.add(name=_flat(name))
            for field in fields_of(name):
                _describe(described, field)
    for name, numbers in _FRAMES.items():
        described = file.message_type.add(name=_flat(name))
        for number, (field_name, label) in numbers.items():
            described.field.add(name=field_name, number=number, label=label, type=SCALARS["bytes"])
    pool = DescriptorPool()
    pool.Add(file)
    return pool


def _describe(message: Any, field: Field) -> None:
    label = _OPTIONAL if field.label == "1" else _REPEATED
    described = message.field.add(name=field.attribute, number=field.number, label=label)
    target = described
    if field.label == "m":
        entry = message.nested_type.add(name=f"{field.name[0].upper()}{field.name[1:]}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=_OPTIONAL, type=SCALARS["string"])
        target = entry.field.add(name="value", number=2, label=_OPTIONAL)
        described.type = _MESSAGE
        described.type_name = f".k.{message.name}.{entry.name}"
    if field.type in SCALARS:
        target.type = SCALARS[field.type]
    else:
        target.type, target.type_name = _MESSAGE, f".k.{_flat(field.type)}"


def _flat(name: str) -> str:
    return name.replace(".", "_")


@cache
def message_class(name: str) -> Any:
    from google.protobuf.message_factory import GetMessageClass

    return GetMessageClass(_pool().FindMessageTypeByName(f"k.{_flat(name)}"))
