"""Claims, volumes and storage classes as the scheduler knows them. Pure.

Owns      the three tables, and what a pod's claims mean for its node.
Leaves    following the API (loop), refusing nodes and reserving volumes (plugins.volume_binding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from busk8s.api.claiming import class_of, waits_for_consumer
from busk8s.api.object import Object
from busk8s.api.scheme import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, STORAGECLASSES
from busk8s.client.interface import Change, Gone, Put, Reset
from busk8s.master.scheduler.pod import PodInfo

KINDS = (PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, STORAGECLASSES)


@dataclass(frozen=True, slots=True)
class Needs:
    """Of one pod: volumes that it has, claims whose volume is chosen with the node; or `why` no
    node can take it."""

    volumes: Sequence[Object] = ()
    unbound: Sequence[Object] = ()
    why: str = ""


NOTHING = Needs()


class VolumeFacts:
    def __init__(self) -> None:
        self._tables: Mapping[str, dict[str, Object]] = {kind.key: {} for kind in KINDS}

    def apply(self, key: str, change: Change) -> None:
        table = self._tables[key]
        match change:
            case Reset(objects=objects):
                table.clear()
                table.update((obj.key, obj) for obj in objects)
            case Put(object=obj):
                table[obj.key] = obj
            case Gone(object=obj):
                table.pop(obj.key, None)

    @property
    def volumes(self) -> Sequence[Object]:
        return list(self._tables[PERSISTENTVOLUMES.key].values())

    def class_of(self, claim: Object) -> Object | None:
        return self._tables[STORAGECLASSES.key].get(class_of(claim))

    def needs(self, pod: PodInfo) -> Needs:
        if not pod.kind.claims:
            return NOTHING
        volumes, unbound = list[Object](), list[Object]()
        for name in pod.kind.claims:
            claim = self._tables[PERSISTENTVOLUMECLAIMS.key].get(f"{pod.namespace}/{name}")
            if why := _unusable(claim, name):
                return Needs(why=why)
            assert claim is not None
            bound = (claim.data.get("spec") or {}).get("volumeName")
            if bound:
                volume = self._tables[PERSISTENTVOLUMES.key].get(bound)
                if volume is None:
                    return Needs(why=f'persistentvolume "{bound}" not found')
                volumes.append(volume)
            elif waits_for_consumer(self.class_of(claim)):
                unbound.append(claim)
            else:
                return Needs(why="pod has unbound immediate PersistentVolumeClaims")
        return Needs(volumes, unbound)


def _unusable(claim: Object | None, name: str) -> str:
    if claim is None:
        return f'persistentvolumeclaim "{name}" not found'
    if claim.deleting:
        return f'persistentvolumeclaim "{name}" is being deleted'
    if (claim.data.get("status") or {}).get("phase") == "Lost":
        bound = (claim.data.get("spec") or {}).get("volumeName") or ""
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{bound}"'
    return ""
