"""Which ConfigMaps, Secrets and claims a pod names: in its environment and in its volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from busk8s.worker.kubelet.pods import Pod


class Reference(NamedTuple):
    kind: str  # configmaps, secrets or persistentvolumeclaims
    namespace: str
    name: str


def references(pod: Pod) -> frozenset[Reference]:
    named = [*_of_environment(pod.spec), *_of_volumes(pod.spec)]
    return frozenset(Reference(kind, pod.namespace, name) for kind, name in named if name)


def _of_environment(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    lists = [spec.get(f) or () for f in ("containers", "initContainers", "ephemeralContainers")]
    for container in chain.from_iterable(lists):
        for source in container.get("envFrom") or ():
            yield "configmaps", (source.get("configMapRef") or {}).get("name", "")
            yield "secrets", (source.get("secretRef") or {}).get("name", "")
        for variable in container.get("env") or ():
            value = variable.get("valueFrom") or {}
            yield "configmaps", (value.get("configMapKeyRef") or {}).get("name", "")
            yield "secrets", (value.get("secretKeyRef") or {}).get("name", "")


def _of_volumes(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for volume in spec.get("volumes") or ():
        yield "configmaps", (volume.get("configMap") or {}).get("name", "")
        yield "secrets", (volume.get("secret") or {}).get("secretName", "")
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
        yield "persistentvolumeclaims", claim
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield "configmaps", (source.get("configMap") or {}).get("name", "")
            yield "secrets", (source.get("secret") or {}).get("name", "")
