"""Columns of the core group's kinds beside pods.

Source    pkg/printers/internalversion: which columns, in which order.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.columns import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    UNSET,
    Column,
    Json,
    at,
    containers,
    joined,
    number,
    selector_column,
    since,
    spec,
    status,
    text,
)

_ROLE = "node-role.kubernetes.io/"


def _count(key: str) -> Any:
    return lambda data, now: len(data.get(key) or ())


def _config_count(data: Json, now: float) -> int:
    return len(data.get("data") or ()) + len(data.get("binaryData") or ())


def _node_status(node: Json, now: float) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((c for c in conditions if c.get("type") == "Ready"), None)
    said = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if (node.get("spec") or {}).get("unschedulable"):
        said += ",SchedulingDisabled"
    return said


def _node_roles(node: Json, now: float) -> str:
    labels = node["metadata"].get("labels") or {}
    roles = [key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)]
    if "kubernetes.io/role" in labels:
        roles.append(labels["kubernetes.io/role"])
    return ",".join(sorted(filter(None, roles))) or NONE


def _node_address(kind: str) -> Any:
    def cell(node: Json, now: float) -> str:
        for address in (node.get("status") or {}).get("addresses") or ():
            if address.get("type") == kind:
                return str(address.get("address"))
        return NONE

    return cell


def _external_ip(service: Json, now: float) -> str:
    data = service.get("spec") or {}
    kind, external = data.get("type"), data.get("externalIPs") or []
    if kind == "ExternalName":
        return str(data.get("externalName", ""))
    if kind == "LoadBalancer":
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        found = [one.get("ip") or one.get("hostname") or "" for one in ingress]
        return ",".join([*found, *external]) or "<pending>"
    return ",".join(external) or NONE


def _service_ports(service: Json, now: float) -> str:
    said = []
    for port in (service.get("spec") or {}).get("ports") or ():
        numbers = str(port.get("port"))
        if port.get("nodePort"):
            numbers += f":{port['nodePort']}"
        said.append(f"{numbers}/{port.get('protocol', 'TCP')}")
    return ",".join(said) or NONE


def _endpoints(data: Json, now: float) -> str:
    found = []
    for subset in data.get("subsets") or ():
        ports = subset.get("ports") or ()
        for address in subset.get("addresses") or ():
            found += [f"{address['ip']}:{p['port']}" for p in ports] or [address["ip"]]
    if len(found) > 3:
        return ",".join(found[:3]) + f" + {len(found) - 3} more..."
    return ",".join(found) or NONE


def _event_subject(event: Json, now: float) -> str:
    subject = event.get("involvedObject") or event.get("regarding") or {}
    return f"{str(subject.get('kind', '')).lower()}/{subject.get('name', '')}"


def _last_seen(event: Json, now: float) -> str:
    series = event.get("series") or {}
    last = event.get("lastTimestamp") or event.get("deprecatedLastTimestamp")
    return since(series.get("lastObservedTime") or last or event.get("eventTime"), now)


def _first_seen(event: Json, now: float) -> str:
    first = event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp")
    return since(first or event.get("eventTime"), now)


def _event_count(event: Json, now: float) -> int:
    series = event.get("series") or {}
    return int(series.get("count") or event.get("count") or event.get("deprecatedCount") or 1)


def _event_source(event: Json, now: float) -> str:
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent")
    component = component or event.get("reportingController") or ""
    return f"{component}, {source['host']}" if source.get("host") else str(component)


def _message(event: Json, now: float) -> str:
    return str(event.get("message") or event.get("note") or "").strip()


_EVENT = (
    text("Last Seen", _last_seen),
    text("Type", at("type")),
    text("Reason", at("reason")),
    text("Object", _event_subject),
    text("Subobject", at("involvedObject", "fieldPath"), wide=True),
    text("Source", _event_source, wide=True),
    text("Message", _message),
    text("First Seen", _first_seen, wide=True),
    number("Count", _event_count, wide=True),
    Column("Name", NAME.cell, wide=True),
)

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _modes(data: Json, now: float) -> str:
    modes = (data.get("spec") or {}).get("accessModes") or ()
    return ",".join(_MODES.get(mode, mode) for mode in modes)


def _claim_of(data: Json, now: float) -> str:
    ref = (data.get("spec") or {}).get("claimRef")
    return f"{ref.get('namespace', '')}/{ref.get('name', '')}" if ref else ""


def _phase(data: Json, now: float) -> str:
    phase = (data.get("status") or {}).get("phase", "")
    return "Terminating" if "deletionTimestamp" in data["metadata"] else str(phase)


def _quota(used: bool, prefix: str) -> Any:
    def cell(data: Json, now: float) -> str:
        state = data.get("status") or {}
        hard = state.get("hard") or (data.get("spec") or {}).get("hard") or {}
        shown = {k: v for k, v in sorted(hard.items()) if k.startswith("limits.") == used}
        spent = state.get("used") or {}
        return ", ".join(f"{key}: {spent.get(key, '0')}/{most}" for key, most in shown.items())

    return cell


COLUMNS: dict[str, tuple[Column, ...]] = {
    "namespaces": (NAME, text("Status", status("phase")), AGE),
    "nodes": (
        NAME,
        text("Status", _node_status),
        text("Roles", _node_roles),
        AGE,
        text("Version", status("nodeInfo", "kubeletVersion")),
        text("Internal-IP", _node_address("InternalIP"), wide=True),
        text("External-IP", _node_address("ExternalIP"), wide=True),
        text("OS-Image", status("nodeInfo", "osImage", default=UNKNOWN), wide=True),
        text("Kernel-Version", status("nodeInfo", "kernelVersion", default=UNKNOWN), wide=True),
        text(
            "Container-Runtime",
            status("nodeInfo", "containerRuntimeVersion", default=UNKNOWN),
            wide=True,
        ),
    ),
    "services": (
        NAME,
        text("Type", spec("type")),
        text("Cluster-IP", spec("clusterIP", default=NONE)),
        text("External-IP", _external_ip),
        text("Port(s)", _service_ports),
        AGE,
        selector_column("spec", "selector"),
    ),
    "endpoints": (NAME, text("Endpoints", _endpoints), AGE),
    "configmaps": (NAME, number("Data", _config_count), AGE),
    "secrets": (NAME, text("Type", at("type")), number("Data", _count("data")), AGE),
    "serviceaccounts": (NAME, number("Secrets", _count("secrets")), AGE),
    "events": _EVENT,
    "events.events.k8s.io": _EVENT,
    "persistentvolumes": (
        NAME,
        text("Capacity", spec("capacity", "storage")),
        text("Access Modes", _modes),
        text("Reclaim Policy", spec("persistentVolumeReclaimPolicy")),
        text("Status", _phase),
        text("Claim", _claim_of),
        text("StorageClass", spec("storageClassName")),
        text("VolumeAttributesClass", spec("volumeAttributesClassName", default=UNSET)),
        text("Reason", status("reason")),
        AGE,
        text("VolumeMode", spec("volumeMode", default=UNSET), wide=True),
    ),
    "persistentvolumeclaims": (
        NAME,
        text("Status", _phase),
        text("Volume", spec("volumeName")),
        text("Capacity", status("capacity", "storage")),
        text("Access Modes", _modes),
        text("StorageClass", spec("storageClassName")),
        text("VolumeAttributesClass", spec("volumeAttributesClassName", default=UNSET)),
        AGE,
        text("VolumeMode", spec("volumeMode", default=UNSET), wide=True),
    ),
    "replicationcontrollers": (
        NAME,
        number("Desired", spec("replicas", default=0)),
        number("Current", status("replicas", default=0)),
        number("Ready", status("readyReplicas", default=0)),
        AGE,
        *containers(),
        selector_column("spec", "selector"),
    ),
    "resourcequotas": (
        NAME,
        text("Request", _quota(False, "requests.")),
        text("Limit", _quota(True, "limits.")),
        AGE,
    ),
    "podtemplates": (
        NAME,
        *(Column(c.name, c.cell, c.type) for c in containers(("template", "spec"))),
        selector_column("template", "metadata", "labels", wide=False, name="Pod Labels"),
    ),
    "componentstatuses": (
        NAME,
        text("Status", at("status", default="Unknown")),
        joined("Message", at("conditions", default=())),
    ),
}
