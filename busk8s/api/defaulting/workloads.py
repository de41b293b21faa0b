"""Defaults of the kinds that make pods.

Source    Kubernetes API reference; apps/v1 and batch/v1 defaults.
"""

from __future__ import annotations

from busk8s.api.defaulting.pod import Json, default_pod_template
from busk8s.api.defaulting.storage import default_claim

MAX_INT32 = 2**31 - 1


def default_template_object(template: Json) -> None:
    """A PodTemplate object."""
    default_pod_template(template.setdefault("template", {}))


def default_deployment(deployment: Json) -> None:
    spec = _spec_with_template(deployment)
    _fill(spec, "replicas", 1)
    _fill(spec, "revisionHistoryLimit", 10)
    _fill(spec, "progressDeadlineSeconds", 600)
    strategy = spec.get("strategy")
    if strategy is None:
        strategy = spec["strategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate")
        if rolling is None:
            rolling = strategy["rollingUpdate"] = {}
        _fill(rolling, "maxUnavailable", "25%")
        _fill(rolling, "maxSurge", "25%")


def default_replica_set(replica_set: Json) -> None:
    _fill(_spec_with_template(replica_set), "replicas", 1)


def default_replication_controller(controller: Json) -> None:
    """Labels and selector come from the template: the kind is older than required selectors."""
    spec = controller.setdefault("spec", {})
    if template := spec.get("template"):
        default_pod_template(template)
        if labels := (template.get("metadata") or {}).get("labels"):
            if not spec.get("selector"):
                spec["selector"] = dict(labels)
            if not controller["metadata"].get("labels"):
                controller["metadata"]["labels"] = dict(labels)
    _fill(spec, "replicas", 1)


def default_daemon_set(daemon_set: Json) -> None:
    spec = _spec_with_template(daemon_set)
    _fill(spec, "revisionHistoryLimit", 10)
    strategy = _struct(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = _struct(strategy, "rollingUpdate")
        _fill(rolling, "maxUnavailable", 1)
        _fill(rolling, "maxSurge", 0)


def default_stateful_set(stateful_set: Json) -> None:
    spec = _spec_with_template(stateful_set)
    _fill(spec, "replicas", 1)
    _fill(spec, "revisionHistoryLimit", 10)
    _fill(spec, "podManagementPolicy", "OrderedReady")
    strategy = _struct(spec, "updateStrategy")
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        _fill(_struct(strategy, "rollingUpdate"), "partition", 0)
    retention = _struct(spec, "persistentVolumeClaimRetentionPolicy")
    _fill(retention, "whenDeleted", "Retain")
    _fill(retention, "whenScaled", "Retain")
    for claim in spec.get("volumeClaimTemplates") or ():
        _fill(claim, "kind", "PersistentVolumeClaim")
        _fill(claim, "apiVersion", "v1")
        default_claim(claim)


def default_job(job: Json) -> None:
    spec = _spec_with_template(job)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    _fill(spec, "parallelism", 1)
    _fill(spec, "backoffLimit", MAX_INT32 if "backoffLimitPerIndex" in spec else 6)
    _fill(spec, "completionMode", "NonIndexed")
    _fill(spec, "suspend", False)
    _fill(spec, "manualSelector", False)
    policy = spec.get("podFailurePolicy")
    _fill(spec, "podReplacementPolicy", "Failed" if policy else "TerminatingOrFailed")
    for rule in (policy or {}).get("rules") or ():
        for condition in rule.get("onPodConditions") or ():
            _fill(condition, "status", "True")
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(labels)


def default_cron_job(cron_job: Json) -> None:
    spec = cron_job.setdefault("spec", {})
    _fill(spec, "concurrencyPolicy", "Allow")
    _fill(spec, "suspend", False)
    _fill(spec, "successfulJobsHistoryLimit", 3)
    _fill(spec, "failedJobsHistoryLimit", 1)
    made = _struct(spec, "jobTemplate")
    _struct(made, "metadata")
    template = _struct(_struct(made, "spec"), "template")
    _struct(template, "metadata")
    default_pod_template(template)


def _spec_with_template(obj: Json) -> Json:
    spec: Json = obj.setdefault("spec", {})
    default_pod_template(spec.setdefault("template", {}))
    return spec


def _struct(owner: Json, name: str) -> Json:
    found: Json | None = owner.get(name)
    if found is None:
        found = owner[name] = {}
    return found


def _fill(owner: Json, name: str, value: object) -> None:
    if owner.get(name) in (None, ""):
        owner[name] = value
