"""Rows of the kinds that make up a cluster: nodes, namespaces, configuration, events, access.

Owns      their columns and cells.
Leaves    workloads, network and storage kinds (modules beside this one).
Invariant as tables/column.
"""

from __future__ import annotations

from busk8s.api.tables.column import (
    NONE,
    UNKNOWN,
    Cells,
    Json,
    Printer,
    age,
    at,
    column,
    columns,
    human_duration,
    name_of,
    since,
)

ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"


def _namespace(obj: Json, now: float) -> Cells:
    return [name_of(obj), at(obj, "status", "phase") or "", age(obj, now)]


def _node(obj: Json, now: float) -> Cells:
    info = at(obj, "status", "nodeInfo") or {}
    return [
        name_of(obj),
        _node_status(obj),
        _node_roles(obj),
        age(obj, now),
        info.get("kubeletVersion", ""),
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _node_status(obj: Json) -> str:
    conditions = {c.get("type"): c.get("status") for c in at(obj, "status", "conditions") or ()}
    ready = conditions.get("Ready")
    word = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    return word + (",SchedulingDisabled" if at(obj, "spec", "unschedulable") else "")


def _node_roles(obj: Json) -> str:
    roles = set()
    for key, value in (obj["metadata"].get("labels") or {}).items():
        if key.startswith(ROLE_PREFIX):
            roles.add(key.removeprefix(ROLE_PREFIX))
        elif key == ROLE_LABEL:
            roles.add(value)
    return ",".join(sorted(roles - {""})) or NONE


def _address(obj: Json, kind: str) -> str:
    addresses = at(obj, "status", "addresses") or ()
    return next((str(a.get("address")) for a in addresses if a.get("type") == kind), NONE)


def _config_map(obj: Json, now: float) -> Cells:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [name_of(obj), count, age(obj, now)]


def _secret(obj: Json, now: float) -> Cells:
    return [name_of(obj), obj.get("type", ""), len(obj.get("data") or ()), age(obj, now)]


def _service_account(obj: Json, now: float) -> Cells:
    return [name_of(obj), len(obj.get("secrets") or ()), age(obj, now)]


def _event(obj: Json, now: float) -> Cells:
    """Of core/v1 or events.k8s.io/v1: the same event under other names."""
    first_time = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp")
    last_time = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp")
    first = since(first_time or obj.get("eventTime"), now)
    last = since(last_time, now) if last_time else first
    count = obj.get("count") or obj.get("deprecatedCount") or 1
    if series := obj.get("series"):
        last = since(series.get("lastObservedTime"), now)
        count = series.get("count", 0)
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    kind, name = about.get("kind", "").lower(), about.get("name")
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        about.get("fieldPath", ""),
        (obj.get("message") or obj.get("note") or "").strip(),
        _event_source(obj),
        first,
        count,
        name_of(obj),
    ]


def _event_source(obj: Json) -> str:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    controller = obj.get("reportingController") or obj.get("reportingComponent")
    component = source.get("component") or controller or ""
    instance = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {instance}" if instance else str(component)


def _lease(obj: Json, now: float) -> Cells:
    return [name_of(obj), at(obj, "spec", "holderIdentity") or "", age(obj, now)]


def _quota(obj: Json, now: float) -> Cells:
    hard, used = at(obj, "status", "hard") or {}, at(obj, "status", "used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for resource in sorted(hard):
        text = f"{resource}: {used.get(resource, '0')}/{hard[resource]}"
        (limits if resource.startswith("limits") else requests).append(text)
    return [name_of(obj), ", ".join(requests), ", ".join(limits), age(obj, now)]


def _binding(obj: Json, now: float) -> Cells:
    role = obj.get("roleRef") or {}
    names: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        kind, name = subject.get("kind", ""), subject.get("name", "")
        namespaced = f"{subject.get('namespace', '')}/{name}"
        names.setdefault(kind, []).append(namespaced if kind == "ServiceAccount" else name)
    people = [", ".join(names[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [name_of(obj), f"{role.get('kind', '')}/{role.get('name', '')}", age(obj, now), *people]


def _priority_class(obj: Json, now: float) -> Cells:
    head = [name_of(obj), obj.get("value", 0), bool(obj.get("globalDefault"))]
    return [*head, age(obj, now), obj.get("preemptionPolicy") or ""]


def _runtime_class(obj: Json, now: float) -> Cells:
    return [name_of(obj), obj.get("handler", ""), age(obj, now)]


def _signing_request(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    return [
        name_of(obj),
        age(obj, now),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        human_duration(seconds) if seconds is not None else NONE,
        _signing_status(obj),
    ]


def _signing_status(obj: Json) -> str:
    found = {c.get("type") for c in at(obj, "status", "conditions") or ()}
    word = "Denied" if "Denied" in found else "Approved" if "Approved" in found else "Pending"
    word += ",Failed" if "Failed" in found else ""
    return word + (",Issued" if at(obj, "status", "certificate") else "")


def _webhooks(obj: Json, now: float) -> Cells:
    return [name_of(obj), len(obj.get("webhooks") or ()), age(obj, now)]


def _api_service(obj: Json, now: float) -> Cells:
    service = at(obj, "spec", "service")
    where = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    conditions = {c.get("type"): c for c in at(obj, "status", "conditions") or ()}
    available = conditions.get("Available", {})
    word = available.get("status", "Unknown")
    if word != "True" and available.get("reason"):
        word = f"{word} ({available['reason']})"
    return [name_of(obj), where, word, age(obj, now)]


def _component_status(obj: Json, _now: float) -> Cells:
    conditions = {c.get("type"): c for c in obj.get("conditions") or ()}
    healthy: Json = conditions.get("Healthy", {})
    words = {"True": "Healthy", "False": "Unhealthy"}
    status = words.get(healthy.get("status", ""), "Unknown")
    return [name_of(obj), status, healthy.get("message", ""), healthy.get("error", "")]


_EVENT = Printer(
    (
        *columns("Last Seen|Type|Reason|Object|+Subobject|Message|+Source|+First Seen"),
        column("Count", "integer", wide=True),
        column("Name", format_="name", wide=True),
    ),
    _event,
)
_BINDING = Printer(columns("Name|Role|Age|+Users|+Groups|+ServiceAccounts"), _binding)
_WEBHOOKS = Printer(columns("Name|#Webhooks|Age"), _webhooks)
PRINTERS = {
    "namespaces": Printer(columns("Name|Status|Age"), _namespace),
    "nodes": Printer(
        columns(
            "Name|Status|Roles|Age|Version|+Internal-IP|+External-IP|+OS-Image|+Kernel-Version"
            "|+Container-Runtime"
        ),
        _node,
    ),
    "configmaps": Printer(columns("Name|Data|Age"), _config_map),
    "secrets": Printer(columns("Name|Type|Data|Age"), _secret),
    "serviceaccounts": Printer(columns("Name|Secrets|Age"), _service_account),
    "events": _EVENT,
    "events.events.k8s.io": _EVENT,
    "leases.coordination.k8s.io": Printer(columns("Name|Holder|Age"), _lease),
    "resourcequotas": Printer(columns("Name|Request|Limit|Age"), _quota),
    "rolebindings.rbac.authorization.k8s.io": _BINDING,
    "clusterrolebindings.rbac.authorization.k8s.io": _BINDING,
    "priorityclasses.scheduling.k8s.io": Printer(
        (
            *columns("Name|#Value"),
            column("Global-Default", "boolean"),
            *columns("Age|PreemptionPolicy"),
        ),
        _priority_class,
    ),
    "runtimeclasses.node.k8s.io": Printer(columns("Name|Handler|Age"), _runtime_class),
    "certificatesigningrequests.certificates.k8s.io": Printer(
        columns("Name|Age|SignerName|Requestor|RequestedDuration|Condition"), _signing_request
    ),
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "apiservices.apiregistration.k8s.io": Printer(
        columns("Name|Service|Available|Age"), _api_service
    ),
    "componentstatuses": Printer(columns("Name|Status|Message|Error"), _component_status),
}
