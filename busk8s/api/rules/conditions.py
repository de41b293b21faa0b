"""Conditions of the common form, as statuses carry them.

Source    Kubernetes API conventions, "Typical status properties"; the rules of metav1 validation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from busk8s.api.meta import qualified_name_errors
from busk8s.api.rules.cause import (
    duplicate,
    invalid,
    invalid_each,
    not_supported,
    required,
    too_long,
)
from busk8s.errors import Cause

Json = dict[str, Any]

STATUSES = ("False", "True", "Unknown")
REASON_MAX = 1024
MESSAGE_MAX = 32 * 1024
_REASON_FORM = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON = re.compile(_REASON_FORM, re.ASCII)
_REASON_MESSAGE = (
    "a condition reason must start with alphabetic character, optionally followed by a string of "
    "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. "
    "'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex "
    f"used for validation is '{_REASON_FORM}')"
)


def validate_conditions(conditions: Sequence[Json], path: str, causes: list[Cause]) -> None:
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        here, kind = f"{path}[{index}]", condition.get("type") or ""
        if kind in seen:
            causes.append(duplicate(f"{here}.type", kind))
        seen.add(kind)
        validate_condition(condition, here, causes)


def validate_condition(condition: Json, path: str, causes: list[Cause]) -> None:
    kind, status = condition.get("type") or "", condition.get("status") or ""
    causes += invalid_each(f"{path}.type", kind, qualified_name_errors(kind))
    if status not in STATUSES:
        causes.append(not_supported(f"{path}.status", status, STATUSES))
    if (observed := condition.get("observedGeneration", 0)) < 0:
        detail = "must be greater than or equal to zero"
        causes.append(invalid(f"{path}.observedGeneration", observed, detail))
    if not condition.get("lastTransitionTime"):
        causes.append(required(f"{path}.lastTransitionTime"))
    reason, message = condition.get("reason") or "", condition.get("message") or ""
    if not reason:
        causes.append(required(f"{path}.reason"))
    else:
        if not _REASON.fullmatch(reason):
            causes.append(invalid(f"{path}.reason", reason, _REASON_MESSAGE))
        if len(reason) > REASON_MAX:
            causes.append(too_long(f"{path}.reason", REASON_MAX))
    if len(message.encode()) > MESSAGE_MAX:
        causes.append(too_long(f"{path}.message", MESSAGE_MAX))
