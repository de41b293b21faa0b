"""Writes pod statuses to the API: only what changed, the newest only, a few at a time.

Owns      which status the API has of each pod, and the queue of those it lacks.
Leaves    what a status says (status.py).
Bound     one pending status a pod, WRITES_IN_FLIGHT_MAX at once; a newer replaces an older.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from busk8s.api.object import Json
from busk8s.api.scheme import PODS
from busk8s.client.interface import Client
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.log import Logger
from busk8s.tasks import Nursery
from busk8s.worker.kubelet.conditions import AT_TIMES
from busk8s.worker.kubelet.pods import Pod

WRITES_IN_FLIGHT_MAX = 16
RETRY_MIN_S = 0.5
RETRY_MAX_S = 10.0
NODE_NOT_READY = "NodeNotReady"  # The node lifecycle controller's reason; no kubelet gives it.
FINAL_CODES = (404, 409, 422)  # The pod is gone, is another one, or would never be accepted.

log = Logger("kubelet.status")


@dataclass(slots=True)
class _Pending:
    pod: Pod
    status: Json
    due: float


class StatusWriter:
    def __init__(self, client: Client, clock: Clock, on_written: Callable[[str], None]) -> None:
        self._client = client
        self._clock = clock
        self._on_written = on_written
        self._known: dict[str, Json] = {}
        self._pending: dict[str, _Pending] = {}
        self._busy: dict[str, None] = {}
        self._retry_s = RETRY_MIN_S
        self._wake = asyncio.Event()

    def seed(self, uid: str, status: Json) -> None:
        """The API has this one: called at first sight of a pod and after each reset."""
        self._known[uid] = status

    def overruled(self, pod: Pod) -> None:
        """While we were silent the master said that `pod` is not ready: say again how it is."""
        ours = self.latest(pod.uid)
        if ours is None or not _by_master(pod.status) or _by_master(ours):
            return
        self._known[pod.uid] = pod.status
        self.submit(pod, ours)

    def latest(self, uid: str) -> Json | None:
        """The newest status handed in or known, written or not."""
        pending = self._pending.get(uid)
        return pending.status if pending is not None else self._known.get(uid)

    def written(self, uid: str, status: Json) -> bool:
        return self._known.get(uid) == status

    def unwritten(self) -> dict[str, Json]:
        return {uid: pending.status for uid, pending in self._pending.items()}

    def submit(self, pod: Pod, status: Json, *, delay_s: float = 0.0) -> None:
        """Write `status` unless the API has it; `delay_s` lets a better one overtake it."""
        if pod.uid not in self._busy and self._known.get(pod.uid) == status:
            self._pending.pop(pod.uid, None)
            return
        due = self._clock.monotonic() + delay_s
        pending = self._pending.get(pod.uid)
        if pending is not None and delay_s:
            due = min(due, pending.due)
        self._pending[pod.uid] = _Pending(pod, status, due)
        self._wake.set()

    def forget(self, uid: str) -> None:
        self._known.pop(uid, None)
        self._pending.pop(uid, None)

    async def run(self) -> None:
        async with Nursery() as nursery:
            while True:
                wait_s = self._dispatch(nursery)
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()

    def _dispatch(self, nursery: Nursery) -> float | None:
        """Start what is due; when to come back if nothing else happens."""
        now = self._clock.monotonic()
        next_due: float | None = None
        for uid, pending in list(self._pending.items()):
            if uid in self._busy or len(self._busy) >= WRITES_IN_FLIGHT_MAX:
                continue
            if pending.due > now:
                next_due = pending.due if next_due is None else min(next_due, pending.due)
                continue
            self._busy[uid] = None
            nursery.spawn(self._write(uid, pending), name=f"status {pending.pod.key}")
        return None if next_due is None else max(0.0, next_due - now)

    async def _write(self, uid: str, pending: _Pending) -> None:
        try:
            known = self._known.get(uid) or {}
            await self._client.patch(
                PODS,
                pending.pod.name,
                {"metadata": {"uid": uid}, "status": status_patch(known, pending.status)},
                namespace=pending.pod.namespace,
                kind="strategic",
                subresource="status",
            )
            self._done(uid, pending)
            self._retry_s = RETRY_MIN_S
        except Error as error:
            self._failed(uid, pending, error)
        finally:
            self._busy.pop(uid, None)
            self._wake.set()

    def _done(self, uid: str, pending: _Pending) -> None:
        self._known[uid] = pending.status
        if self._pending.get(uid) is pending:
            del self._pending[uid]
        self._on_written(uid)

    def _failed(self, uid: str, pending: _Pending, error: Error) -> None:
        if error.code in FINAL_CODES:
            log.info("status not taken", pod=pending.pod.key, error=error)
            self._done(uid, pending)
            return
        log.warning("status not written, will retry", pod=pending.pod.key, error=error)
        held = self._pending.get(uid)
        if held is not None:
            held.due = self._clock.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)


def status_patch(old: Json, new: Json) -> Json:
    """A strategic merge patch from `old` to `new`: changed fields, conditions by type."""
    patch: Json = {key: value for key, value in new.items() if old.get(key) != value}
    patch.update({key: None for key in old if key not in new})
    if "conditions" in patch:
        before = {entry["type"]: entry for entry in old.get("conditions") or ()}
        patch["conditions"] = [
            entry | {key: None for key in before.get(entry["type"], ()) if key not in entry}
            for entry in new["conditions"]
            if before.get(entry["type"]) != entry
        ]
        kept = {entry["type"] for entry in new["conditions"]}
        gone = [kind for kind in AT_TIMES if kind in before and kind not in kept]
        patch["conditions"] += [{"type": kind, "$patch": "delete"} for kind in gone]
    for field in ("podIPs", "hostIPs"):
        # Merged by ip upstream: without this the old address would stay beside the new one.
        if patch.get(field) and old.get(field):
            patch[field] = [*patch[field], {"$patch": "replace"}]
    return patch


def _by_master(status: Json) -> bool:
    return any(
        entry.get("type") == "Ready" and entry.get("reason") == NODE_NOT_READY
        for entry in status.get("conditions") or ()
    )
