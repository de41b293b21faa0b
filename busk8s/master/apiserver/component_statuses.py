"""ComponentStatus: whether scheduler, controller manager and store are well, asked at each read.

Owns      the objects, under upstream's names.
Leaves    who is there (components), the store's health.
Invariant nothing is stored; the answer is what holds at the moment of the question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import orjson

from busk8s.api.object import Object
from busk8s.api.scheme import RESOURCES
from busk8s.master.apiserver.attributes import Unstored

STATUSES = RESOURCES["componentstatuses"]

Trouble = Callable[[], str | None]  # None: well; else why not.


class ComponentStatuses:
    """Meets attributes.Unstored; all other resources are `beside`'s. `troubles`: by the names
    that people see."""

    def __init__(self, troubles: Mapping[str, Trouble], beside: Unstored) -> None:
        self._troubles = troubles
        self._beside = beside
        self.watched: Callable[[str], AbstractAsyncContextManager[None]] = beside.watched
        self.run = beside.run

    def holds(self, resource_key: str) -> bool:
        return resource_key == STATUSES.key or self._beside.holds(resource_key)

    def get(
        self, resource_key: str, namespace: str, name: str, stored: Object | None
    ) -> Object | None:
        if resource_key != STATUSES.key:
            return self._beside.get(resource_key, namespace, name, stored)
        trouble = self._troubles.get(name)
        return None if trouble is None else _status(name, trouble())

    def list(
        self, resource_key: str, namespace: str | None, stored: Sequence[Object]
    ) -> Sequence[Object]:
        if resource_key != STATUSES.key:
            return self._beside.list(resource_key, namespace, stored)
        return [_status(name, trouble()) for name, trouble in sorted(self._troubles.items())]


def _status(name: str, trouble: str | None) -> Object:
    condition = {"type": "Healthy", "status": "True", "message": "ok"}
    if trouble is not None:
        condition = {"type": "Healthy", "status": "False", "message": trouble}
    body = orjson.dumps(
        {
            "kind": STATUSES.kind,
            "apiVersion": STATUSES.api_version,
            "metadata": {"name": name},
            "conditions": [condition],
        }
    )
    return Object(STATUSES, "", name, revision=0, body=body)
