"""OpenAPI v2 documents of several servers as one.

Owns      what of another server's document is taken, new names where two definitions have one.
Leaves    fetching and keeping documents, who is asked (aggregation).
Invariant nothing that was there before is changed, but for the kinds that a shared definition is
          one of; what is given is of any shape, and what is taken has the shape of a document.
Source    upstream's merging: paths are filtered by their prefix, definitions renamed `name_v2`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
GVKS = "x-kubernetes-group-version-kind"
_REF, _PARAMETER = "#/definitions/", "#/parameters/"


def filtered(document: Any, prefixes: Sequence[str]) -> Json:
    """The paths of `document` below one of `prefixes`, and the definitions they need.

    Raises ValueError for what is no OpenAPI v2 document.
    """
    if not isinstance(document, dict):
        raise ValueError("the document is no object")
    paths: Json = _object(document.get("paths"), "paths")
    definitions = _object(document.get("definitions") or {}, "definitions")
    shared = _object(document.get("parameters") or {}, "parameters")
    kept = {
        path: _with_parameters(item, shared)
        for path, item in paths.items()
        if path.startswith(tuple(prefixes)) and isinstance(item, dict)
    }
    needed: dict[str, None] = {}
    queue = _references(kept)
    while queue:
        name = queue.pop()
        if name in definitions and name not in needed:
            needed[name] = None
            queue.extend(_references(definitions[name]))
    found = {name: each for name, each in definitions.items() if name in needed}
    if not all(isinstance(each, dict) for each in found.values()):
        raise ValueError("a definition is no object")
    return {"paths": kept, "definitions": found}


def _object(node: Any, what: str) -> Json:
    if not isinstance(node, dict):
        raise ValueError(f"the {what} of the document are no object")
    return node


def _with_parameters(item: Json, shared: Json) -> Json:
    """A path with the parameters that it shares with others in their place."""
    found: Json = {}
    for name, value in item.items():
        if name == "parameters":
            found[name] = [_parameter(each, shared) for each in value]
        elif isinstance(value, dict) and "parameters" in value:
            own = [_parameter(each, shared) for each in value["parameters"]]
            found[name] = {**value, "parameters": own}
        else:
            found[name] = value
    return found


def _parameter(node: Json, shared: Json) -> Json:
    name = node.get("$ref")
    found: Json = shared[name.removeprefix(_PARAMETER)] if isinstance(name, str) else node
    return found


def merge(into: Json, other: Json) -> None:
    """Add what `filtered` gave to the document `into`, in place; its own paths stay its own."""
    ours: Json = into["definitions"]
    names = _names(ours, other["definitions"])
    for name, definition in other["definitions"].items():
        new = names.get(name, name)
        if new in ours:  # Alike, but for the kinds.
            _add_kinds(ours, new, definition.get(GVKS))
        else:
            ours[new] = _renamed(definition, names)
    for path, item in other["paths"].items():
        into["paths"].setdefault(path, _renamed(item, names))


def _names(ours: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, str]:
    """New names for those of `others` that are something else in `ours`."""
    names: dict[str, str] = {}
    taken = {*ours, *others}
    for name, definition in others.items():
        if name not in ours or _alike(ours[name], definition):
            continue
        number = 2
        while True:
            new = f"{name}_v{number}"
            if new in ours and _alike(ours[new], definition):
                break
            if new not in taken:
                taken.add(new)
                break
            number += 1
        names[name] = new
    return names


def _alike(one: Any, other: Any) -> bool:
    return bool(_bare(one) == _bare(other))


def _bare(definition: Any) -> Any:
    if not isinstance(definition, dict):
        return definition
    return {key: value for key, value in definition.items() if key != GVKS}


def _add_kinds(ours: Json, name: str, kinds: Any) -> None:
    if not isinstance(kinds, list):
        return
    before = ours[name].get(GVKS) or []
    new = [kind for kind in kinds if kind not in before]
    if new:
        ours[name] = {**ours[name], GVKS: [*before, *new]}


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for each in node for name in _references(each)]
    if not isinstance(node, dict):
        return []
    own = node.get("$ref")
    found = [own.removeprefix(_REF)] if isinstance(own, str) else []
    return found + [name for each in node.values() for name in _references(each)]


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if not names:
        return node
    if isinstance(node, list):
        return [_renamed(each, names) for each in node]
    if not isinstance(node, dict):
        return node
    out = {key: _renamed(value, names) for key, value in node.items()}
    own = out.get("$ref")
    if isinstance(own, str) and own.removeprefix(_REF) in names:
        out["$ref"] = _REF + names[own.removeprefix(_REF)]
    return out
