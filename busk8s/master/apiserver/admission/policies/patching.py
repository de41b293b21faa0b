"""What a mutation does to a document: an apply configuration is merged, a JSON patch applied.

Owns      making both from what expressions give, and what they may not do.
Leaves    merging (api/apply), patching (api/patch), types and defaults of the result (fit).
Invariant the document that came in is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from busk8s import errors
from busk8s.api.apply.extract import NoKey, WrongType, fields_of
from busk8s.api.apply.layout import Layout
from busk8s.api.apply.merge import merge
from busk8s.api.cel.values import Made, to_json
from busk8s.api.object import Json
from busk8s.api.patch import Unapplied, json_patch


class BadPatch(Exception):
    """The mutation cannot be applied; the text says why."""


def merged(document: Json, configuration: Any, layout: Layout) -> Json:
    """`document` with an apply configuration merged in; nobody comes to own its fields."""
    _check_names(configuration)
    applied = to_json(configuration)
    applied["apiVersion"], applied["kind"] = document["apiVersion"], document["kind"]
    if isinstance(applied.get("metadata"), dict):
        for name in ("name", "namespace", "uid"):
            applied["metadata"].pop(name, None)
    try:
        fields_of(applied, layout)
    except (WrongType, NoKey) as error:
        raise BadPatch(
            f"error applying patch: failed to convert patch object to typed object: {error}"
        ) from None
    atomics = list(_atomics(applied, layout, ""))
    if atomics:
        raise BadPatch(
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps "
            f"or structs: {', '.join(atomics)}"
        )
    made: Json = orjson.loads(orjson.dumps(merge(document, applied, layout)))
    return made


def patched(document: Json, operations: Any) -> Json:
    """`document` after a JSON patch; unchanged when a test of the patch fails."""
    steps: list[Json] = []
    for operation in operations:
        _check_names(operation.get("value"))
        step = to_json(operation)
        if not step.get("from"):
            step.pop("from", None)
        steps.append(step)
    try:
        made = json_patch(document, steps)
    except errors.Error as error:
        if _is_test(error):
            return document
        raise BadPatch(f"JSON Patch: {_why(error)}") from None
    if not isinstance(made, dict):
        raise BadPatch("JSON Patch: the patch leaves no object")
    copy: Json = orjson.loads(orjson.dumps(made))
    return copy


def _is_test(error: errors.Error) -> bool:
    return "testing" in _why(error) or "test failed" in _why(error)


def _why(error: errors.Error) -> str:
    return error.why if isinstance(error, Unapplied) else error.message


def _check_names(value: Any, wanted: str = "") -> None:
    """Objects are made by the name of the place they stand at."""
    if isinstance(value, list):
        for item in value:
            _check_names(item, wanted)
    elif isinstance(value, Made):
        if wanted and value.kind != wanted:
            raise BadPatch(
                f'type mismatch: unexpected type name "{value.kind}", expected "{wanted}", which '
                "matches field name path from root Object type"
            )
        for name, below in value.items():
            _check_names(below, f"{value.kind}.{name}")


def _atomics(value: Any, layout: Layout | None, path: str) -> Iterator[str]:
    if layout is None or not isinstance(value, (dict, list)):
        return
    if layout.kind == "leaf":
        yield path
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _atomics(below, layout.child(name), f"{path}.{name}")
    else:
        for index, below in enumerate(value):
            yield from _atomics(below, layout.item, f"{path}[{index}]")
