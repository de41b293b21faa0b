"""Which resources there are: the table that routing, discovery, storage and clients share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Resource:
    """One served resource: a group, a version, a plural, and what may be done with it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = (
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    )  # fmt: skip
    list_kind: str = field(default="")

    @cached_property
    def key(self) -> str:
        """`plural` or `plural.group`: names the resource in stores, topics and messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def path(self) -> str:
        """The URL prefix of the group and version: `/api/v1` or `/apis/apps/v1`."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    @cached_property
    def head_length(self) -> int:
        """Bytes before the first member of `metadata` in the encoded form (object.encode)."""
        head = '{"kind":"%s","apiVersion":"%s","metadata":{'
        return len(head % (self.kind, self.api_version))
