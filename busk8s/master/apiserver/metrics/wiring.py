"""The API server's page of metrics put together.

Owns      which parts tell, and the few families that are read off what is there anyway.
Leaves    counting (each part), the page (busk8s.exposition).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from busk8s.api.discovery import build_labels
from busk8s.api.object import Object
from busk8s.exposition import Page
from busk8s.master.apiserver.health import Health
from busk8s.master.store.watch import WatchCache
from busk8s.metrics import Family, Gauge, Labels

APISERVICES = "apiservices.apiregistration.k8s.io"


class Measured(Protocol):
    """A part that is told of."""

    def families(self) -> Sequence[Family]: ...


def page_of(parts: Sequence[Measured], health: Health) -> Page:
    told = [family for part in parts for family in part.families()]
    return Page(told, health.families(), build=build_labels(os.uname().machine))


def gauges(cache: WatchCache) -> Sequence[Family]:
    """What the cache shows at a glance."""
    return (
        Gauge("busk8s_store_revision", "Of the last committed write.", lambda: cache.revision),
        Gauge("busk8s_objects", "Stored objects of all kinds.",
              lambda: sum(cache.count(key) for key in cache.resources())),
        Gauge("aggregator_unavailable_apiservice", "Which API servers behind this do not answer.",
              lambda: _unavailable(cache), ("name",)),
    )  # fmt: skip


def _unavailable(cache: WatchCache) -> dict[Labels, float]:
    return {(obj.name,): not _available(obj) for obj in cache.list(APISERVICES)}


def _available(obj: Object) -> bool:
    conditions = (obj.data.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Available" and c.get("status") == "True" for c in conditions)
