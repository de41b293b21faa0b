"""What the API server is made of, and what one request carries through it.

Owns      Parts (given once, by the wiring) and Call (one request on its way).
Leaves    everything that is done with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from busk8s.api.apply.anew import Anew
from busk8s.api.object import Json
from busk8s.api.request import Request
from busk8s.api.scheme import Resource
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.master.apiserver.allocators import ServiceAllocators
from busk8s.master.apiserver.attributes import (
    Admission,
    Attributes,
    Authorizer,
    NodeStreams,
    TokenReviewer,
    TokenSigner,
    Unstored,
)
from busk8s.master.apiserver.batches import Batches
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.conversion.converter import Conversions
from busk8s.master.apiserver.encoded import Messages
from busk8s.master.apiserver.listing import ListCache
from busk8s.master.apiserver.metrics.storage import StorageMetrics
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.quota.ledger import Quotas
from busk8s.master.apiserver.rest import Accept
from busk8s.master.store.base import Store
from busk8s.master.store.watch import WatchCache


@dataclass(slots=True, kw_only=True)
class Parts:
    """`streams`, `signer`, `reviewer` None: what needs them is refused by name."""

    store: Store
    cache: WatchCache
    clock: Clock
    ids: IdSource
    authorizer: Authorizer
    admission: Admission
    streams: NodeStreams | None
    signer: TokenSigner | None
    reviewer: TokenReviewer | None
    unstored: Unstored | None
    services: ServiceAllocators
    catalog: Catalog
    quotas: Quotas
    metrics: StorageMetrics
    lists: ListCache
    outgoing: Outgoing | None = None  # None: nothing is passed on to pods and Services
    messages: Messages
    anew: Anew
    batches: Batches
    conversions: Conversions


@dataclass(slots=True)
class Call:
    """`resource` is the one asked for; `stored` the version of it that the store keeps."""

    request: Request
    attributes: Attributes
    resource: Resource
    stored: Resource
    accept: Accept
    now: float
    documents: dict[tuple[str, str, bytes], Json] | None = None  # Converted for this request.

    @property
    def converts(self) -> bool:
        """Whether a webhook stands between what is stored and what is shown."""
        custom = self.resource.custom
        return custom is not None and custom.family.webhook is not None

    @property
    def namespace(self) -> str:
        return self.attributes.namespace

    @property
    def name(self) -> str:
        return self.attributes.name
