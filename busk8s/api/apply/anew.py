"""The fields of documents that are new: all of them, once the large parts have been seen before.

Owns      what a document has when there was none, and the memory of such answers.
Leaves    the comparison itself (compare), whose the fields are (the API server).
Invariant the answer is that of a comparison with nothing, less what nobody owns, with its names in
          upstream's order. Answers share their large parts, so nobody may change one in place.
          The memory stays under KEPT_BYTES_MAX; what was asked for longest ago goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import orjson

from busk8s.api.apply.compare import added, whole
from busk8s.api.apply.fieldset import SELF, FieldSet, field_element, in_order, without
from busk8s.api.apply.layout import ANYTHING, Layout
from busk8s.api.apply.ownership import UNOWNED

Json = dict[str, Any]

KEPT_BYTES_MAX = 2 * 1024 * 1024  # Of parts and their sets: a few hundred pod templates.
PART_BYTES_MAX = 16 * 1024  # A part that is larger is rarely there twice.
_WEIGHT = 8  # A set's dicts take about so many times its text.
_METADATA: FieldSet = UNOWNED["f:metadata"]


class Anew:
    """Pods of one controller have one `spec` before admission: its set is found by its bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Layout, bytes], tuple[FieldSet | None, int]] = OrderedDict()
        self._bytes = 0

    def fields_of(self, document: Json, layout: Layout, ignored: FieldSet) -> FieldSet:
        found: FieldSet = {}
        for name in sorted(document):
            element = field_element(name)
            if element == "f:metadata":
                below = _of_metadata(document[name], layout.child(name) or ANYTHING)
            elif element in UNOWNED or ignored.get(element) == {}:
                continue
            else:
                below = self._of_part(name, document[name], layout)
            if below is not None:
                found[element] = below
        return without(found, ignored)

    def _of_part(self, name: str, value: Any, layout: Layout) -> Any:
        inner = layout.child(name) or ANYTHING
        if inner.kind != "struct":  # Data and the like: looking at them is as quick.
            return in_order(added(name, value, layout))
        key = (inner, orjson.dumps(value))
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept[0]
        text = orjson.dumps(added(name, value, layout), option=orjson.OPT_SORT_KEYS)
        fields = orjson.loads(text)
        self._keep(key, fields, len(key[1]) + _WEIGHT * len(text))
        return fields

    def _keep(self, key: tuple[Layout, bytes], fields: FieldSet | None, size: int) -> None:
        if len(key[1]) > PART_BYTES_MAX:
            return
        self._kept[key] = fields, size
        self._bytes += size
        while self._bytes > KEPT_BYTES_MAX:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone


def _of_metadata(metadata: Json, layout: Layout) -> FieldSet | None:
    owned = {name: value for name, value in metadata.items() if "f:" + name not in _METADATA}
    if not owned:
        return None
    fields: FieldSet = in_order(whole(owned, layout))
    del fields[SELF]  # The metadata itself is nobody's.
    return fields
