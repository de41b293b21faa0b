"""Volumes: whether they are free, bound or released, and what becomes of those that are released.

Owns      a volume's phase; deletion by reclaim policy.
Leaves    binding (claim_binding), protection of volumes in use (storage_protection).
Invariant a volume that a claim had is never free again by itself: its data are still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from busk8s.api.claiming import BOUND_BY_CONTROLLER, PROVISIONED_BY
from busk8s.api.object import Json, Object
from busk8s.api.scheme import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, Resource
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import NOTHING, Emit, Plan, Update, put_status
from busk8s.master.controllers.children import spec_of, status_of
from busk8s.master.controllers.loop import Wake, own_key


@dataclass(frozen=True)
class Observed:
    """`claim`: what has the name that the volume refers to."""

    volume: Object
    claim: Object | None = None
    failure: Error | None = None


class VolumeKeeper:
    name = "persistentvolume-binder"
    component = "persistentvolume-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._volumes = caches.need(PERSISTENTVOLUMES)
        self._claims = caches.need(PERSISTENTVOLUMECLAIMS)
        self.wakes: Mapping[Resource, Wake] = {
            PERSISTENTVOLUMES: own_key,
            PERSISTENTVOLUMECLAIMS: self._woken_by_claim,
        }

    def _woken_by_claim(self, old: Object | None, new: Object | None) -> Iterable[str]:
        claim = new or old
        if claim is None:
            return []
        name = (claim.namespace, claim.name)
        return [volume.name for volume in self._volumes if _referred(volume) == name]

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        volume = self._volumes.get(key)
        if volume is None:
            return None
        namespace, name = _referred(volume)
        return Observed(volume, self._claims.get(f"{namespace}/{name}"), failure)

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed)


def plan(observed: Observed) -> Plan:
    volume, claim = observed.volume, observed.claim
    uid = (spec_of(volume).get("claimRef") or {}).get("uid")
    if not uid:
        return NOTHING if volume.deleting else _phase(volume, "Available")
    if claim is None or claim.uid != uid:
        return _released(volume)
    bound_to = spec_of(claim).get("volumeName")
    if bound_to == volume.name:
        return _phase(volume, "Bound")
    if bound_to and BOUND_BY_CONTROLLER in (volume.metadata.get("annotations") or {}):
        return Plan((_give_back(volume),))  # Its claim took another one in the meantime.
    return NOTHING


def _released(volume: Object) -> Plan:
    phase = status_of(volume).get("phase")
    if phase not in ("Released", "Failed"):
        return _phase(volume, "Released")
    policy = spec_of(volume).get("persistentVolumeReclaimPolicy") or "Retain"
    if policy == "Retain" or phase == "Failed" or volume.deleting:
        return NOTHING
    if PROVISIONED_BY in (volume.metadata.get("annotations") or {}):
        return NOTHING  # Whoever made it deletes it.
    if policy == "Recycle":
        reason, why = "VolumeRecycleFailed", "No recycler plugin found for the volume!"
    else:
        reason = "VolumeFailedDelete"
        why = (
            f'error getting deleter volume plugin for volume "{volume.name}": no deletable volume '
            "plugin matched"
        )
    status = {**status_of(volume), "phase": "Failed", "message": why}
    return Plan((*put_status(volume, status), Emit(volume, "Warning", reason, why)))


def _phase(volume: Object, phase: str) -> Plan:
    status: Json = {k: v for k, v in status_of(volume).items() if k not in ("message", "reason")}
    return Plan(tuple(put_status(volume, {**status, "phase": phase})))


def _give_back(volume: Object) -> Update:
    notes = {**(volume.metadata.get("annotations") or {})}
    del notes[BOUND_BY_CONTROLLER]
    metadata = {**volume.metadata, "annotations": notes, "resourceVersion": str(volume.revision)}
    spec = {key: value for key, value in spec_of(volume).items() if key != "claimRef"}
    return Update(volume.resource, {**volume.data, "metadata": metadata, "spec": spec})


def _referred(volume: Object) -> tuple[str, str]:
    reference = spec_of(volume).get("claimRef") or {}
    return reference.get("namespace", ""), reference.get("name", "")
