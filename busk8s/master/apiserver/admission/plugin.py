"""The seam of an admission plug-in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from busk8s import errors
from busk8s.api.object import Object
from busk8s.master.apiserver.attributes import Attributes, Operation, OperationKind


@dataclass(frozen=True, slots=True)
class Interest:
    """Which writes a plug-in looks at: empty means any."""

    kinds: frozenset[OperationKind] = frozenset()
    resources: frozenset[str] = frozenset()
    subresources: frozenset[str] | None = frozenset({""})  # None: any

    def covers(self, resource_key: str, subresource: str, kind: OperationKind) -> bool:
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.resources or resource_key in self.resources)
            and (self.subresources is None or subresource in self.subresources)
        )


class Lookup(Protocol):
    """What plug-ins may read: the watch cache, and nothing that waits."""

    def get(self, resource_key: str, namespace: str, name: str) -> Object | None: ...

    def list(self, resource_key: str, namespace: str | None = None) -> Sequence[Object]: ...


class NotYet(Exception):
    """What a plug-in lacks is made without being asked for: it may be there in a moment."""

    def __init__(self, refusal: errors.Error) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal  # Where it does not come.


class Plugin(Protocol):
    """`admit` may change `operation.object`, or raise errors.Error. It never waits: NotYet says
    that another look is worth it, before which nothing may have been changed for good.
    """

    interest: Interest

    def admit(self, operation: Operation) -> None: ...


class AsyncPlugin(Protocol):
    """A plug-in that may wait: policies and webhooks. In the mutating part it may change
    `operation.object` and then sets `operation.changed`; the object it sees has its defaults.
    """

    def interest_in(self, operation: Operation) -> bool:
        """Whether `admit` need be called; asked of every write, so one look-up at most."""
        ...

    async def admit(self, operation: Operation) -> None: ...


def refuse(attributes: Attributes, why: str, *, name: str = "") -> errors.Error:
    """403 in the form `pods "x" is forbidden: why`."""
    return errors.forbidden(attributes.plural, name or attributes.name, why, group=attributes.group)


def name_of(operation: Operation) -> str:
    """The object's name, from the path or, on create, from the body."""
    if operation.attributes.name:
        return operation.attributes.name
    metadata = (operation.object or {}).get("metadata") or {}
    return str(metadata.get("name") or metadata.get("generateName") or "")
