"""One place of a custom schema, read once and shared by everything that walks documents.

Owns      Node: the structural facts (type, children, defaults, lists, extensions) as attributes,
          and the bounds on depth and size.
Leaves    what is done with a document (prune, defaulting, values, lists, embedded beside this),
          whether the schema is a legal one (schemarules).
Invariant children are read when they are first asked for, so memory follows use; a Node never
          changes what it answers.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# Differs from Kubernetes: which bounds a schema by the size of a request alone.
# Deeper documents than this are refused by the decoder; deeper schemas by `measure`.
DEPTH_MAX = 100
NODES_MAX = 30_000

NO_NODES: dict[str, Node] = {}
_LAZY = frozenset(("properties", "additional", "items", "junctors"))
_LIMITS = (
    "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "multipleOf", "minItems",
    "maxItems", "minProperties", "maxProperties", "uniqueItems",
)  # fmt: skip
RULES = "x-kubernetes-validations"
JUNCTORS = ("allOf", "anyOf", "oneOf", "not")


class SchemaTooBig(ValueError):
    """A schema beyond the bounds; the message says which."""


class Node:
    """`additional`: a Node, True (anything), False (nothing else) or None (not said)."""

    __slots__ = (
        "additional", "default", "embedded", "enum", "has_default", "int_or_string", "items",
        "junctors", "list_keys", "list_type", "map_type", "nullable", "plain", "preserve",
        "properties", "required", "schema", "types",
    )  # fmt: skip

    properties: dict[str, Node]
    additional: Node | bool | None
    items: Node | None
    junctors: dict[str, tuple[Node, ...]]

    def __init__(self, schema: Json, *, embedded: bool = False) -> None:
        get = schema.get
        self.schema = schema
        self.int_or_string = bool(get("x-kubernetes-int-or-string"))
        named = get("type")
        self.types: tuple[str, ...] = (str(named),) if named else ()
        if self.int_or_string:
            self.types = ("integer", "string")
        self.nullable = bool(get("nullable"))
        self.preserve = bool(get("x-kubernetes-preserve-unknown-fields"))
        self.embedded = embedded or bool(get("x-kubernetes-embedded-resource"))
        self.default = get("default")
        self.has_default = self.default is not None
        self.list_type = str(get("x-kubernetes-list-type") or "")
        self.list_keys = tuple(get("x-kubernetes-list-map-keys") or ())
        self.map_type = str(get("x-kubernetes-map-type") or "")
        self.required = tuple(get("required") or ())
        self.enum = tuple(get("enum") or ())
        # Nothing but type, children and required to look at: most nodes of real schemas.
        self.plain = not self.enum and not any(name in schema for name in _LIMITS + JUNCTORS)

    def __getattr__(self, name: str) -> Any:
        # Only reached while the slot is empty: the children are read here, once.
        if name not in _LAZY:
            raise AttributeError(name)
        self._open()
        return object.__getattribute__(self, name)

    def _open(self) -> None:
        schema = self.schema
        properties = schema.get("properties")
        self.properties = (
            {name: Node(each) for name, each in properties.items()} if properties else NO_NODES
        )
        additional = schema.get("additionalProperties")
        self.additional = Node(additional) if isinstance(additional, dict) else additional
        items = schema.get("items")
        self.items = Node(items) if isinstance(items, dict) else None
        self.junctors = {
            name: tuple(Node(each) for each in ([found] if name == "not" else found))
            for name in JUNCTORS
            if (found := schema.get(name))
        }

    def under(self, key: str) -> Node | None:
        """The schema of a field of an object; None: nothing is said of it."""
        found = self.properties.get(key)
        if found is None and isinstance(self.additional, Node):
            return self.additional
        return found


def measure(schema: Any) -> None:
    """Raises SchemaTooBig for a schema that is too deep or too large, or contains itself."""
    count = 0
    pending: list[tuple[Any, int]] = [(schema, 0)]
    while pending:
        here, depth = pending.pop()
        count += 1
        if depth > DEPTH_MAX:
            raise SchemaTooBig(f"the schema is nested deeper than {DEPTH_MAX} levels")
        if count > NODES_MAX:
            raise SchemaTooBig(f"the schema has more than {NODES_MAX} nodes")
        pending += [(each, depth + 1) for each in inner_schemas(here)]


def inner_schemas(schema: Any) -> list[Any]:
    """The schemas directly inside a schema, whatever they stand under."""
    if not isinstance(schema, dict):
        return []
    found: list[Any] = []
    for name in ("properties", "patternProperties", "definitions"):
        if isinstance(named := schema.get(name), dict):
            found += named.values()
    for name in ("items", "additionalProperties", "additionalItems", "not"):
        if isinstance(each := schema.get(name), dict):
            found.append(each)
    for name in ("allOf", "anyOf", "oneOf"):
        if isinstance(many := schema.get(name), list):
            found += many
    return found


def has_rules(schema: Json) -> bool:
    """Whether there are rules at or below this place. Junctors have none: that is structural."""
    return says(schema, RULES)


def says(schema: Json, keyword: str) -> bool:
    """Whether this place or one below it, junctors aside, has the keyword."""
    pending: list[Any] = [schema]
    while pending:
        here = pending.pop()
        if here.get(keyword):
            return True
        pending += (here.get("properties") or {}).values()
        pending += [
            each
            for each in (here.get("items"), here.get("additionalProperties"))
            if isinstance(each, dict)
        ]
    return False
