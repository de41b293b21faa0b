"""JSON patch (RFC 6902) and merge patch (RFC 7386); strategic merge is in `strategic`.

Owns      applying a patch to a document.
Leaves    decoding the patch's bytes, checking the patched object (decode, validation).
Invariant neither document nor patch is changed. The answer shares with both whatever the patch
          did not touch: whoever changes it in place must know the part is theirs.
Differs from Kubernetes: an index below zero does not count from an array's end; RFC 6902 has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from busk8s.api.mismatch import json_kind
from busk8s.api.strategic import strategic_patch
from busk8s.errors import Error, bad_request

__all__ = [
    "OPERATIONS_MAX",
    "Unapplied",
    "json_patch",
    "merge_patch",
    "same_json",
    "strategic_patch",
]

Json = dict[str, Any]

# More operations than this are refused with 413, as upstream does: they cost quadratic time.
OPERATIONS_MAX = 10_000
# What repeated `copy` operations may add up to, in containers copied; else a patch doubles itself.
COPIED_NODES_MAX = 100_000
_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_REJECTED = "the server rejected our request due to an error in our request"


def merge_patch(document: Any, patch: Any) -> Any:
    """RFC 7386. Only the maps that the patch enters are copied."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge_patch(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def json_patch(document: Any, operations: Any) -> Any:
    """RFC 6902. 400 if the patch is none, 413 if too long, 422 if it does not apply."""
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {json_kind(operations)} into Go "
            "value of type jsonpatch.Patch"
        )
    if len(operations) > OPERATIONS_MAX:
        raise Error(
            413,
            "RequestEntityTooLarge",
            "Request entity too large: The allowed maximum operations in a JSON patch is "
            f"{OPERATIONS_MAX}, got {len(operations)}",
        )
    patching = _Patching(document)
    for operation in operations:
        patching.apply(operation)
    return patching.document


def same_json(left: Any, right: Any) -> bool:
    """Equal as JSON: Python alone would take True for 1."""
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(same_json(value, right[key]) for key, value in left.items())
        )
    if isinstance(left, list):
        return (
            isinstance(right, list)
            and len(left) == len(right)
            and all(same_json(a, b) for a, b in zip(left, right, strict=True))
        )
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


class _Patching:
    """One patch at work: `document` is replaced along each path that is written."""

    def __init__(self, document: Any) -> None:
        self.document = document
        # Containers made here, which may be changed in place; holding them keeps ids unique.
        self._own: dict[int, Any] = {}
        self._copied = 0

    def apply(self, operation: Mapping[str, Any]) -> None:
        kind, path = operation.get("op"), operation.get("path")
        if kind not in _OPERATIONS:
            raise Unapplied(f"Unexpected kind: {kind}")
        if not isinstance(path, str):
            raise Unapplied(f"{kind} operation does not have a path")
        if kind in ("add", "replace", "test"):
            if "value" not in operation and kind != "test":
                raise Unapplied(f"{kind} operation at {path} does not have a value")
            getattr(self, f"_{kind}")(path, operation.get("value"))
        elif kind == "remove":
            self._remove(path)
        else:
            source = operation.get("from")
            if not isinstance(source, str):
                raise Unapplied(f"{kind} operation at {path} does not have a from")
            getattr(self, f"_{kind}")(source, path)

    def _add(self, path: str, value: Any) -> None:
        steps = _steps(path)
        if not steps:
            self.document = value
            return
        parent, last = self._writable(steps[:-1], path), steps[-1]
        if isinstance(parent, dict):
            parent[last] = value
        else:
            at = len(parent) if last == "-" else _index(last, len(parent), path)
            parent.insert(at, value)

    def _replace(self, path: str, value: Any) -> None:
        steps = _steps(path)
        if not steps:
            self.document = value
            return
        parent, last = self._writable(steps[:-1], path), steps[-1]
        if isinstance(parent, dict):
            if last not in parent:
                raise Unapplied(f"replace operation does not apply: doc is missing key: {path}")
            parent[last] = value
        else:
            parent[_index(last, len(parent) - 1, path)] = value

    def _remove(self, path: str) -> Any:
        steps = _steps(path)
        if not steps:
            raise Unapplied("remove operation does not apply: the whole document")
        parent, last = self._writable(steps[:-1], path), steps[-1]
        if isinstance(parent, dict):
            if last not in parent:
                raise Unapplied(f"remove operation does not apply: doc is missing key: {path}")
            return parent.pop(last)
        return parent.pop(_index(last, len(parent) - 1, path))

    def _move(self, source: str, path: str) -> None:
        if path.startswith(source + "/"):
            raise Unapplied(f"move operation does not apply: {path} is inside {source}")
        self._add(path, self._remove(source))

    def _copy(self, source: str, path: str) -> None:
        value = self._found(source)
        self._copied += _nodes(value)
        if self._copied > COPIED_NODES_MAX:
            raise Unapplied("copy operations of the patch copy too much")
        self._disown(value)
        self._add(path, value)

    def _test(self, path: str, value: Any) -> None:
        try:
            found = self._found(path)
        except Error:
            if value is None:
                return
            raise
        if not same_json(found, value):
            raise Unapplied(f"testing value {path} failed: test failed")

    def _found(self, path: str) -> Any:
        found = self.document
        for step in _steps(path):
            if isinstance(found, dict) and step in found:
                found = found[step]
            elif isinstance(found, list):
                found = found[_index(step, len(found) - 1, path)]
            else:
                raise Unapplied(f"doc is missing path: {path}: missing value")
        return found

    def _writable(self, steps: Sequence[str], path: str) -> Any:
        """The container at `steps`, it and all above it made our own."""
        self.document = here = self._owned(self.document, path)
        for step in steps:
            if isinstance(here, dict):
                if step not in here:
                    raise Unapplied(f"doc is missing path: {path}: missing value")
                here[step] = child = self._owned(here[step], path)
            else:
                at = _index(step, len(here) - 1, path)
                here[at] = child = self._owned(here[at], path)
            here = child
        return here

    def _owned(self, container: Any, path: str) -> Any:
        if not isinstance(container, dict | list):
            raise Unapplied(f"doc is missing path: {path}: missing value")
        if id(container) in self._own:
            return container
        copy = container.copy()
        self._own[id(copy)] = copy
        return copy

    def _disown(self, value: Any) -> None:
        """What is now reachable by two paths must be copied before it is changed by one."""
        if isinstance(value, dict | list):
            self._retired(value)
            for child in value.values() if isinstance(value, dict) else value:
                self._disown(child)

    def _retired(self, container: Any) -> None:
        # Kept alive under a key no id has, so that its id is never given to another container.
        if (kept := self._own.pop(id(container), None)) is not None:
            self._own[-len(self._own) - 1] = kept


def _steps(path: str) -> list[str]:
    if not path:
        return []
    if path[0] != "/":
        raise Unapplied(f"not a JSON pointer: {path}")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _index(step: str, highest: int, path: str) -> int:
    if not (step.isascii() and step.isdigit() and len(step) < 10 and int(step) <= highest):
        raise Unapplied(f"Unable to access invalid index: {step} at {path}")
    return int(step)


def _nodes(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_nodes, value.values()))
    return 1 + sum(map(_nodes, value)) if isinstance(value, list) else 1


class Unapplied(Error):
    """A patch that does not apply: 422 in upstream's general words; `why` is for our own use."""

    def __init__(self, why: str) -> None:
        super().__init__(422, "Invalid", _REJECTED, generic=True)
        self.why = why
