"""The schema of one version of a custom resource, ready for use.

Owns      `compile_schema` and what a Structural answers: prune, default, validate, layout, OpenAPI.
Leaves    the walks themselves (beside this), metadata and type of the object, the definition
          (definition), storage and requests (the API server).
Invariant pure; a Structural is shared by all requests. Old and new objects are never changed by
          validation. Memory follows use: a kind nobody writes costs its schema's text alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from busk8s.api.apply.layout import Layout
from busk8s.api.custom import defaulting, prune
from busk8s.api.custom.correlation import Correlated
from busk8s.api.custom.embedded import embedded_failures, prune_metadata
from busk8s.api.custom.findings import placed
from busk8s.api.custom.lists import list_failures
from busk8s.api.custom.node import Node, has_rules, measure, says
from busk8s.api.custom.owned import root_layout
from busk8s.api.custom.publish import published_v2, published_v3
from busk8s.api.custom.values import explain, fits
from busk8s.errors import Cause

if TYPE_CHECKING:
    from busk8s.api.custom.celrules import RuleTree

Json = dict[str, Any]

# While one of these stands, rules would only fall over what is already named.
_BLOCKING = frozenset((
    "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany",
    "FieldValueTypeInvalid",
))  # fmt: skip
_UNCHECKED = Cause(
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
    "<nil>",
)
_ANY: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def compile_schema(schema: Json | None, *, preserve_unknown: bool = False) -> Structural:
    """`schema` is a version's `openAPIV3Schema`; it is kept, and must not change afterwards.

    Raises SchemaTooBig beyond the bounds of `node`; whether the schema is legal is `definition`'s.
    """
    schema = _ANY if schema is None else schema
    measure(schema)
    return Structural(schema, preserve_unknown=preserve_unknown)


class Structural:
    def __init__(self, schema: Json, *, preserve_unknown: bool) -> None:
        self.schema = schema
        self.preserve_unknown = preserve_unknown

    @cached_property
    def root(self) -> Node:
        return Node(self.schema, embedded=True)

    def prune(self, obj: Json) -> list[str]:
        """Drops, in place, what the schema does not know and nulls it does not allow.

        Answers the paths of the unknown fields, sorted. The object's own metadata is the decoder's.
        """
        dropped: list[str] = []
        if not self.preserve_unknown:
            dropped = prune.prune(obj, self.root)
            self._each_field(obj, defaulting.drop_nulls)
        return dropped + prune_metadata(obj, self.root) if self._embeds else dropped

    def apply_defaults(self, obj: Json) -> None:
        """In place; on what clients send and on what the store holds alike."""
        self._each_field(obj, defaulting.drop_nulls)
        defaulting.apply_defaults(obj, self.root)

    def validate(
        self, new: Json, old: Json | None = None, *, earlier: Sequence[Cause] = ()
    ) -> list[Cause]:
        """What is wrong with a whole object. `earlier`: what others found; it may block rules."""
        causes: list[Cause] = []
        if not fits(self.root, new):
            before = Correlated(new, old, self.root) if old is not None else None
            causes += [placed(each, "") for each in explain(self.root, new, "", before).causes]
        if self._embeds:
            causes += embedded_failures(new, self.root)
        causes += self._lists(new, old)
        return self._with_rules(new, old, causes, earlier)

    def validate_status(
        self, new: Json, old: Json, *, earlier: Sequence[Cause] = ()
    ) -> list[Cause]:
        """A write through the status subresource: values are checked below `status` alone."""
        causes: list[Cause] = []
        node = self.root.properties.get("status")
        if node is not None and "status" in new and not fits(node, new["status"]):
            before = Correlated(new, old, self.root).key("status")
            found = explain(node, new["status"], "", before).causes
            causes += [placed(each, "status") for each in found]
        causes += self._lists(new, old)
        return self._with_rules(new, old, causes, earlier)

    @cached_property
    def layout(self) -> Layout:
        return root_layout(self.root)

    def published(self, *, v2: bool = False) -> Json:
        return published_v2(self.schema) if v2 else published_v3(self.schema)

    def _lists(self, new: Json, old: Json | None) -> list[Cause]:
        if not self._names_items:
            return []
        found = list_failures(new, self.root, "")
        if found and old is not None and list_failures(old, self.root, ""):
            return []  # it was so before: what is wrong may stay
        return found

    def _with_rules(
        self, new: Json, old: Json | None, causes: list[Cause], earlier: Sequence[Cause]
    ) -> list[Cause]:
        tree = self._rules
        if tree is None:
            return causes
        if any(cause.reason in _BLOCKING for cause in (*earlier, *causes)):
            return [*causes, _UNCHECKED]
        from busk8s.api.custom.celrules import check_rules

        was = Correlated(new, old, self.root) if old is not None else None
        return causes + check_rules(tree, new, was, "")

    @cached_property
    def _embeds(self) -> bool:
        return says(self.schema, "x-kubernetes-embedded-resource")

    @cached_property
    def _names_items(self) -> bool:
        return says(self.schema, "x-kubernetes-list-type")

    @cached_property
    def _rules(self) -> RuleTree | None:
        from busk8s.api.custom.celrules import RuleTree  # CEL is heavy: only for rules

        return RuleTree(self.root, root=True) if has_rules(self.schema) else None

    def _each_field(self, obj: Json, walk: Any) -> None:
        """Walks below the root's fields; `metadata` and its like are the API server's own."""
        node = self.root
        for key in list(obj):
            child = node.under(key)
            if key in prune.META_FIELDS or child is None:
                continue
            if obj[key] is None:
                if not child.nullable and not child.has_default:
                    del obj[key]
            else:
                walk(obj[key], child)
