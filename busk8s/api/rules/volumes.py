"""Volumes of a pod: one source each, and the sources that Kubernetes itself fills.

Leaves    what comes of several sources at once (projections), disks and shares (disks).
Source    Kubernetes API reference, Volume; the rules of core validation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from busk8s.api.meta import label_errors, subdomain_errors
from busk8s.api.quantity import nanos
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    one_of,
    required,
)
from busk8s.api.rules.disks import NEEDED, SOURCES, need
from busk8s.api.rules.metadata import validate_annotations, validate_labels
from busk8s.api.rules.projections import (
    validate_downward,
    validate_files,
    validate_projected,
)
from busk8s.api.rules.storage import validate_claim_spec
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]

_ONE_ONLY = "may not specify more than 1 volume type"
# Wherever upstream's path is not the field's name.
_PATHS = {"gcePersistentDisk": "persistentDisk"}
_TEMPLATE_METADATA = ("annotations", "labels")


def validate_volumes(
    volumes: list[Json],
    path: str,
    causes: list[Cause],
    *,
    pod_name: str = "",
    whole: bool = False,
    allowed: Tolerance = STRICT,
) -> dict[str, Json]:
    """The sound volumes by name, for the mounts to refer to.

    `pod_name`: claims of ephemeral volumes are named after it; `whole`: a pod, no template.
    """
    found: dict[str, Json] = {}
    made: set[str] = set()
    if pod_name:
        made = {f"{pod_name}-{volume.get('name')}" for volume in volumes if "ephemeral" in volume}
    for index, volume in enumerate(volumes):
        here, wrong = f"{path}[{index}]", len(causes)
        _validate_source(volume, here, pod_name, whole, allowed, causes)
        name = volume.get("name")
        if not name:
            causes.append(required(f"{here}.name"))
        elif errors := label_errors(name):
            causes += invalid_each(f"{here}.name", name, errors)
        if name in found:
            causes.append(duplicate(f"{here}.name", name))
        if len(causes) == wrong and name:
            found[name] = volume
        if made and (claim := (volume.get("persistentVolumeClaim") or {}).get("claimName")) in made:
            detail = "must not reference a PVC that gets created for an ephemeral volume"
            causes.append(invalid(f"{here}.persistentVolumeClaim.claimName", claim, detail))
    return found


def _validate_source(
    volume: Json,
    path: str,
    pod_name: str,
    whole: bool,
    allowed: Tolerance,
    causes: list[Cause],
) -> None:
    sources = [key for key in volume if key != "name"]
    if not sources:
        causes.append(required(path, "must specify a volume type"))
        return
    kind = sources[0]
    source, here = volume[kind], f"{path}.{_PATHS.get(kind, kind)}"
    if kind == "projected":
        validate_projected(source, here, causes, allowed)
    elif kind == "ephemeral":
        _validate_ephemeral(volume, path, pod_name, causes)
    elif kind == "image":
        if whole and not source.get("reference"):
            causes.append(required(f"{here}.reference"))
        policies = ("Always", "IfNotPresent", "Never")
        causes += one_of(f"{here}.pullPolicy", source.get("pullPolicy"), policies)
    elif kind == "iscsi":
        SOURCES["iscsi"](source, here, causes)
        _validate_initiator(volume.get("name") or "", source, here, causes)
    else:
        need(source, here, NEEDED.get(kind, ()), causes)
        if validate := _OWN.get(kind) or SOURCES.get(kind):
            validate(source, here, causes)
    for extra in sources[1:]:
        causes.append(forbidden(f"{path}.{extra}", _ONE_ONLY))


def _validate_initiator(name: str, source: Json, path: str, causes: list[Cause]) -> None:
    together = f"{name}:{source.get('targetPortal') or ''}"
    if source.get("initiatorName") is not None and len(together) > 64:
        detail = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
            "iscsi.initiatorName is specified."
        )
        causes.append(invalid(f"{path}.name", name, detail))


def _validate_ephemeral(volume: Json, path: str, pod_name: str, causes: list[Cause]) -> None:
    here, name = f"{path}.ephemeral.volumeClaimTemplate", volume.get("name") or ""
    template = volume["ephemeral"].get("volumeClaimTemplate")
    if template is None:
        causes.append(required(here))
    else:
        metadata = template.get("metadata") or {}
        causes += validate_annotations(
            metadata.get("annotations") or {}, f"{here}.metadata.annotations"
        )
        causes += validate_labels(metadata.get("labels") or {}, f"{here}.metadata.labels")
        causes += [
            forbidden(f"{here}.metadata.{field}", "cannot be set")
            for field in sorted(metadata.keys() - set(_TEMPLATE_METADATA))
            if metadata[field] is not None
        ]
        validate_claim_spec(template.get("spec") or {}, f"{here}.spec", causes)
    claim = f"{pod_name}-{name}"
    if pod_name and name and (errors := subdomain_errors(claim)):
        causes += [
            invalid(f"{path}.name", name, f'PVC name "{claim}": {error}') for error in errors
        ]


def _empty_dir(source: Json, path: str, causes: list[Cause]) -> None:
    limit = source.get("sizeLimit")
    if limit is not None and nanos(limit) < 0:
        detail = "SizeLimit field must be a valid resource quantity"
        causes.append(forbidden(f"{path}.sizeLimit", detail))


def _secret(source: Json, path: str, causes: list[Cause]) -> None:
    need(source, path, ("secretName",), causes)
    validate_files(source, path, causes)


def _config_map(source: Json, path: str, causes: list[Cause]) -> None:
    need(source, path, ("name",), causes)
    validate_files(source, path, causes)


_OWN: dict[str, Callable[[Json, str, list[Cause]], None]] = {
    "emptyDir": _empty_dir,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": validate_downward,
}
