"""Whether the defaults of a schema are values that the schema itself accepts.

Owns      defaults: nothing in them is unknown, and they are valid, rules in CEL included.
Leaves    where defaults may stand (schemarules).
Source    upstream's schema/defaulting/validation.go.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from busk8s.api.custom.embedded import embedded_failures, prune_metadata
from busk8s.api.custom.findings import placed
from busk8s.api.custom.node import Node, has_rules
from busk8s.api.custom.prune import prune
from busk8s.api.custom.values import explain
from busk8s.api.rules.cause import invalid
from busk8s.errors import Cause

Json = dict[str, Any]


def default_failures(schema: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    _walk(Node(schema), path, causes)
    return causes


def _walk(node: Node, path: str, causes: list[Cause]) -> None:
    if node.has_default:
        causes += _failures(node, f"{path}.default")
    # Below additionalProperties defaults are never taken, so upstream does not look there.
    if node.items is not None:
        _walk(node.items, f"{path}.items", causes)
    for name, inner in node.properties.items():
        _walk(inner, f"{path}.properties[{name}]", causes)


def _failures(node: Node, path: str) -> list[Cause]:
    value = deepcopy(node.default)
    unknown = prune(value, node) + prune_metadata(value, node)
    causes = [invalid(path, node.default, "must not have unknown fields")] if unknown else []
    found = [placed(cause, path) for cause in embedded_failures(node.default, node)]
    if not found:
        found = [placed(cause, path) for cause in explain(node, node.default, "").causes]
    if not found and has_rules(node.schema):
        from busk8s.api.custom.celrules import rule_failures  # CEL is heavy: only for rules

        # Once as if it had been there before, once as if it were new.
        found = rule_failures(node, node.default, node.default, path)
        found = found or rule_failures(node, node.default, None, path)
    return causes + found
