"""How much of a device's capacity one request may take, where several share it.

Source    Kubernetes API reference, CapacityRequestPolicy; the rules of resource.k8s.io.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from busk8s.api.quantity import canonical, nanos, render, value
from busk8s.api.rules.cause import duplicate, forbidden, invalid, required, too_many
from busk8s.errors import Cause

Json = dict[str, Any]

OPTIONS_MAX = 10


def validate_capacity(capacity: Json, shared: bool, path: str, causes: list[Cause]) -> None:
    if (policy := capacity.get("requestPolicy")) is None:
        return
    here = f"{path}.requestPolicy"
    if not shared:
        causes.append(forbidden(here, "allowMultipleAllocations must be true"))
        return
    options, span, usual = (
        policy.get("validValues"),
        policy.get("validRange"),
        policy.get("default"),
    )
    if options and span is not None:
        detail = (
            'exactly one policy can be specified, cannot specify "validValues" and "validRange" at '
            "the same time"
        )
        causes.append(forbidden(here, detail))
    elif (options or span is not None) and usual is None:
        kind = "validValues" if options else "validRange"
        causes.append(required(f"{here}.default", f"required when {kind} is defined"))
    elif options:
        most = capacity.get("value") or "0"
        _validate_options(options, usual, most, f"{here}.validValues", causes)
    elif span is not None:
        _validate_range(span, usual, capacity.get("value") or "0", f"{here}.validRange", causes)


def _validate_options(
    options: list[str], usual: str, most: str, path: str, causes: list[Cause]
) -> None:
    for index, (before, after) in enumerate(pairwise(options), 1):
        if nanos(before) > nanos(after):
            detail = "values must be sorted in ascending order"
            causes.append(invalid(f"{path}[{index}]", canonical(after), detail))
    known = False
    if len(options) > OPTIONS_MAX:
        causes.append(too_many(path, len(options), OPTIONS_MAX))
    else:
        for index, option in enumerate(options):
            if nanos(option) > nanos(most):
                detail = f"option is larger than capacity value: {canonical(most)}"
                causes.append(invalid(f"{path}[{index}]", canonical(option), detail))
            known |= nanos(option) == nanos(usual)
        seen: set[int] = set()
        for index, option in enumerate(options):
            if (amount := value(option)) in seen:
                causes.append(duplicate(f"{path}[{index}]", str(amount)))
            seen.add(amount)
    if not known:
        detail = "default value is not valid according to the requestPolicy"
        causes.append(invalid(path, canonical(usual), detail))


def _validate_range(span: Json, usual: str, most: str, path: str, causes: list[Cause]) -> None:
    low, high, step = span.get("min"), span.get("max"), span.get("step")
    if low is None:
        causes.append(required(f"{path}.min", "required when validRange is defined"))
        return

    def over(field: str, shown: str, limit: str, above: bool, detail: str) -> None:
        if above:
            at = f"{path}.{field}"
            causes.append(invalid(at, canonical(shown), f"{detail}: {canonical(limit)}"))

    least, top, given = nanos(low), nanos(most), nanos(usual)
    over("min", low, most, least > top, "min is larger than capacity value")
    over("min", usual, low, given < least, "default is less than min")
    if high is not None:
        over("max", low, high, least > nanos(high), "min is larger than max")
        over("max", high, most, nanos(high) > top, "max is larger than capacity value")
        over("max", usual, high, given > nanos(high), "default is more than max")
    if step is None:
        return
    one = least + nanos(step)
    like = low.lstrip("+-.0123456789")
    detail = f"one step {render(one, like)} is larger than capacity value"
    over("step", step, most, one > top, detail)
    for amount in (usual, *([high] if high is not None else [])):
        size = value(step)
        if size and (value(amount) - value(low)) % size:
            detail = (
                f"value is not a multiple of a given step ({canonical(step)}) from "
                f"({canonical(low)})"
            )
            causes.append(invalid(f"{path}.step", canonical(amount), detail))
