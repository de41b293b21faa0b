"""Claims are bound to volumes: the claim's side of it.

Owns      finding a volume for a claim, the steps that bind both, the claim's phase.
Leaves    the volume's phase and what becomes of it (volume_release), which volume fits
          (api.claiming), claims that wait for a pod's node (scheduler).
Invariant a step writes one object; the volume is reserved, by a write that fails when it has
          changed, before the claim names it, so a volume never serves two claims.
Source    Kubernetes documentation, "Persistent Volumes"; the behaviour of the binder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from busk8s.api.claiming import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
    best_volume,
    class_of,
    is_reserved_for,
    misfit,
    reservation,
    waits_for_consumer,
)
from busk8s.api.object import Json, Object
from busk8s.api.scheme import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, STORAGECLASSES, Resource
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import NOTHING, Emit, Plan, Update, put_status
from busk8s.master.controllers.children import spec_of, status_of
from busk8s.master.controllers.loop import Wake, own_key

WITHOUT_PROVISIONER = "kubernetes.io/no-provisioner"


@dataclass(frozen=True)
class Observed:
    claim: Object
    volumes: Mapping[str, Object] = field(default_factory=dict)
    storage_class: Object | None = None
    failure: Error | None = None


class ClaimBinder:
    name = "persistentvolumeclaim-binder"
    component = "persistentvolume-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._claims = caches.need(PERSISTENTVOLUMECLAIMS)
        self._volumes = caches.need(PERSISTENTVOLUMES)
        self._classes = caches.need(STORAGECLASSES)
        self.wakes: Mapping[Resource, Wake] = {
            PERSISTENTVOLUMECLAIMS: own_key,
            PERSISTENTVOLUMES: self._woken_by_volume,
            STORAGECLASSES: self._woken_by_class,
        }

    def _woken_by_volume(self, old: Object | None, new: Object | None) -> Iterable[str]:
        keys: dict[str, None] = {}
        for volume in (old, new):
            if volume is not None and (reference := spec_of(volume).get("claimRef")):
                keys[f"{reference.get('namespace')}/{reference.get('name')}"] = None
        if new is not None and not spec_of(new).get("claimRef"):
            wanted = class_of(new)
            keys |= {c.key: None for c in self._waiting() if class_of(c) == wanted}
        names = {volume.name for volume in (old, new) if volume is not None}
        keys |= {c.key: None for c in self._claims if spec_of(c).get("volumeName") in names}
        return keys

    def _woken_by_class(self, old: Object | None, new: Object | None) -> Iterable[str]:
        return [] if new is None else [c.key for c in self._waiting() if class_of(c) == new.name]

    def _waiting(self) -> list[Object]:
        return [claim for claim in self._claims if not spec_of(claim).get("volumeName")]

    def observe(self, key: str, failure: Error | None) -> Observed | None:
        claim = self._claims.get(key)
        if claim is None or claim.deleting:
            return None
        volumes = {volume.name: volume for volume in self._volumes}
        return Observed(claim, volumes, self._classes.get(class_of(claim)), failure)

    def plan(self, observed: Observed, now: float) -> Plan:
        return plan(observed)


def plan(observed: Observed) -> Plan:
    """The next step that binds the claim, or why there is none."""
    claim = observed.claim
    named = spec_of(claim).get("volumeName")
    if _notes(claim).get(BIND_COMPLETED):
        return _keep(observed)
    if not named:
        return _search(observed)
    volume = observed.volumes.get(named)
    if volume is None:
        return _phase(claim, "Pending")
    reference = spec_of(volume).get("claimRef")
    if reference and not is_reserved_for(volume, claim):
        why = f'volume "{named}" already bound to a different claim.'
        return _phase(claim, "Pending", ("FailedBinding", why))
    if not reference and (why := misfit(volume, claim)):
        why = f'Cannot bind to requested volume "{named}": {why}'
        return _phase(claim, "Pending", ("VolumeMismatch", why))
    return bind(volume, claim)


def _search(observed: Observed) -> Plan:
    claim, storage_class = observed.claim, observed.storage_class
    delayed = waits_for_consumer(storage_class) and SELECTED_NODE not in _notes(claim)
    volumes: Iterable[Object] = observed.volumes.values()
    if delayed:  # Only what was reserved for it: by its user, or by the scheduler for a pod.
        volumes = [v for v in volumes if is_reserved_for(v, claim)]
    found = best_volume(claim, volumes)
    if found is not None:
        return bind(found, claim)
    if delayed:
        why = "waiting for first consumer to be created before binding"
        return _phase(claim, "Pending", ("WaitForFirstConsumer", why), normal=True)
    provisioner = "" if storage_class is None else storage_class.data.get("provisioner") or ""
    if provisioner and provisioner != WITHOUT_PROVISIONER:
        why = (
            f"Waiting for a volume to be created either by the external provisioner "
            f"'{provisioner}' or manually by the system administrator. If volume creation is "
            "delayed, please verify that the provisioner is running and correctly registered."
        )
        return _phase(claim, "Pending", ("ExternalProvisioning", why), normal=True)
    why = "no persistent volumes available for this claim and no storage class is set"
    if name := class_of(claim):
        why = f'storageclass.storage.k8s.io "{name}" not found'
        if storage_class is None:
            return _phase(claim, "Pending", ("ProvisioningFailed", why))
        why = "no volume plugin matched name: " + WITHOUT_PROVISIONER
    return _phase(claim, "Pending", ("FailedBinding", why), normal=True)


def _keep(observed: Observed) -> Plan:
    """The claim was bound once; nothing else may ever take the volume's place."""
    claim = observed.claim
    named = spec_of(claim).get("volumeName")
    if not named:
        why = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        return _phase(claim, "Lost", ("ClaimLost", why))
    volume = observed.volumes.get(named)
    if volume is None:
        why = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        return _phase(claim, "Lost", ("ClaimLost", why))
    if spec_of(volume).get("claimRef") and not is_reserved_for(volume, claim):
        why = "Two claims are bound to the same volume, this one is bound incorrectly"
        return _phase(claim, "Lost", ("ClaimMisbound", why))
    return bind(volume, claim)


def bind(volume: Object, claim: Object) -> Plan:
    """One write of those that bind the two, in their order; nothing when they are bound."""
    reference = spec_of(volume).get("claimRef") or {}
    if reference.get("uid") != claim.uid:
        return Plan((Update(volume.resource, reservation(volume, claim)),))
    if status_of(volume).get("phase") != "Bound":
        return Plan(tuple(put_status(volume, {**status_of(volume), "phase": "Bound"})))
    notes = _notes(claim)
    if spec_of(claim).get("volumeName") != volume.name or BIND_COMPLETED not in notes:
        return Plan((_naming(claim, volume.name),))
    spec = spec_of(volume)
    status = {
        **status_of(claim),
        "phase": "Bound",
        "accessModes": spec.get("accessModes") or [],
        "capacity": spec.get("capacity") or {},
    }
    return Plan(tuple(put_status(claim, status)))


def _naming(claim: Object, volume: str) -> Update:
    marks = {BIND_COMPLETED: "yes"}
    if not spec_of(claim).get("volumeName"):
        marks[BOUND_BY_CONTROLLER] = "yes"
    metadata = {**claim.metadata, "resourceVersion": str(claim.revision)}
    metadata["annotations"] = {**_notes(claim), **marks}
    spec = {**spec_of(claim), "volumeName": volume}
    return Update(claim.resource, {**claim.data, "metadata": metadata, "spec": spec})


def _phase(
    claim: Object, phase: str, why: tuple[str, str] | None = None, *, normal: bool = False
) -> Plan:
    """Say how the claim is, and why by an event, which counts how often it was looked at."""
    actions = put_status(claim, {**status_of(claim), "phase": phase})
    if why is not None and (phase == "Pending" or actions):
        actions.append(Emit(claim, "Normal" if normal else "Warning", *why))
    return Plan(tuple(actions)) if actions else NOTHING


def _notes(obj: Object) -> Json:
    notes: Json = obj.metadata.get("annotations") or {}
    return notes
