"""What a Job says of failed pods, of failures by index, and of enough success.

Owns      podFailurePolicy, successPolicy and the limits by index; lists of indexes as text.
Leaves    all other fields of a Job (jobs), the pods themselves (pod).
Source    Kubernetes API reference, PodFailurePolicy and SuccessPolicy; the rules of batch
          validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import qualified_name_errors
from busk8s.api.rules.cause import (
    duplicate,
    invalid,
    invalid_each,
    not_negative,
    not_supported,
    required,
    too_long,
    too_many,
)
from busk8s.errors import Cause

Json = dict[str, Any]

FAILED_INDEXES_MAX = 100_000
MANY_COMPLETIONS = 100_000  # Beyond it, with a limit for each index, less is allowed at a time.
WITH_MANY_MAX = 10_000
RULES_MAX = 20
PATTERNS_MAX = 20
EXIT_CODES_MAX = 255
INDEXES_BYTES_MAX = 64 << 10
ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
STATUSES = ("False", "True", "Unknown")
OPERATORS = ("In", "NotIn")


def validate_policies(spec: Json, path: str, causes: list[Cause]) -> None:
    """Limits by index, failed pods, enough success, and the restarts that fit them."""
    if spec.get("completionMode") == "Indexed":
        _validate_limits(spec, path, causes)
    else:
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if (value := spec.get(name)) is not None:
                causes.append(invalid(f"{path}.{name}", value, "requires indexed completion mode"))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        detail = "when maxFailedIndexes is specified"
        causes.append(required(f"{path}.backoffLimitPerIndex", detail))
    if (failure := spec.get("podFailurePolicy")) is not None:
        validate_failure_policy(failure, spec, f"{path}.podFailurePolicy", causes)
    if (success := spec.get("successPolicy")) is not None:
        here = f"{path}.successPolicy"
        if spec.get("completionMode") == "Indexed":
            validate_success_policy(success, spec.get("completions") or 0, here, causes)
        else:
            causes.append(invalid(here, success, "requires indexed completion mode"))
    restart = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    for name in ("podFailurePolicy", "backoffLimitPerIndex"):
        if spec.get(name) is not None and restart == "OnFailure":
            detail = f'only "Never" is supported when {name} is specified'
            causes.append(invalid(f"{path}.template.spec.restartPolicy", restart, detail))


def _validate_limits(spec: Json, path: str, causes: list[Cause]) -> None:
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    failed = spec.get("maxFailedIndexes")
    if completions is not None and failed is not None and failed > completions:
        detail = "must be less than or equal to completions"
        causes.append(invalid(f"{path}.maxFailedIndexes", failed, detail))
    if failed is not None and failed > FAILED_INDEXES_MAX:
        detail = f"must be less than or equal to {FAILED_INDEXES_MAX}"
        causes.append(invalid(f"{path}.maxFailedIndexes", failed, detail))
    if (completions or 0) <= MANY_COMPLETIONS or spec.get("backoffLimitPerIndex") is None:
        return
    if failed is None:
        detail = f"must be specified when completions is above {MANY_COMPLETIONS}"
        causes.append(required(f"{path}.maxFailedIndexes", detail))
    detail = (
        f"must be less than or equal to {WITH_MANY_MAX} when completions are above "
        f"{MANY_COMPLETIONS} and used with backoff limit per index"
    )
    if parallelism > WITH_MANY_MAX:
        causes.append(invalid(f"{path}.parallelism", parallelism, detail))
    if failed is not None and failed > WITH_MANY_MAX:
        causes.append(invalid(f"{path}.maxFailedIndexes", failed, detail))


def validate_failure_policy(policy: Json, spec: Json, path: str, causes: list[Cause]) -> None:
    rules = policy.get("rules") or []
    if len(rules) > RULES_MAX:
        causes.append(too_many(f"{path}.rules", len(rules), RULES_MAX))
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {c.get("name") for key in ("containers", "initContainers") for c in pod.get(key) or ()}
    per_index = spec.get("backoffLimitPerIndex") is not None
    for index, rule in enumerate(rules):
        _validate_rule(rule, names, f"{path}.rules[{index}]", causes, per_index=per_index)


def _validate_rule(
    rule: Json, names: set[Any], path: str, causes: list[Cause], *, per_index: bool
) -> None:
    action = rule.get("action")
    if action == "FailIndex" and not per_index:
        detail = "requires the backoffLimitPerIndex to be set"
        causes.append(invalid(f"{path}.action", action, detail))
    else:
        _choose(f"{path}.action", action, ACTIONS, causes)
    codes, patterns = rule.get("onExitCodes"), rule.get("onPodConditions")
    if codes is not None:
        _validate_codes(codes, names, f"{path}.onExitCodes", causes)
    if patterns:
        _validate_patterns(patterns, f"{path}.onPodConditions", causes)
    if codes is not None and patterns:
        detail = "specifying both OnExitCodes and OnPodConditions is not supported"
        causes.append(Cause("FieldValueInvalid", f"Invalid value: {detail}", path))
    if codes is None and not patterns:
        detail = "specifying one of OnExitCodes and OnPodConditions is required"
        causes.append(Cause("FieldValueInvalid", f"Invalid value: {detail}", path))


def _choose(path: str, value: Any, supported: tuple[str, ...], causes: list[Cause]) -> None:
    if not value:
        listed = " ".join(f'"{each}"' for each in supported)
        causes.append(required(path, f"valid values: [{listed}]"))
    elif value not in supported:
        causes.append(not_supported(path, value, supported))


def _validate_codes(codes: Json, names: set[Any], path: str, causes: list[Cause]) -> None:
    operator, values = codes.get("operator"), codes.get("values") or []
    _choose(f"{path}.operator", operator, OPERATORS, causes)
    name = codes.get("containerName")
    if name is not None and name not in names:
        detail = "must be one of the container or initContainer names in the pod template"
        causes.append(invalid(f"{path}.containerName", name, detail))
    if not values:
        causes.append(invalid(f"{path}.values", values, "at least one value is required"))
    elif len(values) > EXIT_CODES_MAX:
        causes.append(too_many(f"{path}.values", len(values), EXIT_CODES_MAX))
    seen: set[int] = set()
    for index, code in enumerate(values):
        if operator == "In" and code == 0:
            detail = "must not be 0 for the In operator"
            causes.append(invalid(f"{path}.values[{index}]", code, detail))
        if code in seen:
            causes.append(duplicate(f"{path}.values[{index}]", code))
        seen.add(code)
    if values != sorted(values):
        causes.append(invalid(f"{path}.values", values, "must be ordered"))


def _validate_patterns(patterns: list[Json], path: str, causes: list[Cause]) -> None:
    if len(patterns) > PATTERNS_MAX:
        causes.append(too_many(path, len(patterns), PATTERNS_MAX))
    for index, pattern in enumerate(patterns):
        here, kind = f"{path}[{index}]", pattern.get("type") or ""
        causes += invalid_each(f"{here}.type", kind, qualified_name_errors(kind))
        _choose(f"{here}.status", pattern.get("status"), STATUSES, causes)


def validate_success_policy(policy: Json, completions: int, path: str, causes: list[Cause]) -> None:
    rules, here = policy.get("rules") or [], f"{path}.rules"
    if not rules:
        detail = "at least one rules must be specified when the successPolicy is specified"
        causes.append(required(here, detail))
    if len(rules) > RULES_MAX:
        causes.append(too_many(here, len(rules), RULES_MAX))
    for index, rule in enumerate(rules):
        _validate_success(rule, completions, f"{here}[{index}]", causes)


def _validate_success(rule: Json, completions: int, path: str, causes: list[Cause]) -> None:
    count, text = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and text is None:
        detail = "at least one of succeededCount or succeededIndexes must be specified"
        causes.append(required(path, detail))
    total = None
    if text is not None:
        here = f"{path}.succeededIndexes"
        if len(text) > INDEXES_BYTES_MAX:
            causes.append(too_long(here, INDEXES_BYTES_MAX))
        else:
            try:
                total = count_indexes(text, completions)
            except ValueError as error:
                detail = f"error parsing succeededIndexes: {error}"
                causes.append(invalid(here, text, detail))
    if count is None:
        return
    here = f"{path}.succeededCount"
    causes += not_negative(here, count)
    if count > completions:
        detail = (
            f"must be less than or equal to {completions} (the number of specified completions)"
        )
        causes.append(invalid(here, count, detail))
    if total is not None and count > total:
        detail = (
            f"must be less than or equal to {total} (the number of indexes in the specified "
            "succeededIndexes field)"
        )
        causes.append(invalid(here, count, detail))


def count_indexes(text: str, completions: int) -> int:
    """How many indexes `0,2-4` names; raises ValueError when it is not such a list, or not of
    indexes below `completions` in rising order."""
    total, last = 0, -1
    for part in text.split(",") if text else ():
        bounds = part.split("-")
        if len(bounds) > 2:
            why = "violates the requirement that an index interval can have at most two parts"
            raise ValueError(f"the fragment \"{part}\" {why} separated by '-'")
        ends = []
        for bound in bounds:
            index = _index(bound, completions)
            if index <= last:
                raise ValueError(f"non-increasing order, previous: {last}, current: {index}")
            ends.append(index)
            last = index
        total += ends[-1] - ends[0] + 1
    return total


def _index(text: str, completions: int) -> int:
    if not text.isdecimal() or not text.isascii():
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    index = int(text)
    if index >= completions:
        raise ValueError(f'too large index: "{text}"')
    return index
