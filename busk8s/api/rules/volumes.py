"""Volumes of a pod: one source each, and what the common sources need.

Source    Kubernetes API reference, Volume; the rules of core validation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from busk8s.api.meta import config_key_errors, label_errors, subdomain_errors
from busk8s.api.quantity import nanos
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from busk8s.api.rules.container import (
    VOLUME_FIELD_PATHS,
    relative_path,
    validate_field_ref,
    validate_resource_ref,
)
from busk8s.errors import Cause

Json = dict[str, Any]

MODE_MAX = 0o777
TOKEN_EXPIRATION_MIN_S = 600
TOKEN_EXPIRATION_MAX_S = 1 << 32
HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate",
    "Socket",
)  # fmt: skip
_PROJECTIONS = (
    "secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle",
    "podCertificate",
)  # fmt: skip
# Sources that need nothing more than these fields filled.
_NEEDED = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "csi": ("driver",),
    "flexVolume": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "persistentVolumeClaim": ("claimName",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "quobyte": ("registry", "volume"),
    "rbd": ("monitors", "image"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "vsphereVolume": ("volumePath",),
}

# What the persistent form needs beyond.
_NEEDED_PERSISTENT = {"csi": ("volumeHandle",), "local": ("path",)}


def validate_volumes(volumes: list[Json], path: str, causes: list[Cause]) -> dict[str, Json]:
    """The volumes by name, for the mounts to refer to."""
    found: dict[str, Json] = {}
    for index, volume in enumerate(volumes):
        name = volume.get("name")
        if not name:
            causes.append(required(f"{path}[{index}].name"))
        elif errors := label_errors(name):
            causes += invalid_each(f"{path}[{index}].name", name, errors)
        elif name in found:
            causes.append(duplicate(f"{path}[{index}].name", name))
        _validate_source(volume, f"{path}[{index}]", causes)
        if name:
            found[name] = volume
    return found


def _validate_source(volume: Json, path: str, causes: list[Cause]) -> None:
    sources = [key for key in volume if key != "name"]
    if not sources:
        causes.append(required(path, "must specify a volume type"))
    for extra in sources[1:]:
        causes.append(forbidden(f"{path}.{extra}", "may not specify more than 1 volume type"))
    for source in sources[:1]:
        here = f"{path}.{source}"
        for field in _NEEDED.get(source, ()):
            if not volume[source].get(field):
                causes.append(required(f"{here}.{field}"))
        if validate := _SOURCES.get(source):
            validate(volume[source], here, causes)


def validate_persistent_source(spec: Json, name: str, path: str, causes: list[Cause]) -> None:
    """The source `name` of a PersistentVolumeSpec: most are as in a pod, some need more."""
    source, here = spec[name], f"{path}.{name}"
    for field in (*_NEEDED.get(name, ()), *_NEEDED_PERSISTENT.get(name, ())):
        if not source.get(field):
            causes.append(required(f"{here}.{field}"))
    if validate := _SOURCES.get(name):
        validate(source, here, causes)
    elif name == "local" and source.get("path"):
        causes += _no_way_up(source["path"], f"{here}.path")


def _empty_dir(source: Json, path: str, causes: list[Cause]) -> None:
    limit = source.get("sizeLimit")
    if limit is not None and nanos(limit) < 0:
        detail = "SizeLimit field must be a valid resource quantity"
        causes.append(forbidden(f"{path}.sizeLimit", detail))


def _host_path(source: Json, path: str, causes: list[Cause]) -> None:
    where = source.get("path")
    if not where:
        causes.append(required(f"{path}.path"))
    else:
        causes += _no_way_up(where, f"{path}.path")
    kind = source.get("type", "")
    if kind not in HOST_PATH_TYPES:
        causes.append(not_supported(f"{path}.type", kind, HOST_PATH_TYPES[1:]))


def _no_way_up(where: str, path: str) -> list[Cause]:
    return [invalid(path, where, "must not contain '..'")] if ".." in where.split("/") else []


def _nfs(source: Json, path: str, causes: list[Cause]) -> None:
    if not source.get("server"):
        causes.append(required(f"{path}.server"))
    where = source.get("path")
    if not where:
        causes.append(required(f"{path}.path"))
    elif not where.startswith("/"):
        causes.append(invalid(f"{path}.path", where, "must be an absolute path"))


def _secret(source: Json, path: str, causes: list[Cause]) -> None:
    if not source.get("secretName"):
        causes.append(required(f"{path}.secretName"))
    _files(source, path, causes)


def _config_map(source: Json, path: str, causes: list[Cause]) -> None:
    if not source.get("name"):
        causes.append(required(f"{path}.name"))
    _files(source, path, causes)


def _files(source: Json, path: str, causes: list[Cause]) -> None:
    _mode(source.get("defaultMode"), f"{path}.defaultMode", causes)
    for index, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{index}]"
        if not item.get("key"):
            causes.append(required(f"{here}.key"))
        elif errors := config_key_errors(item["key"]):
            causes += invalid_each(f"{here}.key", item["key"], errors)
        _file_path(item.get("path"), f"{here}.path", causes)
        _mode(item.get("mode"), f"{here}.mode", causes)


def _file_path(where: str | None, path: str, causes: list[Cause]) -> None:
    if not where:
        causes.append(required(path))
        return
    causes += relative_path(where, path)
    if where.startswith("..") and where.partition("/")[0] != "..":
        causes.append(invalid(path, where, "must not start with '..'"))


def _mode(mode: int | None, path: str, causes: list[Cause]) -> None:
    if mode is not None and not 0 <= mode <= MODE_MAX:
        detail = "must be a number between 0 and 0777 (octal), both inclusive"
        causes.append(invalid(path, mode, detail))


def _downward(source: Json, path: str, causes: list[Cause]) -> None:
    _mode(source.get("defaultMode"), f"{path}.defaultMode", causes)
    for index, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{index}]"
        _file_path(item.get("path"), f"{here}.path", causes)
        _mode(item.get("mode"), f"{here}.mode", causes)
        if "fieldRef" in item:
            validate_field_ref(item["fieldRef"], f"{here}.fieldRef", VOLUME_FIELD_PATHS, causes)
            if "resourceFieldRef" in item:
                detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
                causes.append(invalid(here, "resource", detail))
        elif "resourceFieldRef" in item:
            validate_resource_ref(item["resourceFieldRef"], f"{here}.resourceFieldRef", causes)
            if not item["resourceFieldRef"].get("containerName"):
                causes.append(required(f"{here}.resourceFieldRef.containerName"))
        else:
            detail = "one of fieldRef and resourceFieldRef is required"
            causes.append(required(f"{here}.fieldRef", detail))


def _projected(source: Json, path: str, causes: list[Cause]) -> None:
    _mode(source.get("defaultMode"), f"{path}.defaultMode", causes)
    for index, projection in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        given = [name for name in _PROJECTIONS if name in projection]
        if not given:
            causes.append(required(here, "must specify a volume type"))
        for extra in given[1:]:
            causes.append(forbidden(f"{here}.{extra}", "may not specify more than 1 volume type"))
        for name in given[:1]:
            _projection(name, projection[name], f"{here}.{name}", causes)


def _projection(name: str, source: Json, path: str, causes: list[Cause]) -> None:
    if name == "downwardAPI":
        _downward(source, path, causes)
    elif name in ("secret", "configMap"):
        if not source.get("name"):
            causes.append(required(f"{path}.name"))
        _files(source, path, causes)
    elif name == "serviceAccountToken":
        seconds = source.get("expirationSeconds", TOKEN_EXPIRATION_MIN_S)
        if seconds < TOKEN_EXPIRATION_MIN_S:
            detail = "may not specify a duration less than 10 minutes"
            causes.append(invalid(f"{path}.expirationSeconds", seconds, detail))
        elif seconds > TOKEN_EXPIRATION_MAX_S:
            detail = "may not specify a duration larger than 2^32 seconds"
            causes.append(invalid(f"{path}.expirationSeconds", seconds, detail))
        _file_path(source.get("path"), f"{path}.path", causes)


def _claim_template(source: Json, path: str, causes: list[Cause]) -> None:
    template = source.get("volumeClaimTemplate")
    if not template:
        causes.append(required(f"{path}.volumeClaimTemplate"))
        return
    spec = template.get("spec") or {}
    if not spec.get("accessModes"):
        detail = "at least 1 access mode is required"
        causes.append(required(f"{path}.volumeClaimTemplate.spec.accessModes", detail))
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        causes.append(required(f"{path}.volumeClaimTemplate.spec.resources[storage]"))


def _csi(source: Json, path: str, causes: list[Cause]) -> None:
    driver = source.get("driver")
    if driver and (errors := subdomain_errors(driver.lower())):
        causes += invalid_each(f"{path}.driver", driver, errors)


_SOURCES: dict[str, Callable[[Json, str, list[Cause]], None]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "nfs": _nfs,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
    "ephemeral": _claim_template,
    "csi": _csi,
}
