"""A LimitRange that is given no name is named by its uid."""

from __future__ import annotations

from busk8s.api.object import Json


def on_create(limit_range: Json) -> None:
    metadata = limit_range["metadata"]
    if not metadata.get("name"):
        metadata["name"] = metadata["uid"]
