"""Makes and mends the default roles and bindings at each start.

Owns      asking the API for each default object, and doing what the plan says.
Leaves    which objects, and what is missing in them (reconcile).
Invariant idempotent; safe beside another API server that does the same over the same store.
"""

from __future__ import annotations

import asyncio

from busk8s import errors
from busk8s.api.object import Json
from busk8s.master.apiserver.loopback import Dispatch, ask
from busk8s.master.apiserver.rbac.reconcile import Recreate, collection, default_objects, plan

ATTEMPTS_MAX = 3  # Lost races against somebody else's writes to one object.
AT_ONCE_MAX = 64  # Writes that share commits with each other.


async def bootstrap_roles(dispatch: Dispatch) -> None:
    """Raises errors.Error when the API refuses."""
    waiting = iter(tuple(default_objects()))

    async def work() -> None:
        for wanted in waiting:
            await _settle(dispatch, wanted)

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE_MAX):
            workers.create_task(work())


async def _settle(dispatch: Dispatch, wanted: Json) -> None:
    where = collection(wanted)
    path = f"{where}/{wanted['metadata']['name']}"
    for _ in range(ATTEMPTS_MAX):
        found = await _ask(dispatch, "GET", path)
        if found is None:
            if await _ask(dispatch, "POST", where, wanted) is not None:
                return
            continue
        todo = plan(found, wanted)
        if todo is None:
            return
        if isinstance(todo, Recreate):
            await _ask(dispatch, "DELETE", path)
        elif await _ask(dispatch, "PUT", path, todo.object) is not None:
            return
    raise errors.conflict(wanted["kind"], wanted["metadata"]["name"])


async def _ask(dispatch: Dispatch, method: str, path: str, body: Json | None = None) -> Json | None:
    """The answer; None where somebody else was quicker, or nothing is there."""
    status, answer = await ask(dispatch, method, path, body)
    if status < 400:
        return answer
    if status in (404, 409):
        return None
    raise errors.Error.from_status(answer)
