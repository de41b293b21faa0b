"""Which value of the old object a value of the new one was.

Owns      following old and new down together: fields by name, items of list maps by their keys;
          whether a part is unchanged, remembered.
Leaves    what is made of it (values ratchets, celrules gives oldSelf).
Invariant items of sets and of atomic lists have no old value.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.custom.node import Node

_ABSENT = object()


class Correlated:
    """A new value beside the old one it came from."""

    __slots__ = ("_by_key", "_inner", "_same", "new", "node", "old")

    def __init__(self, new: Any, old: Any, node: Node) -> None:
        self.new = new
        self.old = old
        self.node = node
        self._inner: dict[str | int, Correlated | None] = {}
        self._by_key: dict[tuple[Any, ...], Any] | None = None
        self._same: bool | None = None

    def key(self, name: str) -> Correlated | None:
        """The field `name`; None: it was not there before, or the schema does not name it."""
        if name not in self._inner:
            self._inner[name] = self._field(name)
        return self._inner[name]

    def index(self, at: int) -> Correlated | None:
        """The item of a list map; None: new, or of a list whose items have no names."""
        if at not in self._inner:
            self._inner[at] = self._item(at)
        return self._inner[at]

    @property
    def unchanged(self) -> bool:
        if self._same is None:
            self._same = json_equal(self.new, self.old)
        return self._same

    def _field(self, name: str) -> Correlated | None:
        new, old, inner = self.new, self.old, self.node.under(name)
        if inner is None or not isinstance(new, dict) or not isinstance(old, dict):
            return None
        if name not in new or name not in old:
            return None
        return Correlated(new[name], old[name], inner)

    def _item(self, at: int) -> Correlated | None:
        node, new, old = self.node, self.new, self.old
        if node.list_type != "map" or node.items is None:
            return None
        if not isinstance(new, list) or not isinstance(old, list):
            return None
        if self._by_key is None:
            self._by_key = {}
            for each in old:
                if isinstance(each, dict):
                    self._by_key.setdefault(key_of(each, node), each)
        mine = new[at] if at < len(new) else None
        if not isinstance(mine, dict):
            return None
        found = self._by_key.get(key_of(mine, node), _ABSENT)
        return None if found is _ABSENT else Correlated(mine, found, node.items)


def key_of(item: dict[str, Any], node: Node) -> tuple[Any, ...]:
    """What tells an item of a list map from others; numbers and booleans do not meet."""
    found = []
    for name in node.list_keys:
        value = item.get(name)
        if isinstance(value, dict | list):
            value = repr(value)
        found.append((type(value).__name__, value))
    return tuple(found)


def json_equal(left: Any, right: Any) -> bool:
    """Equality of JSON values, where true is not 1 and 1 is not 1.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(
            json_equal(each, right[name]) for name, each in left.items()
        )
    if isinstance(left, list):
        return len(left) == len(right) and all(
            json_equal(one, other) for one, other in zip(left, right, strict=True)
        )
    return bool(left == right)
