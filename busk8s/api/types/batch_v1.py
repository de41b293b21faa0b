"""Kubernetes batch v1, made by tools/generate_types.py; not to be edited."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from busk8s.api.types import core_v1, meta_v1, scheduling_v1alpha3
from busk8s.api.types.markers import (
    AnyJson,
    Base64,
    IntOrString,
    ListType,
    MapType,
    MicroTime,
    Model,
    PatchMerge,
    Quantity,
    Time,
)

__all__ = [
    "CronJob",
    "CronJobList",
    "CronJobSpec",
    "CronJobStatus",
    "Job",
    "JobCondition",
    "JobList",
    "JobSchedulingConfiguration",
    "JobSpec",
    "JobStatus",
    "JobTemplateSpec",
    "PodFailurePolicy",
    "PodFailurePolicyOnExitCodesRequirement",
    "PodFailurePolicyOnPodConditionsPattern",
    "PodFailurePolicyRule",
    "SuccessPolicy",
    "SuccessPolicyRule",
    "UncountedTerminatedPods",
]


class PodFailurePolicyOnExitCodesRequirement(Model):
    container_name: str | None = Field(None, alias="containerName")
    operator: str
    values: Annotated[list[int], ListType("set")]


class PodFailurePolicyOnPodConditionsPattern(Model):
    status: str | None = None
    type: str


class PodFailurePolicyRule(Model):
    action: str
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = Field(None, alias="onExitCodes")
    on_pod_conditions: Annotated[list[PodFailurePolicyOnPodConditionsPattern], ListType("atomic")] = Field(default_factory=list, alias="onPodConditions")


class PodFailurePolicy(Model):
    rules: Annotated[list[PodFailurePolicyRule], ListType("atomic")]


class JobSchedulingConfiguration(Model):
    disruption_mode: scheduling_v1alpha3.WorkloadPodGroupDisruptionMode | None = Field(None, alias="disruptionMode")
    resource_claims: Annotated[list[scheduling_v1alpha3.WorkloadPodGroupResourceClaim], ListType("map", ("name",)), PatchMerge("merge", "name")] = Field(default_factory=list, alias="resourceClaims")
    scheduling_constraints: scheduling_v1alpha3.WorkloadPodGroupSchedulingConstraints | None = Field(None, alias="schedulingConstraints")
    scheduling_policy: scheduling_v1alpha3.WorkloadPodGroupSchedulingPolicy | None = Field(None, alias="schedulingPolicy")


class SuccessPolicyRule(Model):
    succeeded_count: int | None = Field(None, alias="succeededCount")
    succeeded_indexes: str | None = Field(None, alias="succeededIndexes")


class SuccessPolicy(Model):
    rules: Annotated[list[SuccessPolicyRule], ListType("atomic")]


class JobSpec(Model):
    active_deadline_seconds: int | None = Field(None, alias="activeDeadlineSeconds")
    backoff_limit: int | None = Field(None, alias="backoffLimit")
    backoff_limit_per_index: int | None = Field(None, alias="backoffLimitPerIndex")
    completion_mode: str | None = Field(None, alias="completionMode")
    completions: int | None = None
    managed_by: str | None = Field(None, alias="managedBy")
    manual_selector: bool | None = Field(None, alias="manualSelector")
    max_failed_indexes: int | None = Field(None, alias="maxFailedIndexes")
    parallelism: int | None = None
    pod_failure_policy: PodFailurePolicy | None = Field(None, alias="podFailurePolicy")
    pod_replacement_policy: str | None = Field(None, alias="podReplacementPolicy")
    scheduling: JobSchedulingConfiguration | None = None
    selector: meta_v1.LabelSelector | None = None
    success_policy: SuccessPolicy | None = Field(None, alias="successPolicy")
    suspend: bool | None = None
    template: core_v1.PodTemplateSpec
    ttl_seconds_after_finished: int | None = Field(None, alias="ttlSecondsAfterFinished")


class JobTemplateSpec(Model):
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: JobSpec | None = None


class CronJobSpec(Model):
    concurrency_policy: str | None = Field(None, alias="concurrencyPolicy")
    failed_jobs_history_limit: int | None = Field(None, alias="failedJobsHistoryLimit")
    job_template: JobTemplateSpec = Field(alias="jobTemplate")
    schedule: str
    starting_deadline_seconds: int | None = Field(None, alias="startingDeadlineSeconds")
    successful_jobs_history_limit: int | None = Field(None, alias="successfulJobsHistoryLimit")
    suspend: bool | None = None
    time_zone: str | None = Field(None, alias="timeZone")


class CronJobStatus(Model):
    active: Annotated[list[core_v1.ObjectReference], ListType("atomic")] = Field(default_factory=list)
    last_schedule_time: Time | None = Field(None, alias="lastScheduleTime")
    last_successful_time: Time | None = Field(None, alias="lastSuccessfulTime")


class CronJob(Model):
    api_version: str = Field("batch/v1", alias="apiVersion")
    kind: str = "CronJob"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: CronJobSpec
    status: CronJobStatus = Field(default_factory=CronJobStatus)


class CronJobList(Model):
    api_version: str = Field("batch/v1", alias="apiVersion")
    items: list[CronJob]
    kind: str = "CronJobList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)


class JobCondition(Model):
    last_probe_time: Time | None = Field(None, alias="lastProbeTime")
    last_transition_time: Time | None = Field(None, alias="lastTransitionTime")
    message: str | None = None
    reason: str | None = None
    status: str
    type: str


class UncountedTerminatedPods(Model):
    failed: Annotated[list[str], ListType("set")] = Field(default_factory=list)
    succeeded: Annotated[list[str], ListType("set")] = Field(default_factory=list)


class JobStatus(Model):
    active: int | None = None
    completed_indexes: str | None = Field(None, alias="completedIndexes")
    completion_time: Time | None = Field(None, alias="completionTime")
    conditions: Annotated[list[JobCondition], ListType("atomic"), PatchMerge("merge", "type")] = Field(default_factory=list)
    failed: int | None = None
    failed_indexes: str | None = Field(None, alias="failedIndexes")
    ready: int | None = None
    start_time: Time | None = Field(None, alias="startTime")
    succeeded: int | None = None
    terminating: int | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = Field(None, alias="uncountedTerminatedPods")


class Job(Model):
    api_version: str = Field("batch/v1", alias="apiVersion")
    kind: str = "Job"
    metadata: meta_v1.ObjectMeta = Field(default_factory=meta_v1.ObjectMeta)
    spec: JobSpec
    status: JobStatus = Field(default_factory=JobStatus)


class JobList(Model):
    api_version: str = Field("batch/v1", alias="apiVersion")
    items: list[Job]
    kind: str = "JobList"
    metadata: meta_v1.ListMeta = Field(default_factory=meta_v1.ListMeta)
