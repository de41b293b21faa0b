"""A patch whose result is no object of its kind, in upstream's words.

Owns      the 422 for it, and the way Go prints in it the patch (a strategic one) or the object
          that it makes (others).
Leaves    finding out what does not fit (api.decode), patches that do not apply (api.patch).
"""

from __future__ import annotations

from typing import Any

import orjson

from busk8s import errors
from busk8s.api.decode import Unfit
from busk8s.api.object import Json

SHOWN_MAX = 2_000  # Characters repeated in the answer; its sender has the rest.
DEPTH_SHOWN_MAX = 50


def unfit_patch(error: Unfit, body: bytes, patched: Json | None) -> errors.Error:
    """The 422 for a patch that leaves what `error` says; `patched` unless it is strategic."""
    if patched is None:
        shown, why = go_text(orjson.loads(body)), error.converting
    else:
        shown, why = orjson.dumps(patched).decode(), error.why
    value = orjson.dumps(shown[:SHOWN_MAX]).decode()
    cause = errors.Cause("FieldValueInvalid", f"Invalid value: {value}: {why}", "patch")
    return errors.invalid("", "", [cause])


def go_text(value: Any, depth: int = 0) -> str:
    """`value` as Go's %v prints it: map[a:1 b:[x y]]."""
    if depth > DEPTH_SHOWN_MAX:
        return "..."
    if isinstance(value, dict):
        return f"map[{' '.join(_member(value, key, depth) for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(go_text(item, depth + 1) for item in value)}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _member(value: Json, key: str, depth: int) -> str:
    return f"{key}:{go_text(value[key], depth + 1)}"
