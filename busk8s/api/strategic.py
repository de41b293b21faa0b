"""Strategic merge patch: lists of structs merge by key, and `$` directives say the rest.

Owns      `$patch`, `$retainKeys`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`.
Leaves    which list merges by which key (the types' markers).
Invariant neither document nor patch is changed; what the patch does not touch is shared.
Source    Kubernetes contributor docs, "Strategic Merge Patch"; behaviour of apimachinery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from busk8s.api.formats import describe
from busk8s.errors import Cause, Error, bad_request

Json = dict[str, Any]
Model = type[BaseModel] | None

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
ORDER = "$setElementOrder/"
DELETE_FROM = "$deleteFromPrimitiveList/"
_BAD_PRIMITIVES = "invalid patch format of primitive list"
_BAD_RETAIN_KEYS = "invalid patch format of retainKeys"
_BAD_ORDER = "invalid patch format of setElementOrder list"
_REJECTED = "the server rejected our request due to an error in our request"


@dataclass(frozen=True, slots=True)
class _Field:
    """How one field merges: `model` of its struct or elements, and its list's merge key."""

    model: Model = None
    merges: bool = False
    key: str = ""
    replaces: bool = False


_PLAIN = _Field()


def strategic_patch(document: Json, patch: Any, model: type[BaseModel] | None) -> Json:
    """`document` with `patch` merged in by the rules of `model`'s fields."""
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: a strategic merge patch must be an object")
    return _merged_map(document, patch, model)


def _merged_map(original: Json, patch: Json, model: Model) -> Json:
    if PATCH in patch:
        return _replaced_map(original, patch, model)
    merged = _retained(original, patch) if RETAIN_KEYS in patch else dict(original)
    done = _ordered_lists(merged, patch, model)
    for key, value in patch.items():
        if key.startswith(ORDER) or key in done or key == RETAIN_KEYS:
            continue
        if key.startswith(DELETE_FROM):
            _delete_from(merged, key[len(DELETE_FROM) :], value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged_value(merged.get(key), value, _field(model, key))
    return merged


def _merged_value(original: Any, value: Any, field: _Field) -> Any:
    if isinstance(value, dict):
        if not isinstance(original, dict):
            return _without_directives(value)
        return _without_directives(value) if field.replaces else _merged_map(
            original, value, field.model
        )  # fmt: skip
    if isinstance(value, list):
        if not isinstance(original, list):
            return _without_directives(value)
        return _merged_list(original, value, field) if field.merges else _without_directives(value)
    return value


def _replaced_map(original: Json, patch: Json, model: Model) -> Json:
    directive = patch[PATCH]
    rest = {key: value for key, value in patch.items() if key != PATCH}
    if directive == "replace":
        return dict(_without_directives(rest))
    if directive == "delete":
        return {}
    if directive == "merge":
        return _merged_map(original, rest, model)
    raise bad_request(f"Unknown patch type found: {directive}")


def _retained(original: Json, patch: Json) -> Json:
    """`original` cut down to the keys that `$retainKeys` names."""
    keep = patch[RETAIN_KEYS]
    if not isinstance(keep, list):
        raise bad_request(_BAD_RETAIN_KEYS)
    for key, value in patch.items():
        if value is not None and not key.startswith("$") and key not in keep:
            raise bad_request(_BAD_RETAIN_KEYS)
    return {key: value for key, value in original.items() if key in keep}


def _ordered_lists(merged: Json, patch: Json, model: Model) -> frozenset[str]:
    """Merges the lists that have a `$setElementOrder`; says which these were."""
    done = []
    for directive, order in patch.items():
        if not directive.startswith(ORDER):
            continue
        key = directive[len(ORDER) :]
        if not isinstance(order, list):
            raise bad_request(_BAD_ORDER)
        field = _field(model, key)
        original, wanted = merged.get(key), patch.get(key)
        if wanted is not None and not isinstance(wanted, list):
            raise bad_request(_BAD_ORDER)
        if key in patch and wanted is None:
            continue
        if deleted := patch.get(DELETE_FROM + key):
            _delete_from(merged, key, deleted)
            original = merged.get(key)
        if isinstance(original, list) or wanted is not None:
            _check_order(wanted or [], order, field.key)
            merged[key] = _put_in_order(original, wanted, order, field)
        done += [key, DELETE_FROM + key]
    return frozenset(done)


def _put_in_order(original: Any, wanted: Any, order: list[Any], field: _Field) -> list[Any]:
    if not isinstance(original, list):
        contents: list[Any] = _without_directives(wanted)
    elif wanted is None:
        contents = original
    else:
        whole = _without_directives(wanted)
        contents = _merged_list(original, wanted, field) if field.merges else whole
    server = original if isinstance(original, list) else []
    return _interleaved(contents, order, server, field.key)


def _check_order(wanted: list[Any], order: list[Any], key: str) -> None:
    """Every element of the patch's list must be in the order list, in the same order."""
    positions = {_identity(element, key): at for at, element in enumerate(order)}
    last = -1
    for element in wanted:
        if isinstance(element, dict) and PATCH in element:
            continue
        at = positions.get(_identity(element, key))
        if at is None or at < last:
            raise bad_request(
                f"The order in patch list:\n{_shown(wanted)}\n doesn't match "
                f"$setElementOrder list:\n{_shown(order)}"
            )
        last = at


def _shown(elements: list[Any]) -> str:
    return "[" + " ".join(map(str, elements)) + "]"


def _delete_from(merged: Json, key: str, values: Any) -> None:
    original = merged.get(key)
    if not isinstance(values, list):
        raise bad_request(_BAD_PRIMITIVES)
    if isinstance(original, list):
        merged[key] = [element for element in original if element not in values]


def _merged_list(original: list[Any], patch: list[Any], field: _Field) -> list[Any]:
    elements = patch or original
    if not elements:
        return original
    if not isinstance(elements[0], dict):
        return _merged_primitives(original, patch)
    if not field.key:
        raise _rejected("cannot merge a list of structs without a merge key")
    return _merged_structs(original, patch, field)


def _merged_primitives(original: list[Any], patch: list[Any]) -> list[Any]:
    if any(isinstance(element, dict | list) for element in (*original, *patch)):
        raise bad_request(_BAD_PRIMITIVES)
    contents = list(dict.fromkeys([*original, *patch]))
    return _interleaved(contents, patch, original, "")


def _merged_structs(original: list[Any], patch: list[Any], field: _Field) -> list[Any]:
    plain, removed, replaces = [], set(), False
    for element in patch:
        directive = element.get(PATCH) if isinstance(element, dict) else _not_struct()
        if directive is None or directive == "merge":
            plain.append(element)
        elif directive == "delete":
            removed.add(_merge_value(element, field.key))
        elif directive == "replace":
            replaces = True
        else:
            raise bad_request(f"Unknown patch type found: {directive}")
    if replaces:
        return [_without_directives(element) for element in plain]
    kept = [e for e in original if _identity(e, field.key) not in removed] if removed else original
    return _interleaved(_by_key(kept, plain, field), plain, kept, field.key)


def _by_key(original: list[Any], patch: list[Any], field: _Field) -> list[Any]:
    merged = list(original)
    where = {_identity(element, field.key): at for at, element in reversed([*enumerate(merged)])}
    for element in patch:
        identity = _merge_value(element, field.key)
        at = where.get(identity)
        if at is None:
            where[identity] = len(merged)
            merged.append(_without_directives(element))
        else:
            merged[at] = _merged_map(merged[at], element, field.model)
    return merged


def _interleaved(
    contents: list[Any], order: Sequence[Any], server: Sequence[Any], key: str
) -> list[Any]:
    """What the patch names in the patch's order, the rest in the server's, merged as upstream:
    a server-only element comes first only where the server had it before the patched one.
    """
    wanted = {_identity(element, key): at for at, element in enumerate(order)}
    had: dict[Any, int] = {}
    for at, element in enumerate(server):
        had.setdefault(_identity(element, key), at)
    named = [e for e in contents if _identity(e, key) in wanted]
    named.sort(key=lambda element: wanted[_identity(element, key)])
    others = [e for e in contents if _identity(e, key) not in wanted]
    others.sort(key=lambda element: had.get(_identity(element, key), len(had)))
    out: list[Any] = []
    left = 0
    for element in named:
        position = had.get(_identity(element, key))
        while left < len(others) and position is not None:
            before = had.get(_identity(others[left], key))
            if before is None or before >= position:
                break
            out.append(others[left])
            left += 1
        out.append(element)
    return out + others[left:]


def _identity(element: Any, key: str) -> Any:
    """What tells elements apart: the merge key's value, or the primitive itself."""
    found = element.get(key) if isinstance(element, dict) else element
    return (type(found) is bool, found) if isinstance(found, str | int | float) else str(found)


def _merge_value(element: Json, key: str) -> Any:
    if key not in element:
        raise _rejected(f"map: {element} does not contain declared merge key: {key}")
    return _identity(element, key)


def _not_struct() -> str:
    raise bad_request("invalid patch format: a list of structs holds something else")


def _without_directives(value: Any) -> Any:
    """A value taken whole from the patch: nulls and directives inside mean nothing now."""
    if isinstance(value, dict):
        return {
            key: _without_directives(inner)
            for key, inner in value.items()
            if inner is not None and not _is_directive(key)
        }
    if isinstance(value, list):
        return [
            _without_directives(inner)
            for inner in value
            if not (isinstance(inner, dict) and inner.get(PATCH) in ("delete", "replace"))
        ]
    return value


def _is_directive(key: str) -> bool:
    return key in (PATCH, RETAIN_KEYS) or key.startswith((ORDER, DELETE_FROM))


def _field(model: Model, key: str) -> _Field:
    return _fields(model).get(key, _PLAIN) if model is not None else _PLAIN


@lru_cache(None)
def _fields(model: type[BaseModel]) -> dict[str, _Field]:
    """The fields of a model that do not merge plainly, by their JSON names."""
    fields = {}
    for name, info in model.model_fields.items():
        found = describe(info.annotation, tuple(info.metadata))
        strategies = found.patch_strategy.split(",")
        inner = None if found.shape == "map" else found.model
        field = _Field(inner, "merge" in strategies, found.merge_key, "replace" in strategies)
        if field != _PLAIN:
            fields[info.alias or name] = field
    return fields


def _rejected(detail: str) -> Error:
    causes = [Cause("UnexpectedServerResponse", detail)]
    return Error(422, "Invalid", _REJECTED, causes=causes)
