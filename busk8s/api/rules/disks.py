"""Disks and shares, of a pod's volume or of a PersistentVolume: what each kind needs.

Leaves    which of them anything here can mount (the kubelet says so).
Source    Kubernetes API reference, Volume and PersistentVolumeSpec; the rules of core validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from busk8s.api.meta import label_errors, subdomain_errors
from busk8s.api.rules.cause import (
    in_range,
    invalid,
    invalid_each,
    not_supported,
    required,
    too_long,
)
from busk8s.api.rules.paths import no_way_up, relative_path
from busk8s.errors import Cause

Json = dict[str, Any]

DRIVER_NAME_MAX = 63
TENANT_LENGTH_MAX = 64
HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate",
    "Socket",
)  # fmt: skip
# Fields that must be there, and not empty.
NEEDED = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "flexVolume": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "nfs": ("server", "path"),
    "persistentVolumeClaim": ("claimName",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "rbd": ("monitors", "image"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "vsphereVolume": ("volumePath",),
}
_REGISTRY = "must be a host:port pair or multiple pairs separated by commas"
_RESERVED = (".kubernetes.io", ".k8s.io")
_CACHING = ("None", "ReadOnly", "ReadWrite")
_DISKS = ("Dedicated", "Managed", "Shared")
_MANAGED_URI = (
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/"
    "{disk-id}"
)
_BLOB_URI = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
_INITIATORS = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([a-zA-Z0-9\-.]+)(:[^,;*&$|\s]+)$", re.ASCII),
    "eui": re.compile(r"^eui.[a-zA-Z0-9]{16}$", re.ASCII),
    "naa": re.compile(r"^naa.[a-zA-Z0-9]{32}$", re.ASCII),
}
# References of a PersistentVolume to a Secret, which lies in some namespace.
_CSI_SECRETS = (
    "controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef",
    "nodeExpandSecretRef",
)  # fmt: skip


def need(source: Json, path: str, fields: tuple[str, ...], causes: list[Cause]) -> None:
    causes += [required(f"{path}.{field}") for field in fields if not source.get(field)]


def validate_persistent_source(
    spec: Json, name: str, path: str, volume_name: str, causes: list[Cause]
) -> None:
    """The source `name` of a PersistentVolumeSpec: most are as in a pod, some need more."""
    source, here = spec[name], f"{path}.{name}"
    if name == "csi":
        _persistent_csi(source, here, causes)
        return
    need(source, here, NEEDED.get(name, ()), causes)
    if name == "local":
        need(source, here, ("path",), causes)
        causes += no_way_up(source.get("path") or "", f"{here}.path")
    elif name == "iscsi":
        _iscsi_persistent(source, here, volume_name, causes)
    elif validate := SOURCES.get(name):
        validate(source, here, causes)
    if name in ("cinder", "storageos") and source.get("secretRef") is not None:
        need(source["secretRef"], f"{here}.secretRef", ("namespace",), causes)
    if name == "azureFile" and source.get("secretNamespace") == "":
        causes.append(required(f"{here}.secretNamespace"))
    if name == "glusterfs" and (space := source.get("endpointsNamespace")) is not None:
        at = f"{here}.endpointsNamespace"
        if not space:
            detail = "if the endpointnamespace is set, it must be a valid namespace name"
            causes.append(invalid(at, space, detail))
        else:
            causes += invalid_each(at, space, label_errors(space))


def _persistent_csi(source: Json, path: str, causes: list[Cause]) -> None:
    causes += driver_errors(source.get("driver") or "", f"{path}.driver")
    need(source, path, ("volumeHandle",), causes)
    for name in _CSI_SECRETS:
        if (reference := source.get(name)) is None:
            continue
        for field, errors_of in (("name", subdomain_errors), ("namespace", label_errors)):
            here, value = f"{path}.{name}.{field}", reference.get(field) or ""
            if not value:
                causes.append(required(here))
            else:
                causes += invalid_each(here, value, errors_of(value))


def driver_errors(name: str, path: str) -> list[Cause]:
    """A CSI driver's name: it becomes a file name and part of a DNS name."""
    if not name:
        return [required(path)]
    causes = [too_long(path, DRIVER_NAME_MAX)] if len(name) > DRIVER_NAME_MAX else []
    return causes + invalid_each(path, name, subdomain_errors(name.lower()))


def _csi(source: Json, path: str, causes: list[Cause]) -> None:
    causes += driver_errors(source.get("driver") or "", f"{path}.driver")
    if (reference := source.get("nodePublishSecretRef")) is not None:
        name = reference.get("name") or ""
        if not name:
            causes.append(required(f"{path}.nodePublishSecretRef.name"))
        else:
            causes += invalid_each(f"{path}.name", name, subdomain_errors(name))


def _host_path(source: Json, path: str, causes: list[Cause]) -> None:
    if not (where := source.get("path")):
        causes.append(required(f"{path}.path"))
        return
    causes += no_way_up(where, f"{path}.path")
    kind = source.get("type") or ""
    if kind not in HOST_PATH_TYPES:
        causes.append(not_supported(f"{path}.type", kind, HOST_PATH_TYPES))


def _nfs(source: Json, path: str, causes: list[Cause]) -> None:
    where = source.get("path") or ""
    if not where.startswith("/"):
        causes.append(invalid(f"{path}.path", where, "must be an absolute path"))


def _git_repo(source: Json, path: str, causes: list[Cause]) -> None:
    causes += relative_path(source.get("directory") or "", f"{path}.directory")


def _partition(source: Json, path: str, causes: list[Cause]) -> None:
    partition = source.get("partition") or 0
    if not 0 <= partition <= 255:
        causes.append(
            invalid(f"{path}.partition", partition, "must be between 1 and 255, inclusive")
        )


def _iscsi(source: Json, path: str, causes: list[Cause]) -> None:
    _iscsi_target(source, path, " starting with iqn, eui, or naa", causes)


def _iscsi_persistent(source: Json, path: str, name: str, causes: list[Cause]) -> None:
    together = f"{name}:{source.get('targetPortal') or ''}"
    if source.get("initiatorName") is not None and len(together) > 64:
        detail = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
            "iscsi.initiatorName is specified."
        )
        causes.append(invalid(f"{path}.targetportal", source.get("targetPortal"), detail))
    _iscsi_target(source, path, "", causes)
    if source.get("secretRef") is not None:
        need(source["secretRef"], f"{path}.secretRef", ("name",), causes)


def _iscsi_target(source: Json, path: str, unknown: str, causes: list[Cause]) -> None:
    need(source, path, ("targetPortal",), causes)
    if not (name := source.get("iqn")):
        causes.append(required(f"{path}.iqn"))
    else:
        causes += _initiator_errors(name, f"{path}.iqn", unknown)
    causes += in_range(f"{path}.lun", source.get("lun"), 0, 255)
    secret = source.get("chapAuthDiscovery") or source.get("chapAuthSession")
    if secret and source.get("secretRef") is None:
        causes.append(required(f"{path}.secretRef"))
    if (initiator := source.get("initiatorName")) is not None:
        causes += _initiator_errors(initiator, f"{path}.initiatorname", unknown)


def _initiator_errors(name: str, path: str, unknown: str) -> list[Cause]:
    form = _INITIATORS.get(name[:3])
    if form is None:
        return [invalid(path, name, f"must be valid format{unknown}")]
    return [] if form.search(name) else [invalid(path, name, "must be valid format")]


def _fc(source: Json, path: str, causes: list[Cause]) -> None:
    names, ids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun")
    here = f"{path}.targetWWNs"
    if not names and not ids:
        causes.append(required(here, "must specify either targetWWNs or wwids, but not both"))
    if names and ids:
        detail = "targetWWNs and wwids can not be specified simultaneously"
        causes.append(invalid(here, names, detail))
    if names and lun is None:
        causes.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif names:
        causes += in_range(f"{path}.lun", lun, 0, 255)


def _quobyte(source: Json, path: str, causes: list[Cause]) -> None:
    registry = source.get("registry") or ""
    if not registry:
        causes.append(required(f"{path}.registry", _REGISTRY))
    elif len(source.get("tenant") or "") > TENANT_LENGTH_MAX:
        detail = f"must be a UUID and may not exceed a length of {TENANT_LENGTH_MAX} characters"
        causes.append(required(f"{path}.tenant", detail))
    else:
        causes += [
            invalid(f"{path}.registry", registry, _REGISTRY)
            for pair in registry.split(",")
            if not re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*):[^:]*", pair)
        ]
    need(source, path, ("volume",), causes)


def _flocker(source: Json, path: str, causes: list[Cause]) -> None:
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID")
    if not name and not uuid:
        causes.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        detail = "datasetName and datasetUUID can not be specified simultaneously"
        causes.append(invalid(path, "resource", detail))
    if "/" in name:
        causes.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))


def _flex(source: Json, path: str, causes: list[Cause]) -> None:
    for key in source.get("options") or ():
        if f".{key.partition('/')[0].lower()}".endswith(_RESERVED):
            detail = "kubernetes.io and k8s.io namespaces are reserved"
            causes.append(invalid(f"{path}.options[{key}]", key, detail))


def _azure_disk(source: Json, path: str, causes: list[Cause]) -> None:
    kind, uri = source.get("kind"), source.get("diskURI") or ""
    for name, supported in (("cachingMode", _CACHING), ("kind", _DISKS)):
        if (value := source.get(name)) is not None and value not in supported:
            causes.append(not_supported(f"{path}.{name}", value, supported))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        causes.append(not_supported(f"{path}.diskURI", uri, (_MANAGED_URI,)))
    elif kind not in (None, "Managed") and not uri.startswith("https://"):
        causes.append(not_supported(f"{path}.diskURI", uri, (_BLOB_URI,)))


def _named_secret(source: Json, path: str, causes: list[Cause]) -> None:
    if source.get("secretRef") is not None:
        need(source["secretRef"], f"{path}.secretRef", ("name",), causes)


def _storage_os(source: Json, path: str, causes: list[Cause]) -> None:
    need(source, path, ("volumeName",), causes)
    for name in ("volumeName", "volumeNamespace"):
        if value := source.get(name):
            causes += invalid_each(f"{path}.{name}", value, label_errors(value))
    _named_secret(source, path, causes)


SOURCES: dict[str, Callable[[Json, str, list[Cause]], None]] = {
    "awsElasticBlockStore": _partition,
    "azureDisk": _azure_disk,
    "cinder": _named_secret,
    "csi": _csi,
    "fc": _fc,
    "flexVolume": _flex,
    "flocker": _flocker,
    "gcePersistentDisk": _partition,
    "gitRepo": _git_repo,
    "hostPath": _host_path,
    "iscsi": _iscsi,
    "nfs": _nfs,
    "quobyte": _quobyte,
    "storageos": _storage_os,
}
