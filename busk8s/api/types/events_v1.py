"""Kubernetes events v1, made by tools/generate_types.py; not to be edited."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from busk8s.api.types import core_v1, meta_v1
from busk8s.api.types.markers import (
    AnyJson,
    Base64,
    IntOrString,
    ListType,
    MapType,
    MicroTime,
    Model,
    PatchMerge,
    Quantity,
    Time,
)

__all__ = [
    "Event",
    "EventList",
    "EventSeries",
]


class EventSeries(Model):
    count: int
    last_observed_time: MicroTime = Field(alias="lastObservedTime")


class Event(Model):
    action: str | None = None
    api_version: str = Field("events.k8s.io/v1", alias="apiVersion")
    deprecated_count: int | None = Field(None, alias="deprecatedCount")
    deprecated_first_timestamp: Time | None = Field(None, alias="deprecatedFirstTimestamp")
    deprecated_last_timestamp: Time | None = Field(None, alias="deprecatedLastTimestamp")
    deprecated_source: core_v1.EventSource | None = Field(None, alias="deprecatedSource")
    event_time: MicroTime = Field(alias="eventTime")
    kind: str = "Event"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    note: str | None = None
    reason: str | None = None
    regarding: core_v1.ObjectReference | None = None
    related: core_v1.ObjectReference | None = None
    reporting_controller: str | None = Field(None, alias="reportingController")
    reporting_instance: str | None = Field(None, alias="reportingInstance")
    series: EventSeries | None = None
    type: str | None = None


class EventList(Model):
    api_version: str = Field("events.k8s.io/v1", alias="apiVersion")
    items: list[Event]
    kind: str = "EventList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
