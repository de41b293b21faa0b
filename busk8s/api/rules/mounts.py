"""Where a container finds the volumes of its pod: mounts, and block devices.

Source    Kubernetes API reference, VolumeMount and VolumeDevice; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import forbidden, invalid, not_found, not_supported, required
from busk8s.api.rules.paths import no_way_up, relative_path
from busk8s.errors import Cause

Json = dict[str, Any]

PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(
    container: Json, path: str, volumes: dict[str, Json], causes: list[Cause]
) -> None:
    devices = container.get("volumeDevices") or ()
    used, paths = {each.get("name") for each in devices}, {d.get("devicePath") for d in devices}
    seen: set[str] = set()
    for index, mount in enumerate(container["volumeMounts"]):
        here, name, where = f"{path}[{index}]", mount.get("name") or "", mount.get("mountPath")
        if not name:
            causes.append(required(f"{here}.name"))
        if name not in volumes:
            causes.append(not_found(f"{here}.name", name))
        if not where:
            causes.append(required(f"{here}.mountPath"))
        elif where in seen:
            causes.append(invalid(f"{here}.mountPath", where, "must be unique"))
        seen.add(where or "")
        if name and name in used:
            detail = "must not already exist in volumeDevices"
            causes.append(invalid(f"{here}.name", name, detail))
        if where and where in paths:
            detail = "must not already exist as a path in volumeDevices"
            causes.append(invalid(f"{here}.mountPath", where, detail))
        if len(mount) > 2:
            _validate_ways(mount, container, path, here, causes)


def _validate_ways(mount: Json, container: Json, path: str, here: str, causes: list[Cause]) -> None:
    """Upstream names the list, not the mount, for most of these."""
    if inside := mount.get("subPath"):
        causes += relative_path(inside, f"{path}.subPath")
    if inside := mount.get("subPathExpr"):
        if mount.get("subPath"):
            detail = "subPathExpr and subPath are mutually exclusive"
            causes.append(invalid(f"{here}.subPathExpr", inside, detail))
        causes += relative_path(inside, f"{path}.subPathExpr")
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        where = f"{path}.mountPropagation"
        privileged = (container.get("securityContext") or {}).get("privileged")
        if propagation not in PROPAGATIONS:
            causes.append(not_supported(where, propagation, PROPAGATIONS))
        if propagation == "Bidirectional" and not privileged:
            detail = "Bidirectional mount propagation is available only to privileged containers"
            causes.append(forbidden(where, detail))
    if (recursive := mount.get("recursiveReadOnly")) is not None:
        where = f"{path}.recursiveReadOnly"
        if recursive not in RECURSIVE:
            causes.append(not_supported(where, recursive, RECURSIVE))
        elif recursive != "Disabled":
            if not mount.get("readOnly"):
                causes.append(forbidden(where, "may only be specified when readOnly is true"))
            if propagation not in (None, "None"):
                detail = "may only be specified when mountPropagation is None or not specified"
                causes.append(forbidden(where, detail))


def validate_devices(
    container: Json, path: str, volumes: dict[str, Json], causes: list[Cause]
) -> None:
    mounts = container.get("volumeMounts") or ()
    mounted, taken = {each.get("name") for each in mounts}, {m.get("mountPath") for m in mounts}
    names: set[str] = set()
    paths: set[str] = set()
    for index, device in enumerate(container["volumeDevices"]):
        here, name = f"{path}[{index}]", device.get("name") or ""
        where = device.get("devicePath") or ""
        if not name:
            causes.append(required(f"{here}.name"))
        if name in names:
            causes.append(invalid(f"{here}.name", name, "must be unique"))
        if name not in volumes:
            causes.append(not_found(f"{here}.name", name))
        elif not volumes[name].keys() & {"persistentVolumeClaim", "ephemeral"}:
            detail = (
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block "
                "mode"
            )
            causes.append(invalid(f"{here}.name", name, detail))
        if not where:
            causes.append(required(f"{here}.devicePath"))
        if where in paths:
            causes.append(invalid(f"{here}.devicePath", where, "must be unique"))
        if no_way_up(where, ""):
            detail = "can not contain backsteps ('..')"
            causes.append(invalid(f"{here}.devicePath", where, detail))
        if name and name in mounted:
            detail = "must not already exist in volumeMounts"
            causes.append(invalid(f"{here}.name", name, detail))
        if where and where in taken:
            detail = "must not already exist as a path in volumeMounts"
            causes.append(invalid(f"{here}.devicePath", where, detail))
        names.add(name)
        paths.add(where)
