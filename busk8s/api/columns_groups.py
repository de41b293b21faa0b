"""Columns of the kinds outside the core group.

Source    pkg/printers/internalversion: which columns, in which order.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.columns import (
    AGE,
    CREATED,
    NAME,
    NONE,
    UNSET,
    Column,
    Json,
    at,
    containers,
    duration,
    joined,
    number,
    selector_column,
    since,
    spec,
    status,
    text,
)
from busk8s.api.meta import parse_time


def _of(ready: str, wanted: str) -> Any:
    def cell(data: Json, now: float) -> str:
        state, asked = data.get("status") or {}, data.get("spec") or {}
        return f"{state.get(ready, 0)}/{asked.get(wanted, 0)}"

    return cell


def _job_status(job: Json, now: float) -> str:
    conditions = {
        c.get("type"): c for c in (job.get("status") or {}).get("conditions") or ()
        if c.get("status") == "True"
    }  # fmt: skip
    if "Complete" in conditions:
        return "Complete"
    if "Failed" in conditions:
        return "Failed"
    if "deletionTimestamp" in job["metadata"]:
        return "Terminating"
    for kind, said in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget")):
        if kind in conditions:
            return said
    return "SuccessCriteriaMet" if "SuccessCriteriaMet" in conditions else "Running"


def _completions(job: Json, now: float) -> str:
    asked, done = job.get("spec") or {}, (job.get("status") or {}).get("succeeded", 0)
    if asked.get("completions") is not None:
        return f"{done}/{asked['completions']}"
    parallel = asked.get("parallelism", 1)
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_duration(job: Json, now: float) -> str:
    state = job.get("status") or {}
    if not state.get("startTime"):
        return ""
    ended = state.get("completionTime")
    return duration((parse_time(ended) if ended else now) - parse_time(state["startTime"]))


def _last_schedule(job: Json, now: float) -> str:
    last = (job.get("status") or {}).get("lastScheduleTime")
    return since(last, now) if last else NONE


def _ingress_hosts(data: Json, now: float) -> str:
    rules = (data.get("spec") or {}).get("rules") or ()
    return ",".join(rule["host"] for rule in rules if rule.get("host")) or "*"


def _ingress_address(data: Json, now: float) -> str:
    ingress = ((data.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(one.get("ip") or one.get("hostname") or "" for one in ingress)


def _ingress_ports(data: Json, now: float) -> str:
    return "80, 443" if (data.get("spec") or {}).get("tls") else "80"


def _slice_ports(data: Json, now: float) -> str:
    ports = [str(port.get("port", "*")) for port in data.get("ports") or ()]
    return _first(ports, UNSET)


def _slice_endpoints(data: Json, now: float) -> str:
    addresses = [a for one in data.get("endpoints") or () for a in one.get("addresses") or ()]
    return _first(addresses, UNSET)


def _first(items: list[str], empty: str, most: int = 3) -> str:
    shown = ",".join(items[:most])
    return (shown + f" + {len(items) - most} more..." if len(items) > most else shown) or empty


def _targets(hpa: Json, now: float) -> str:
    asked, state = hpa.get("spec") or {}, hpa.get("status") or {}
    current = state.get("currentMetrics") or ()
    said = []
    for index, metric in enumerate(asked.get("metrics") or ()):
        source = metric.get("resource") or {}
        if metric.get("type") != "Resource":
            said.append(f"<unknown>/{metric.get('type')}")
            continue
        used = (current[index].get("resource") or {}) if index < len(current) else {}
        target, now_is = source.get("target") or {}, used.get("current") or {}
        if target.get("averageUtilization") is not None:
            value = now_is.get("averageUtilization")
            shown = "<unknown>" if value is None else f"{value}%"
            said.append(f"{source.get('name')}: {shown}/{target['averageUtilization']}%")
        else:
            value = now_is.get("averageValue", "<unknown>")
            said.append(f"{source.get('name')}: {value}/{target.get('averageValue')}")
    return ", ".join(said[:2]) + (f" + {len(said) - 2} more..." if len(said) > 2 else "") or NONE


def _reference(hpa: Json, now: float) -> str:
    ref = (hpa.get("spec") or {}).get("scaleTargetRef") or {}
    return f"{ref.get('kind', '')}/{ref.get('name', '')}"


def _role(data: Json, now: float) -> str:
    ref = data.get("roleRef") or {}
    return f"{ref.get('kind', '')}/{ref.get('name', '')}"


def _subjects(kind: str) -> Any:
    def cell(data: Json, now: float) -> str:
        found = [s for s in data.get("subjects") or () if s.get("kind") == kind]
        full = kind == "ServiceAccount"
        return ", ".join(
            f"{s.get('namespace', '')}/{s['name']}" if full else s["name"] for s in found
        )

    return cell


_BINDING = (
    NAME,
    text("Role", _role),
    AGE,
    text("Users", _subjects("User"), wide=True),
    text("Groups", _subjects("Group"), wide=True),
    text("ServiceAccounts", _subjects("ServiceAccount"), wide=True),
)


def _csr_condition(data: Json, now: float) -> str:
    state = data.get("status") or {}
    said = [c.get("type", "") for c in state.get("conditions") or ()]
    if state.get("certificate"):
        said.append("Issued")
    return ",".join(said) or "Pending"


def _class_name(data: Json, now: float) -> str:
    marked = (data["metadata"].get("annotations") or {}).get(
        "storageclass.kubernetes.io/is-default-class"
    )
    name = str(data["metadata"].get("name", ""))
    return name + " (default)" if marked == "true" else name


COLUMNS: dict[str, tuple[Column, ...]] = {
    "deployments.apps": (
        NAME,
        text("Ready", _of("readyReplicas", "replicas")),
        number("Up-to-date", status("updatedReplicas", default=0)),
        number("Available", status("availableReplicas", default=0)),
        AGE,
        *containers(),
        selector_column("spec", "selector"),
    ),
    "replicasets.apps": (
        NAME,
        number("Desired", spec("replicas", default=0)),
        number("Current", status("replicas", default=0)),
        number("Ready", status("readyReplicas", default=0)),
        AGE,
        *containers(),
        selector_column("spec", "selector"),
    ),
    "statefulsets.apps": (
        NAME,
        text("Ready", _of("readyReplicas", "replicas")),
        AGE,
        *containers(),
    ),
    "daemonsets.apps": (
        NAME,
        number("Desired", status("desiredNumberScheduled", default=0)),
        number("Current", status("currentNumberScheduled", default=0)),
        number("Ready", status("numberReady", default=0)),
        number("Up-to-date", status("updatedNumberScheduled", default=0)),
        number("Available", status("numberAvailable", default=0)),
        selector_column(
            "spec", "template", "spec", "nodeSelector", wide=False, name="Node Selector"
        ),
        AGE,
        *containers(),
        selector_column("spec", "selector"),
    ),
    "controllerrevisions.apps": (
        NAME,
        text("Controller", lambda data, now: _owner(data)),
        number("Revision", at("revision", default=0)),
        AGE,
    ),
    "jobs.batch": (
        NAME,
        text("Status", _job_status),
        text("Completions", _completions),
        text("Duration", _job_duration),
        AGE,
        *containers(),
        selector_column("spec", "selector"),
    ),
    "cronjobs.batch": (
        NAME,
        text("Schedule", spec("schedule")),
        text("Timezone", spec("timeZone", default=NONE)),
        text("Suspend", lambda data, now: str(bool(data["spec"].get("suspend")))),
        number("Active", lambda data, now: len((data.get("status") or {}).get("active") or ())),
        text("Last Schedule", _last_schedule),
        AGE,
        *containers(("spec", "jobTemplate", "spec", "template", "spec")),
        selector_column("spec", "jobTemplate", "spec", "selector"),
    ),
    "horizontalpodautoscalers.autoscaling": (
        NAME,
        text("Reference", _reference),
        text("Targets", _targets),
        text("MinPods", spec("minReplicas", default=UNSET)),
        number("MaxPods", spec("maxReplicas", default=0)),
        number("Replicas", status("currentReplicas", default=0)),
        AGE,
    ),
    "poddisruptionbudgets.policy": (
        NAME,
        text("Min Available", spec("minAvailable", default="N/A")),
        text("Max Unavailable", spec("maxUnavailable", default="N/A")),
        number("Allowed Disruptions", status("disruptionsAllowed", default=0)),
        AGE,
    ),
    "ingresses.networking.k8s.io": (
        NAME,
        text("Class", spec("ingressClassName", default=NONE)),
        text("Hosts", _ingress_hosts),
        text("Address", _ingress_address),
        text("Ports", _ingress_ports),
        AGE,
    ),
    "ingressclasses.networking.k8s.io": (
        NAME,
        text("Controller", spec("controller")),
        text("Parameters", spec("parameters", "name", default=NONE)),
        AGE,
    ),
    "networkpolicies.networking.k8s.io": (
        NAME,
        selector_column("spec", "podSelector", wide=False, name="Pod-Selector"),
        AGE,
    ),
    "endpointslices.discovery.k8s.io": (
        NAME,
        text("AddressType", at("addressType")),
        text("Ports", _slice_ports),
        text("Endpoints", _slice_endpoints),
        AGE,
    ),
    "leases.coordination.k8s.io": (NAME, text("Holder", spec("holderIdentity")), AGE),
    "priorityclasses.scheduling.k8s.io": (
        NAME,
        number("Value", at("value", default=0)),
        text("Global-Default", lambda data, now: str(bool(data.get("globalDefault"))).lower()),
        AGE,
        text("PreemptionPolicy", at("preemptionPolicy")),
    ),
    "runtimeclasses.node.k8s.io": (NAME, text("Handler", at("handler")), AGE),
    "storageclasses.storage.k8s.io": (
        Column("Name", _class_name),
        text("Provisioner", at("provisioner")),
        text("ReclaimPolicy", at("reclaimPolicy", default="Delete")),
        text("VolumeBindingMode", at("volumeBindingMode", default="Immediate")),
        text(
            "AllowVolumeExpansion",
            lambda data, now: str(bool(data.get("allowVolumeExpansion"))).lower(),
        ),
        AGE,
    ),
    "roles.rbac.authorization.k8s.io": (NAME, CREATED),
    "clusterroles.rbac.authorization.k8s.io": (NAME, CREATED),
    "rolebindings.rbac.authorization.k8s.io": _BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDING,
    "certificatesigningrequests.certificates.k8s.io": (
        NAME,
        AGE,
        text("SignerName", spec("signerName")),
        text("Requestor", spec("username")),
        text("RequestedDuration", lambda data, now: _requested(data)),
        text("Condition", _csr_condition),
    ),
    "volumeattachments.storage.k8s.io": (
        NAME,
        text("Attacher", spec("attacher")),
        text("PV", spec("source", "persistentVolumeName")),
        text("Node", spec("nodeName")),
        text(
            "Attached",
            lambda data, now: str(bool((data.get("status") or {}).get("attached"))).lower(),
        ),
        AGE,
    ),
    "servicecidrs.networking.k8s.io": (NAME, joined("CIDRs", spec("cidrs", default=())), AGE),
}


def _owner(data: Json) -> str:
    for ref in data["metadata"].get("ownerReferences") or ():
        if ref.get("controller"):
            group = str(ref.get("apiVersion", "")).partition("/")
            kind = str(ref.get("kind", "")).lower()
            suffix = f".{group[0]}" if group[1] else ""
            return f"{kind}{suffix}/{ref.get('name', '')}"
    return NONE


def _requested(data: Json) -> str:
    seconds = (data.get("spec") or {}).get("expirationSeconds")
    return duration(seconds) if seconds else NONE
