"""Jobs: the selector made for them, names of indexed pods, and what may change while suspended.

Leaves    the spec's own rules, which CronJobs share (workloads), the status (job_status).
Source    Kubernetes API reference, Job; the rules of batch validation.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.meta import label_errors, subdomain_errors
from busk8s.api.rules.cause import (
    immutable,
    invalid,
    invalid_each,
    not_supported,
    required,
    too_long,
)
from busk8s.api.rules.job_policies import validate_policies
from busk8s.api.rules.job_status import is_true
from busk8s.api.rules.ratcheting import of_template
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.api.rules.selected import has_bad_values, read_selector, validate_match
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.api.rules.workloads import validate_job_spec
from busk8s.errors import Cause

Json = dict[str, Any]

MANAGED_BY_MAX = 63
INDEXED_PARALLELISM_MAX = 100_000
COMPLETION_MODES = ("NonIndexed", "Indexed")
REPLACEMENT_POLICIES = ("Failed", "TerminatingOrFailed")
UID_LABEL, NAME_LABEL = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
OLD_UID_LABEL, OLD_NAME_LABEL = "controller-uid", "job-name"
_FIXED = (
    "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy",
)  # fmt: skip
_DIRECTIVES = ("nodeSelector", "tolerations", "schedulingGates")
_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", re.ASCII)
_PATH_MESSAGE = r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')"


def validate_job(
    job: Json, causes: list[Cause], allowed: Tolerance = STRICT, *, prefixed: bool = True
) -> None:
    """`prefixed`: the labels that came in 1.27 must be there as well."""
    spec = job.get("spec") or {}
    _validate_generated(job, spec, prefixed, causes)
    validate_own_fields(spec, "spec", causes)
    validate_job_spec(spec, "spec", causes, allowed)
    selector = spec.get("selector")
    if selector is None:
        causes.append(required("spec.selector"))
    else:
        validate_label_selector(selector, "spec.selector", causes, allowed.selector_values)
    if (read := read_selector(selector)) is not None:
        causes += validate_match(read, spec.get("template") or {}, "spec.template")
    _validate_hostname(job["metadata"].get("name") or "", spec, causes)


def _validate_generated(job: Json, spec: Json, prefixed: bool, causes: list[Cause]) -> None:
    """Pods of this Job bear its uid and name, and its selector asks for no other."""
    if spec.get("manualSelector") or spec.get("selector") is None:
        return
    metadata = job["metadata"]
    uid, name = metadata.get("uid") or "", metadata.get("name") or ""
    if not uid:
        causes.append(required("metadata.uid"))
    expected = {OLD_UID_LABEL: uid, OLD_NAME_LABEL: name}
    if prefixed:
        expected |= {UID_LABEL: uid, NAME_LABEL: name}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    for key, value in expected.items():
        path = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            causes.append(required(path, f"must be '{value}'"))
        elif labels[key] != value:
            causes.append(invalid(path, labels, f"must be '{value}'"))
    selector = read_selector(spec["selector"])
    if selector is not None and not selector.matches(expected):
        causes.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))


def _validate_hostname(name: str, spec: Json, causes: list[Cause]) -> None:
    """Pods of an indexed Job are named by their index."""
    completions = spec.get("completions") or 0
    if spec.get("completionMode") != "Indexed" or completions <= 0:
        return
    host = f"{name}-{completions - 1}"
    if label_errors(host):
        detail = f"will not able to create pod with invalid DNS label: {host}"
        causes.append(invalid("metadata.name", name, detail))


def validate_own_fields(spec: Json, path: str, causes: list[Cause]) -> None:
    """Modes and policies of a Job, its own or a CronJob's, that are no matter of its pods."""
    if (manager := spec.get("managedBy")) is not None:
        _validate_manager(manager, f"{path}.managedBy", causes)
    mode, parallelism = spec.get("completionMode"), spec.get("parallelism") or 0
    if mode is not None and mode not in COMPLETION_MODES:
        causes.append(not_supported(f"{path}.completionMode", mode, COMPLETION_MODES))
    if mode == "Indexed" and parallelism > INDEXED_PARALLELISM_MAX:
        detail = (
            f"must be less than or equal to {INDEXED_PARALLELISM_MAX} when completion mode is "
            "Indexed"
        )
        causes.append(invalid(f"{path}.parallelism", parallelism, detail))
    validate_policies(spec, path, causes)
    policy = spec.get("podReplacementPolicy")
    known = REPLACEMENT_POLICIES if spec.get("podFailurePolicy") is None else ("Failed",)
    if policy is not None and policy not in known:
        causes.append(not_supported(f"{path}.podReplacementPolicy", policy, known))


def _validate_manager(manager: str, path: str, causes: list[Cause]) -> None:
    host, _, rest = manager.partition("/")
    if not manager:
        causes.append(required(path))
    elif not host or not rest:
        detail = 'must be a domain-prefixed path (such as "acme.io/foo")'
        causes.append(invalid(path, manager, detail))
    else:
        causes += invalid_each(path, host, subdomain_errors(host))
        if not _PATH.fullmatch(rest):
            causes.append(invalid(path, rest, _PATH_MESSAGE))
    if len(manager) > MANAGED_BY_MAX:
        causes.append(too_long(path, MANAGED_BY_MAX))


def validate_job_update(new: Json, old: Json, causes: list[Cause]) -> None:
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if spec == was:
        return
    allowed = of_template(was.get("template") or {})
    if has_bad_values(was.get("selector")):
        allowed = allowed.with_selector_values()
    labels = ((was.get("template") or {}).get("metadata") or {}).get("labels") or {}
    prefixed = NAME_LABEL in labels and UID_LABEL in labels
    validate_job(new, causes, allowed, prefixed=prefixed)
    _validate_completions(spec, was, causes)
    if spec.get("selector") != was.get("selector"):
        causes.append(immutable("spec.selector", spec.get("selector")))
    _validate_template_stays(spec, was, old.get("status") or {}, causes)
    causes += [
        immutable(f"spec.{name}", spec.get(name))
        for name in _FIXED
        if spec.get(name) != was.get(name)
    ]


def _validate_completions(spec: Json, was: Json, causes: list[Cause]) -> None:
    """An indexed Job may grow and shrink, with its parallelism."""
    completions = spec.get("completions")
    if completions == was.get("completions"):
        return
    if spec.get("completionMode") != "Indexed":
        causes.append(immutable("spec.completions", completions))
    elif completions is not None and completions != spec.get("parallelism"):
        detail = "can only be modified in tandem with spec.parallelism"
        causes.append(invalid("spec.completions", completions, detail))


def _validate_template_stays(spec: Json, was: Json, status: Json, causes: list[Cause]) -> None:
    """A suspended Job without pods may be sent elsewhere, and given other amounts."""
    template, before = spec.get("template") or {}, was.get("template") or {}
    idle = not status.get("active") and (
        status.get("startTime") is None or is_true(status, "Suspended")
    )
    if was.get("suspend") and idle:
        template, before = _without_directives(template), _without_directives(before)
    if template != before:
        causes.append(immutable("spec.template", spec.get("template")))


def _without_directives(template: Json) -> Json:
    spec = {k: v for k, v in (template.get("spec") or {}).items() if k not in _DIRECTIVES}
    affinity = {k: v for k, v in (spec.pop("affinity", None) or {}).items() if k != "nodeAffinity"}
    for name in ("containers", "initContainers"):
        if name in spec:
            spec[name] = [
                {k: v for k, v in each.items() if k != "resources"} for each in spec[name]
            ]
    metadata = {
        k: v
        for k, v in (template.get("metadata") or {}).items()
        if k not in ("labels", "annotations")
    }
    return {**template, "metadata": metadata, "spec": {**spec, "affinity": affinity}}
