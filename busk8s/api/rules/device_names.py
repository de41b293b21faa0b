"""What devices and their parts are called, and the taints on them.

Source    Kubernetes API reference, resource.k8s.io; its rules.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.meta import (
    label_errors,
    label_value_errors,
    qualified_name_errors,
    subdomain_errors,
)
from busk8s.api.rules.cause import (
    duplicate,
    invalid,
    invalid_each,
    not_supported,
    required,
    too_long,
)
from busk8s.api.rules.disks import driver_errors
from busk8s.api.rules.sized import validate_slice
from busk8s.errors import Cause

Json = dict[str, Any]

POOL_MAX = 253
IDENTIFIER_MAX = 32
BINDING_CONDITIONS_MAX = 4
TAINTS_MAX = 16
EFFECTS = ("NoExecute", "NoSchedule", "None")
OPERATORS = ("Equal", "Exists")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_IDENTIFIER_MESSAGE = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "
    "alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for "
    "validation is '[A-Za-z_][A-Za-z0-9_]*')"
)
_UUID_LENGTHS = (32, 36, 38, 45)
_UUID = re.compile(
    r"(urn:uuid:|\{?)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?|[0-9a-f]{32}",
    re.ASCII | re.IGNORECASE,
)


def validate_label(name: str, path: str, causes: list[Cause]) -> None:
    causes += invalid_each(path, name, label_errors(name))


def validate_qualified(name: str, path: str, causes: list[Cause]) -> None:
    causes += invalid_each(path, name, qualified_name_errors(name))


def validate_pool_name(name: str, path: str, causes: list[Cause]) -> None:
    if not name:
        causes.append(required(path))
        return
    if len(name) > POOL_MAX:
        causes.append(too_long(path, POOL_MAX))
    for part in name.split("/"):
        causes += invalid_each(path, part, subdomain_errors(part))


def validate_uid(uid: str, path: str, causes: list[Cause]) -> None:
    if len(uid) not in _UUID_LENGTHS:
        detail = f"error validating uid: invalid UUID length: {len(uid)}"
        causes.append(invalid(path, uid, detail))
    elif not _UUID.fullmatch(uid):
        causes.append(invalid(path, uid, "error validating uid: invalid UUID format"))
    elif len(uid) != 36 or uid != uid.lower():
        detail = (
            "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with "
            "lowercase hexadecimal characters"
        )
        causes.append(invalid(path, uid, detail))


def validate_attribute_name(name: str, path: str, causes: list[Cause]) -> None:
    """An identifier, of some domain or of the driver's."""
    parts = name.split("/")
    if len(parts) == 1:
        _identifier(name, path, causes)
    elif len(parts) == 2:  # Upstream lets more pass.
        domain, identifier = parts
        if not domain:
            causes.append(invalid(path, "", "the domain must not be empty"))
        else:
            causes += driver_errors(domain, path)
        if not identifier:
            causes.append(invalid(path, "", "the name must not be empty"))
        else:
            _identifier(identifier, path, causes)


def validate_full_name(name: str, path: str, causes: list[Cause]) -> None:
    validate_attribute_name(name, path, causes)
    if "/" not in name:
        detail = "a fully qualified name must be a domain and a name separated by a slash"
        causes.append(invalid(path, name, detail))


def _identifier(text: str, path: str, causes: list[Cause]) -> None:
    if len(text) > IDENTIFIER_MAX:
        causes.append(too_long(path, IDENTIFIER_MAX))
    if not _IDENTIFIER.fullmatch(text):
        causes.append(invalid(path, text, _IDENTIFIER_MESSAGE))


def validate_taint(taint: Json, old: Json | None, path: str, causes: list[Cause]) -> None:
    """`old`: an effect that it has already is let pass."""
    validate_qualified(taint.get("key") or "", f"{path}.key", causes)
    if value := taint.get("value"):
        causes += invalid_each(f"{path}.value", value, label_value_errors(value))
    effect = taint.get("effect") or ""
    if old is None or (old.get("effect") or "") != effect:
        if not effect:
            causes.append(required(f"{path}.effect"))
        else:
            _effect(effect, path, causes)


def validate_toleration(toleration: Json, path: str, causes: list[Cause]) -> None:
    if key := toleration.get("key"):
        validate_qualified(key, f"{path}.key", causes)
    operator, value = toleration.get("operator") or "", toleration.get("value") or ""
    if operator == "Exists":
        if value:
            detail = "must be empty for operator `Exists`"
            causes.append(invalid(f"{path}.value", value, detail))
    elif operator == "Equal":
        causes += invalid_each(f"{path}.value", value, label_value_errors(value))
    elif not operator:
        causes.append(required(f"{path}.operator"))
    else:
        causes.append(not_supported(f"{path}.operator", operator, OPERATORS))
    if effect := toleration.get("effect"):
        _effect(effect, path, causes)


def _effect(effect: str, path: str, causes: list[Cause]) -> None:
    if effect not in EFFECTS:
        causes.append(not_supported(f"{path}.effect", effect, EFFECTS))


def validate_binding(holder: Json, path: str, causes: list[Cause]) -> None:
    """The conditions under which a device is bound, and those under which that has failed."""
    ready, failed = "bindingConditions", "bindingFailureConditions"
    wanted, unwanted = holder.get(ready) or [], holder.get(failed) or []
    most = BINDING_CONDITIONS_MAX
    for name, listed in ((ready, wanted), (failed, unwanted)):
        validate_slice(listed, most, validate_qualified, f"{path}.{name}", causes)
    for name, listed in ((ready, wanted), (failed, unwanted)):
        seen: set[str] = set()
        for index, condition in enumerate(listed):
            here = f"{path}.{name}[{index}]"
            if condition in seen:
                causes.append(duplicate(here, condition))
            seen.add(condition)
            if name == failed and condition in wanted:
                detail = "bindingFailureConditions must not overlap with bindingConditions"
                causes.append(invalid(here, condition, detail))
    if unwanted and not wanted:
        detail = "bindingConditions are required to use bindingFailureConditions"
        causes.append(invalid(f"{path}.{ready}", wanted, detail))
    if wanted and not unwanted:
        detail = "bindingFailureConditions are required to use bindingConditions"
        causes.append(invalid(f"{path}.{failed}", unwanted, detail))
