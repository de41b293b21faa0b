"""The files of configMap, secret, downwardAPI and projected volumes, before they touch a disk.

Owns      which keys become which paths, modes, what is missing and whether that matters.
Leaves    writing (atomic_files.py), mounting (volumes.py).
Invariant pure; raises VolumeError with upstream's words for what keeps the pod from starting.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from busk8s.api.object import Json, Object
from busk8s.worker.kubelet.downward import DownwardError, Facts, field_value, resource_value
from busk8s.worker.kubelet.env import Lookup
from busk8s.worker.kubelet.pods import Pod

MODE_DEFAULT = 0o644


class VolumeError(Exception):
    """The volume cannot be had; the text goes into a FailedMount event."""


@dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int


Payload = dict[str, File]


FindToken = Callable[[Pod, Json], str]  # of a serviceAccountToken source; raises VolumeError


def payload(
    pod: Pod, volume: Json, lookup: Lookup, facts: Facts, find_token: FindToken
) -> Payload | None:
    """None: this kind of volume is not made of files."""
    projected = volume.get("projected")
    if projected is not None:
        return _projected(pod, projected, lookup, facts, find_token)
    for kind, made_of in _KINDS.items():
        source = volume.get(kind)
        if source is not None:
            return made_of(pod, source, int(source.get("defaultMode", MODE_DEFAULT)), lookup, facts)
    return None


def _config_map(pod: Pod, source: Json, mode: int, lookup: Lookup, facts: Facts) -> Payload:
    name = source.get("name", "")
    found = lookup("configmaps", pod.namespace, name)
    if found is None:
        return _absent(source, f'configmap "{name}" not found')
    texts = {key: value.encode() for key, value in (found.data.get("data") or {}).items()}
    values = texts | _decoded(found.data.get("binaryData"))
    return _picked(values, source, mode, found)


def _secret(pod: Pod, source: Json, mode: int, lookup: Lookup, facts: Facts) -> Payload:
    name = source.get("secretName") or source.get("name", "")
    found = lookup("secrets", pod.namespace, name)
    if found is None:
        return _absent(source, f'secret "{name}" not found')
    return _picked(_decoded(found.data.get("data")), source, mode, found)


def _decoded(values: Mapping[str, str] | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (values or {}).items()}


def _absent(source: Json, message: str) -> Payload:
    if source.get("optional"):
        return {}
    raise VolumeError(message)


def _picked(values: Mapping[str, bytes], source: Json, mode: int, found: Object) -> Payload:
    items = source.get("items")
    if not items:
        return {key: File(data, mode) for key, data in values.items()}
    files: Payload = {}
    for item in items:
        if item["key"] not in values:
            if source.get("optional"):
                continue
            raise VolumeError(f"references non-existent {_kind(found)} key: {item['key']}")
        files[_path(item["path"])] = File(values[item["key"]], int(item.get("mode", mode)))
    return files


def _kind(found: Object) -> str:
    return "config" if found.resource.key == "configmaps" else "secret"


def _path(path: str) -> str:
    if not path or path.startswith("/") or ".." in path.split("/"):
        raise VolumeError(f"invalid path {path!r}: must be relative and must not contain '..'")
    return path


def _downward(pod: Pod, source: Json, mode: int, lookup: Lookup, facts: Facts) -> Payload:
    files: Payload = {}
    for item in source.get("items") or ():
        try:
            if reference := item.get("fieldRef"):
                text = field_value(pod, reference["fieldPath"], facts)
            else:
                text = resource_value(pod, {}, item["resourceFieldRef"], facts)
        except DownwardError as error:
            raise VolumeError(str(error)) from error
        files[_path(item["path"])] = File(text.encode(), int(item.get("mode", mode)))
    return files


def _projected(
    pod: Pod, source: Json, lookup: Lookup, facts: Facts, find_token: FindToken
) -> Payload:
    files: Payload = {}
    mode = int(source.get("defaultMode", MODE_DEFAULT))
    for part in source.get("sources") or ():
        if token := part.get("serviceAccountToken"):
            files[_path(token["path"])] = File(find_token(pod, token).encode(), mode)
        for kind, made_of in _PROJECTED.items():
            if kind in part:
                files.update(made_of(pod, part[kind], mode, lookup, facts))
        unknown = [k for k in part if k not in _PROJECTED and k != "serviceAccountToken"]
        if unknown:
            raise VolumeError(f"projected source {unknown[0]} is not supported")
    return files


_PROJECTED = {"configMap": _config_map, "secret": _secret, "downwardAPI": _downward}
_KINDS = _PROJECTED
