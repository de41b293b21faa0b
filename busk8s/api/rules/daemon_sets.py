"""DaemonSets: selector, template, and either way of rolling out.

Source    Kubernetes API reference, DaemonSet; the rules of apps validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import invalid, not_negative, not_supported, required
from busk8s.api.rules.pod import validate_template
from busk8s.api.rules.ratcheting import of_template
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.api.rules.selected import (
    has_bad_values,
    read_selector,
    selector_stays,
    validate_endless,
    validate_match,
)
from busk8s.api.rules.shares import amount, at_most_all, positive
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]

STRATEGIES = ("RollingUpdate", "OnDelete")


def validate_daemon_set(daemon_set: Json, causes: list[Cause], allowed: Tolerance = STRICT) -> None:
    spec = daemon_set.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    validate_label_selector(selector or {}, "spec.selector", causes, allowed.selector_values)
    # A selector that is missing selects nothing, and so not these pods either.
    if (read := read_selector(selector)) is not None:
        causes += validate_match(read, template, "spec.template")
    if selector is not None and not any(selector.values()):
        detail = "empty selector is invalid for daemonset"
        causes.append(invalid("spec.selector", selector, detail))
    validate_template(template, "spec.template", causes, allowed)
    validate_endless(template, "DaemonSet", "spec.template", causes)
    causes += not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    _validate_strategy(spec.get("updateStrategy") or {}, causes)
    causes += not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))


def validate_daemon_set_update(new: Json, old: Json, causes: list[Cause]) -> None:
    if new.get("spec") == old.get("spec"):
        return
    was = old.get("spec") or {}
    allowed = of_template(was.get("template") or {})
    if has_bad_values(was.get("selector")):
        allowed = allowed.with_selector_values()
    validate_daemon_set(new, causes, allowed)
    selector_stays(new, old, causes)


def _validate_strategy(strategy: Json, causes: list[Cause]) -> None:
    path, kind = "spec.updateStrategy", strategy.get("type") or ""
    if kind == "RollingUpdate":
        if strategy.get("rollingUpdate") is None:
            causes.append(required(f"{path}.rollingUpdate"))
        else:
            _validate_rolling(strategy["rollingUpdate"], f"{path}.rollingUpdate", causes)
    elif kind != "OnDelete":
        causes.append(not_supported(path, strategy, STRATEGIES))


def _validate_rolling(rolling: Json, path: str, causes: list[Cause]) -> None:
    """Either pods go before new ones come, or new ones come first; never both, never neither."""
    gone, more = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    causes += positive(gone, f"{path}.maxUnavailable")
    causes += positive(more, f"{path}.maxSurge")
    causes += at_most_all(gone, f"{path}.maxUnavailable")
    causes += at_most_all(more, f"{path}.maxSurge")
    if amount(gone) and amount(more):
        detail = "may not be set when maxUnavailable is non-zero"
        causes.append(invalid(f"{path}.maxSurge", more, detail))
    elif not amount(gone) and not amount(more):
        causes.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
