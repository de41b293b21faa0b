"""StorageVersionMigrations: what is to be written anew, and how that went.

Source    Kubernetes API reference, StorageVersionMigration; the rules of storagemigration.k8s.io.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.meta import dns1035_errors, subdomain_errors
from busk8s.api.rules.cause import immutable, invalid, required
from busk8s.api.rules.conditions import validate_conditions
from busk8s.errors import Cause

Json = dict[str, Any]

_VERSION = re.compile(r"[1-9][0-9]*", re.ASCII)


def validate_migration(migration: Json, causes: list[Cause]) -> None:
    resource, path = (migration.get("spec") or {}).get("resource") or {}, "spec.resource"
    if not (name := resource.get("resource")):
        causes.append(required(f"{path}.resource", "resource is required to be set"))
    elif errors := dns1035_errors(name):
        causes.append(invalid(f"{path}.resource", name, ",".join(errors)))
    if (group := resource.get("group")) and (errors := subdomain_errors(group)):
        causes.append(invalid(f"{path}.group", group, ",".join(errors)))


def validate_migration_update(new: Json, old: Json, causes: list[Cause]) -> None:
    validate_migration(new, causes)
    if new.get("spec") != old.get("spec"):
        causes.append(immutable("spec", new.get("spec")))


def validate_status(new: Json, old: Json, causes: list[Cause]) -> None:
    status, before = new.get("status") or {}, old.get("status") or {}
    version, path = status.get("resourceVersion") or "", "status.resourceVersion"
    if version and not _VERSION.fullmatch(version):
        detail = f"resource version is not well formed: {version}"
        causes.append(invalid(path, version, detail))
    conditions, here = status.get("conditions") or [], "status.conditions"
    validate_conditions(conditions, here, causes)
    if before.get("resourceVersion") and before["resourceVersion"] != version:
        causes.append(immutable(path, version))
    if _is(status, "Succeeded") and _is(status, "Failed"):
        detail = "Both success and failed conditions cannot be true at the same time"
        causes.append(invalid(here, conditions, detail))
    for kind, shown in (("Succeeded", "Success"), ("Failed", "Failed")):
        if _is(before, kind) and not _is(status, kind):
            detail = f"{shown} condition cannot be set to false once it is true"
            causes.append(invalid(here, conditions, detail))


def _is(status: Json, kind: str) -> bool:
    return any(
        each.get("type") == kind and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )
