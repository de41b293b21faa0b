"""APIServices: who serves a group version.

Source    Kubernetes API reference; the rules of apiregistration validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import dns1035_errors, subdomain_errors
from busk8s.api.rules.cause import in_range, invalid, required
from busk8s.errors import Cause

Json = dict[str, Any]

GROUP_PRIORITY_MAX = 20_000
VERSION_PRIORITY_MAX = 1_000


def validate_api_service(service: Json, causes: list[Cause]) -> None:
    name = (service.get("metadata") or {}).get("name") or ""
    spec = service.get("spec") or {}
    group, version = spec.get("group") or "", spec.get("version") or ""
    if name != f"{version}.{group}":
        why = f'must be `spec.version+"."+spec.group`: "{version}.{group}"'
        causes.append(invalid("metadata.name", name, why))
    for error in subdomain_errors(group) if group else ():
        causes.append(invalid("spec.group", group, error))
    for error in dns1035_errors(version):
        causes.append(invalid("spec.version", version, error))
    for field, most in (
        ("groupPriorityMinimum", GROUP_PRIORITY_MAX),
        ("versionPriority", VERSION_PRIORITY_MAX),
    ):
        value = spec.get(field) or 0
        if not 0 < value <= most:
            why = f"must be positive and less than {most}"
            causes.append(invalid(f"spec.{field}", value, why))
    _validate_way(spec, causes)


def _validate_way(spec: Json, causes: list[Cause]) -> None:
    where, bundle = spec.get("service"), spec.get("caBundle")
    insecure = bool(spec.get("insecureSkipTLSVerify"))
    if where is None:
        if bundle:
            why = "local APIServices may not have a caBundle"
            causes.append(invalid("spec.caBundle", f"{len(bundle)} bytes", why))
        if insecure:
            why = "local APIServices may not have insecureSkipTLSVerify"
            causes.append(invalid("spec.insecureSkipTLSVerify", insecure, why))
        return
    for field in ("name", "namespace"):
        if not where.get(field):
            causes.append(required(f"spec.service.{field}"))
    causes += in_range("spec.service.port", where.get("port", 443), 1, 65_535)
    if insecure and bundle:
        why = "may not be true if caBundle is present"
        causes.append(invalid("spec.insecureSkipTLSVerify", insecure, why))


def validate_api_service_update(new: Json, old: Json, causes: list[Cause]) -> None:
    if new.get("spec") != old.get("spec"):
        validate_api_service(new, causes)
