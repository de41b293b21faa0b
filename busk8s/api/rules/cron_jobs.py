"""CronJobs: schedule, time zone, and the Job they make.

Source    Kubernetes API reference, CronJob; the rules of batch validation.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.rules.cause import invalid, not_negative, not_supported, one_of, required
from busk8s.api.rules.cron_schedule import schedule_error
from busk8s.api.rules.jobs import validate_own_fields
from busk8s.api.rules.ratcheting import of_template
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.api.rules.workloads import validate_job_spec
from busk8s.api.schedule import BadSchedule, zone_of
from busk8s.api.schedule import check as check_schedule
from busk8s.errors import Cause

Json = dict[str, Any]

NAME_MAX = 52  # The minute of each Job's moment is to fit behind it.
CONCURRENCY = ("Allow", "Forbid", "Replace")
_LIMITS = ("successfulJobsHistoryLimit", "failedJobsHistoryLimit")
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}", re.ASCII)


def validate_cron_job(cron_job: Json, causes: list[Cause]) -> None:
    _validate_spec(cron_job.get("spec") or {}, {}, STRICT, causes)
    name = cron_job["metadata"].get("name") or ""
    if len(name) > NAME_MAX:
        causes.append(invalid("metadata.name", name, f"must be no more than {NAME_MAX} characters"))


def validate_cron_job_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """A name that is too long was accepted once."""
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if spec == was:
        return
    before = ((was.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
    _validate_spec(spec, was, of_template(before), causes)


def _validate_spec(spec: Json, was: Json, allowed: Tolerance, causes: list[Cause]) -> None:
    _validate_schedule(spec, was, causes)
    deadline = spec.get("startingDeadlineSeconds")
    causes += not_negative("spec.startingDeadlineSeconds", deadline)
    if not was or spec.get("timeZone") != was.get("timeZone"):
        _validate_zone(spec.get("timeZone"), causes)
    causes += one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), CONCURRENCY)
    job, path = (spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec"
    validate_own_fields(job, path, causes)
    validate_job_spec(job, path, causes, allowed)
    if job.get("selector") is not None:
        detail = "`selector` will be auto-generated"
        causes.append(invalid(f"{path}.selector", job["selector"], detail))
    if job.get("manualSelector"):
        causes.append(not_supported(f"{path}.manualSelector", True, ("nil", "false")))
    for name in _LIMITS:
        causes += not_negative(f"spec.{name}", spec.get(name))


def _validate_schedule(spec: Json, was: Json, causes: list[Cause]) -> None:
    schedule, path = spec.get("schedule") or "", "spec.schedule"
    if not schedule:
        causes.append(required(path))
        return
    had_zone = "TZ" in (was.get("schedule") or "")
    if error := schedule_error(schedule):
        causes.append(invalid(path, schedule, error))
    elif "TZ" not in schedule:
        try:
            check_schedule(schedule)
        except BadSchedule as bad:
            causes.append(invalid(path, schedule, str(bad)))
    if "TZ" in schedule and not had_zone:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        causes.append(invalid(path, schedule, detail))
    elif "TZ" in schedule and spec.get("timeZone") is not None:
        detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        causes.append(invalid(path, schedule, detail))


def _validate_zone(zone: str | None, causes: list[Cause]) -> None:
    path = "spec.timeZone"
    if zone is None:
        return
    if not zone:
        causes.append(invalid(path, zone, "timeZone must be nil or non-empty string"))
        return
    unknown = invalid(path, zone, f"unknown time zone {zone}")
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            causes.append(unknown)
            return
    if zone.lower() == "local":
        detail = (
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
        causes.append(invalid(path, zone, detail))
        return
    try:
        zone_of(zone)
    except BadSchedule:
        causes.append(unknown)
