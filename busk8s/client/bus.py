"""The cluster over the bus: verbs as calls, watches as topics.

Owns      saying requests as calls, and turning clones into changes.
Leaves    the verbs (rest), connecting and repeating (bus/link).
Invariant a watch begins with a Reset and never ends or raises for a lost connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from busk8s import protocol
from busk8s.api.request import ANONYMOUS, Request, Response
from busk8s.api.scheme import RESOURCES, Resource
from busk8s.bus.clone import Outcome, Replaced
from busk8s.bus.link import Link
from busk8s.client.interface import Change, Gone, Put, Reset
from busk8s.client.rest import RestClient


class BusClient(RestClient):
    """`client.interface.Client` over a Link that somebody else runs."""

    def __init__(self, link: Link, *, field_manager: str = "busk8s") -> None:
        # Who we are is proved by the link's key; the master finds out by itself.
        super().__init__(ANONYMOUS, manager=field_manager)
        self._link = link

    async def _send(self, request: Request) -> Response:
        return await self._link.call(
            request.method,
            request.path,
            query={name: tuple(values) for name, values in request.query.items()},
            body=request.body,
            content_type=request.content_type,
            accept=request.accept,
        )

    def watch(self, resource: Resource) -> AsyncIterator[Sequence[Change]]:
        return self._changes_of(protocol.kind_topic(resource.key))

    def watch_view(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        return self._changes_of(topic)

    async def _changes_of(self, topic: str) -> AsyncIterator[Sequence[Change]]:
        reading = self._link.follow(topic)
        try:
            async for batch in reading:
                yield [_change(outcome) for outcome in batch]
        finally:
            reading.close()


def resource_of(key: str) -> Resource:
    """The Resource a bus entry names. One made from a CustomResourceDefinition has no row in the
    table: what it is called is all that readers of a topic need of it."""
    if key == protocol.LIVENESS_RESOURCE.key:
        return protocol.LIVENESS_RESOURCE
    known = RESOURCES.get(key)
    if known is not None:
        return known
    plural, _, group = key.partition(".")
    return Resource(group, "", plural, "", namespaced=True)


def _change(outcome: Outcome) -> Change:
    if isinstance(outcome, Replaced):
        return Reset(outcome.objects, outcome.revision)
    return Gone(outcome.object) if outcome.gone else Put(outcome.object)
