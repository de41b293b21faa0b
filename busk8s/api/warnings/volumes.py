"""Warnings about volumes: kinds that are gone, files that hide a token, fractions of a byte.

Source    upstream pkg/api/pod and pkg/api/persistentvolumeclaim warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from busk8s.api import quantity

Json = dict[str, Any]

_GONE = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageOS": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_DUPLICATED = "has duplicated path with ServiceAccountToken"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_CLASS_SAID = 'deprecated since v1.8; use "storageClassName" attribute instead'


def of_volumes(volumes: Sequence[Json], at: str) -> list[str]:
    said: list[str] = []
    for index, volume in enumerate(volumes):
        for kind in volume:
            if kind in _GONE:
                shown = "storageOS" if kind == "storageos" else kind
                said.append(f"{at}[{index}].{shown}: {_GONE[kind]}")
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
        if template:
            where = f"{at}[{index}].ephemeral.volumeClaimTemplate.spec"
            said += of_claim_spec(template.get("spec") or {}, where)
    return said + _hidden_tokens(volumes, at)


def of_claim_spec(spec: Json, at: str) -> list[str]:
    amount = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if amount is None or quantity.millis(amount) % 1_000 == 0:
        return []
    rest = f'fractional byte value "{amount}" is invalid, must be an integer'
    return [f"{at}.resources.requests[storage]: {rest}"]


def of_class_annotation(obj: Json) -> list[str]:
    if BETA_CLASS not in ((obj.get("metadata") or {}).get("annotations") or {}):
        return []
    return [f"metadata.annotations[{BETA_CLASS}]: {_CLASS_SAID}"]


def _hidden_tokens(volumes: Sequence[Json], at: str) -> list[str]:
    """Files of a projected volume that stand where a token stands."""
    sources = [
        (index, source)
        for index, volume in enumerate(volumes)
        for source in (volume.get("projected") or {}).get("sources") or ()
    ]
    tokens = {
        source["serviceAccountToken"].get("path")
        for _, source in sources
        if source.get("serviceAccountToken")
    }
    if not tokens:
        return []
    return [
        f'{at}[{index}].projected.sources.{where}: {_DUPLICATED} "{path}"'
        for index, source in sources
        for where, path in _paths(source)
        if path in tokens
    ]


def _paths(source: Json) -> Iterator[tuple[str, str]]:
    """The files a source makes, and where upstream says they are."""
    for kind, shown in (("configMap", "configMap"), ("secret", "secrets"), ("downwardAPI",) * 2):
        for index, item in enumerate((source.get(kind) or {}).get("items") or ()):
            yield f"{shown}[{index}]", item.get("path", "")
    if source.get("clusterTrustBundle"):
        yield "ClusterTrustBundle", source["clusterTrustBundle"].get("path", "")
