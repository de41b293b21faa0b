"""Which objects a list, a watch or a collection delete is about.

Owns      Selection: label and field selectors of one request, as one predicate.
Leaves    the selectors' grammar (api/selectors, api/fields).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from busk8s.api.fields import Requirement, check_fields, match_fields, parse_fields
from busk8s.api.object import Json, Object
from busk8s.api.request import Request
from busk8s.api.scheme import Resource
from busk8s.api.selectors import LabelSelector, parse_labels

SELECTORS_CACHED_MAX = 512  # Parsed label selectors remembered; clients repeat a few.

_parse_labels = lru_cache(maxsize=SELECTORS_CACHED_MAX)(parse_labels)


@dataclass(frozen=True, slots=True)
class Selection:
    """Everything (both texts empty), or what the selectors choose. `name`: one object alone."""

    labels: LabelSelector | None = None
    fields: tuple[Requirement, ...] = ()
    name: str = ""
    text: tuple[str, str, str] = ("", "", "")

    @property
    def everything(self) -> bool:
        return self.labels is None and not self.fields and not self.name

    def matches(self, data: Json) -> bool:
        metadata = data["metadata"]
        if self.name and metadata.get("name") != self.name:
            return False
        if self.labels is not None and not self.labels.matches(metadata.get("labels") or {}):
            return False
        return not self.fields or match_fields(self.fields, data)

    def chooses(self, obj: Object) -> bool:
        """As `matches`; parses nothing where name and labels decide."""
        if self.name and obj.name != self.name:
            return False
        if self.labels is not None and not self.labels.matches(obj.labels):
            return False
        return not self.fields or match_fields(self.fields, obj.data)

    def of(self, objects: Iterable[Object]) -> list[Object]:
        """Those of `objects` that match, in their order."""
        if self.fields:  # What is parsed for one list is not kept.
            return [obj for obj in objects if self.matches(obj.glance())]
        chooses = self.chooses
        return [obj for obj in objects if chooses(obj)]


EVERYTHING = Selection()


def selection_of(request: Request, resource: Resource, name: str = "") -> Selection:
    """The selection `request` asks for; raises 400 for what cannot be read or selected by."""
    query = request.query
    if not name and "labelSelector" not in query and "fieldSelector" not in query:
        return EVERYTHING
    label_text, field_text = request.param("labelSelector"), request.param("fieldSelector")
    labels = _parse_labels(label_text) if label_text else None
    fields: tuple[Requirement, ...] = ()
    if field_text:
        parsed = parse_fields(field_text)
        check_fields(resource, parsed)
        fields = tuple(parsed)
    return Selection(labels, fields, name, (label_text, field_text, name))
