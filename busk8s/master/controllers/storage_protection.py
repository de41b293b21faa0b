"""Claims and volumes that are being deleted go when nobody uses them any more.

Owns      the finalizers `kubernetes.io/pvc-protection` and `kubernetes.io/pv-protection`.
Leaves    putting them there (admission).
Invariant a finalizer is taken away only after the server itself listed no pod that uses the claim.
"""

from __future__ import annotations

from collections.abc import Mapping

from busk8s.api.object import Object
from busk8s.api.scheme import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, PODS, Resource
from busk8s.client.interface import Client
from busk8s.client.reflector import SharedCaches
from busk8s.errors import Error
from busk8s.master.controllers.actions import Call, Patch, Plan
from busk8s.master.controllers.children import is_finished, spec_of, status_of
from busk8s.master.controllers.loop import Wake, own_key

CLAIM, VOLUME = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"
LOOK_AGAIN_S = 2.0  # While a pod uses the claim: pods end without telling us.


class ClaimProtection:
    name = "pvc-protection"
    component = "pvc-protection-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._claims = caches.need(PERSISTENTVOLUMECLAIMS)
        self.wakes: Mapping[Resource, Wake] = {PERSISTENTVOLUMECLAIMS: own_key}

    def observe(self, key: str, failure: Error | None) -> Object | None:
        return _held(self._claims.get(key), CLAIM)

    def plan(self, observed: Object, now: float) -> Plan:
        async def release(client: Client) -> None:
            pods = await client.list(PODS, namespace=observed.namespace)
            if not any(uses(pod, observed.name) for pod in pods.items):
                await client.patch(
                    PERSISTENTVOLUMECLAIMS,
                    observed.name,
                    _without(observed, CLAIM),
                    namespace=observed.namespace,
                )

        return Plan((Call(f"release the claim {observed.key}", release),), LOOK_AGAIN_S)


class VolumeProtection:
    name = "pv-protection"
    component = "pv-protection-controller"

    def __init__(self, caches: SharedCaches) -> None:
        self._volumes = caches.need(PERSISTENTVOLUMES)
        self.wakes: Mapping[Resource, Wake] = {PERSISTENTVOLUMES: own_key}

    def observe(self, key: str, failure: Error | None) -> Object | None:
        volume = _held(self._volumes.get(key), VOLUME)
        return None if volume is None or status_of(volume).get("phase") == "Bound" else volume

    def plan(self, observed: Object, now: float) -> Plan:
        return Plan((Patch(observed, _without(observed, VOLUME)),))


def uses(pod: Object, claim: str) -> bool:
    """Whether `pod` uses the claim of this name; a finished or unbound pod that ends does not."""
    if is_finished(pod):
        return False
    if pod.deleting and not spec_of(pod).get("nodeName"):
        return False
    for volume in spec_of(pod).get("volumes") or ():
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == claim:
            return True
        if volume.get("ephemeral") is not None and f"{pod.name}-{volume.get('name')}" == claim:
            return True
    return False


def _held(obj: Object | None, finalizer: str) -> Object | None:
    if obj is None or not obj.deleting:
        return None
    return obj if finalizer in (obj.metadata.get("finalizers") or ()) else None


def _without(obj: Object, finalizer: str) -> dict[str, object]:
    """The revision makes sure that nobody's finalizer is lost."""
    rest = [each for each in obj.metadata["finalizers"] if each != finalizer]
    return {"metadata": {"finalizers": rest, "resourceVersion": str(obj.revision)}}
