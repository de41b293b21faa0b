"""YAML request bodies as the JSON they stand for.

Owns      the YAML subset that has a JSON meaning: string keys, no timestamps, bounded aliases.
Leaves    what the document means (decode).
Source    sigs.k8s.io/yaml: YAML is turned to JSON first, then decoded as JSON.
"""

from __future__ import annotations

import base64
import math
import re
from typing import Any

import yaml

# Aliases and merges can make a small text stand for an enormous document; this is enough.
NODES_MAX = 250_000
# libyaml builds a document by recursion in C, which no RecursionError stops, and takes time by the
# square of the depth. Deeper than any kind (decode.DEPTH_MAX), much less than its stack.
NESTING_MAX = 1_000
# At least so many columns before the first word of a line: block collections may nest that deep.
_DEEP_BLOCK = re.compile(rb"(?:^|[\r\n])[ \t\0?-]{%d}" % NESTING_MAX)


class YamlError(ValueError):
    """The text is no YAML, or has no JSON meaning."""


# PyYAML's constructors trust a tag: `!!int ""` is an IndexError, `!!bool x` a KeyError.
_NO_YAML = (
    yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
    RecursionError,
)  # fmt: skip


class _Loader(yaml.CSafeLoader):
    """Without timestamps (JSON has none), and remembering the keys that were given twice."""

    duplicates: list[str]
    merged = 0

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    where = f"line {key_node.start_mark.line + 1}"
                    self.duplicates.append(f'{where}: key "{key_node.value}" already set in map')
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: Any) -> None:
        """Called once for each place a mapping is merged into, before it is copied there."""
        super().flatten_mapping(node)
        self.merged += len(node.value)
        if self.merged > NODES_MAX:
            raise YamlError("document contains excessive merging")


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
# A lone `=` is a value of its own type to PyYAML, and a string to everybody else.
_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: str(node.value))


def parse(body: bytes, duplicates: list[str]) -> Any:
    """The first document of `body`. Keys given twice are named in `duplicates`."""
    loader = None
    try:
        _check_nesting(body)
        loader = _Loader(body)
        loader.duplicates = duplicates
        return _Json().of(loader.get_single_data())
    except YamlError:
        raise
    except _NO_YAML as error:
        raise YamlError(" ".join(str(error).split()) or "nested too deep") from None
    finally:
        if loader is not None:
            loader.dispose()


def _check_nesting(body: bytes) -> None:
    """Looks at each event, where the text alone does not rule deep nesting out."""
    if body.count(b"[") + body.count(b"{") < NESTING_MAX and not _DEEP_BLOCK.search(body):
        return
    depth = 0
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > NESTING_MAX:
                raise YamlError("nested too deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Json:
    """Copies a YAML value into plain JSON, counting what it makes."""

    def __init__(self) -> None:
        self._nodes = 0

    def of(self, value: Any) -> Any:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise YamlError("document contains excessive aliasing")
        if isinstance(value, dict):
            return {_key(key): self.of(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.of(inner) for inner in value]
        if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        if isinstance(value, float) and not math.isfinite(value):
            raise YamlError(f"cannot be expressed in JSON: {value}")
        if value is None or isinstance(value, str | int | float | bool):
            return value
        raise YamlError(f"cannot be expressed in JSON: {type(value).__name__}")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise YamlError(f"unsupported map key: {key}")
