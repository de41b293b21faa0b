"""What a request wants, and what a write is about to do: the seam to authorisers and admission.

Owns      Attributes, Operation, and the protocols of the parts the API server is given.
Leaves    who is asking (authn), whether they may (authz), what else they should have said
          (admission): all of them see a request only through these types.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from busk8s.api.object import Json, Object
from busk8s.api.request import ANONYMOUS, User
from busk8s.api.scheme import Resource
from busk8s.bus.streams import Stream

OperationKind = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(frozen=True, slots=True)
class Attributes:
    """One request in the words of authorisation.

    `verb` is the API verb (get, list, watch, create, update, patch, delete, deletecollection; for
    exec and its like the one of the method, as RBAC has it), or the lower-case HTTP method where
    `resource` is None (a path outside the API).
    `name` is empty for collections; `namespace` for cluster-scoped resources and all namespaces.
    `field_selector` is the text of the list's selector: the Node authoriser reads it.
    """

    user: User = ANONYMOUS
    verb: str = "get"
    resource: Resource | None = None
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""

    @property
    def group(self) -> str:
        return self.resource.group if self.resource else ""

    @property
    def plural(self) -> str:
        return self.resource.plural if self.resource else ""


_ON_COLLECTIONS = frozenset({"list", "watch", "deletecollection"})


def target(attributes: Attributes) -> tuple[str, str]:
    """The namespace and name that permission is asked for, which are not quite the URL's.

    A namespace lies in itself, and a collection selected by `metadata.name` is that one object.
    """
    namespace, name = attributes.namespace, attributes.name
    if not namespace and name and attributes.path:
        of = attributes.resource
        if of is not None and of.plural == "namespaces" and not of.group:
            return name, name
    if attributes.field_selector and not name and attributes.verb in _ON_COLLECTIONS:
        for term in attributes.field_selector.split(","):
            key, equals, value = term.partition("=")
            if key.strip() == "metadata.name" and equals:
                return namespace, value.removeprefix("=").strip()
    return namespace, name


# From a document of one resource to one of another.
Convert = Callable[[Resource, Resource, Json], Awaitable[Json]]


@dataclass(slots=True)
class Operation:
    """A write on its way in. Mutating admission may change `object` in place or replace it.

    `object` is None for DELETE; `old` is None for CREATE. For CONNECT and for subresources whose
    body is another kind (binding, eviction, scale, token) `object` is that body.
    `convert` is given where only a webhook can show the object in another version.
    `annotations` are for the audit log. `changed` is set by an asynchronous mutating plug-in that
    changed the object: the mutating part then runs once more, as `round` 1; what such a plug-in
    must know of round 0 lies in `memory`, under its own name.
    """

    attributes: Attributes
    kind: OperationKind
    object: Json | None = None
    old: Object | None = None
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    options: Json = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    changed: bool = False
    round: int = 0
    memory: dict[str, Any] = field(default_factory=dict)
    convert: Convert | None = None


class Authorizer(Protocol):
    def authorize(self, attributes: Attributes) -> str | None:
        """None when allowed, else the reason that ends `... is forbidden: REASON`."""
        ...


@runtime_checkable
class Explains(Protocol):
    """An authoriser that can say more than yes and no; access reviews ask."""

    def granted_by(self, attributes: Attributes) -> str:
        """By what an allowed request is allowed; "" when there is no more to say."""
        ...

    def rules_of(self, user: User, namespace: str) -> tuple[Sequence[Json], Sequence[str]]:
        """PolicyRules that `user` holds in `namespace`, and why there may be more."""
        ...


class Admission(Protocol):
    """Both raise `errors.Error` to refuse. They must not write to the store themselves."""

    async def mutate(self, operation: Operation) -> None: ...

    async def validate(self, operation: Operation) -> None: ...


class NodeStreams(Protocol):
    def open(self, node: str, verb: str, params: Json, *, held: bool = False) -> Stream:
        """A stream to the node, which waits for `grant` when `held`; raises `errors.Error` if it
        cannot be had."""
        ...


class Unstored(Protocol):
    """Objects of which memory knows more than the store (the Leases of nodes)."""

    def holds(self, resource_key: str) -> bool: ...

    def get(
        self, resource_key: str, namespace: str, name: str, stored: Object | None
    ) -> Object | None:
        """What a reader shall see where the store holds `stored`."""
        ...

    def list(
        self, resource_key: str, namespace: str | None, stored: Sequence[Object]
    ) -> Sequence[Object]: ...

    def watched(self, namespace: str) -> AbstractAsyncContextManager[None]:
        """Around a watch: while one is open, what memory knows is written to the store."""
        ...

    async def run(self) -> None:
        """Write it again and again while it is watched, until cancelled."""
        ...


class TokenSigner(Protocol):
    """Mints ServiceAccount tokens."""

    def request(self, namespace: str, account: Json, spec: Json, warnings: list[str]) -> Json:
        """The TokenRequestStatus for `spec`, whose defaults it fills."""
        ...


class TokenReviewer(Protocol):
    """Knows whose a token is, of whatever kind."""

    async def review(self, spec: Json) -> Json:
        """The TokenReviewStatus for `spec.token`."""
        ...


class AllowAll:
    """The authoriser of tests and of clusters that trust every authenticated caller."""

    def authorize(self, attributes: Attributes) -> str | None:
        return None


class NoAdmission:
    """Admits everything as it stands."""

    async def mutate(self, operation: Operation) -> None:
        return None

    async def validate(self, operation: Operation) -> None:
        return None
