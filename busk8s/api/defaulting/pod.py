"""Defaults of pods and pod templates. On the hot path of every pod write: plain and direct.

Source    Kubernetes API reference, PodSpec and Container ("Defaults to ..."); core/v1 defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from busk8s.api.quantity import canonical, rounded_to_millis

Json = dict[str, Any]

FILE_MODE = 0o644
TOKEN_EXPIRATION_S = 3600
CERTIFICATE_EXPIRATION_S = 86400


def default_pod(pod: Json) -> None:
    """What a Pod has beyond a template: requests from limits, service links."""
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    if spec.get("hostNetwork"):
        _default_host_ports(spec)
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    for name in ("containers", "initContainers"):
        for container in spec.get(name) or ():
            if resources := container.get("resources"):
                _requests_from_limits(resources)
    if resources := spec.get("resources"):
        _default_pod_resources(spec, resources)


def default_pod_template(template: Json) -> None:
    default_pod_spec(template.setdefault("spec", {}))


def default_pod_spec(spec: Json) -> None:
    if not spec.get("dnsPolicy"):
        spec["dnsPolicy"] = "ClusterFirst"
    if not spec.get("restartPolicy"):
        spec["restartPolicy"] = "Always"
    if not spec.get("schedulerName"):
        spec["schedulerName"] = "default-scheduler"
    if "terminationGracePeriodSeconds" not in spec:
        spec["terminationGracePeriodSeconds"] = 30
    if "securityContext" not in spec:
        spec["securityContext"] = {}
    _service_account_alias(spec)
    for name in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(name) or ():
            default_container(container)
    for volume in spec.get("volumes") or ():
        default_volume(volume)
    if "overhead" in spec:
        default_resource_list(spec["overhead"])
    if resources := spec.get("resources"):
        _default_resources(resources)


def default_container(container: Json) -> None:
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image") or "")
    resources = container.get("resources")
    if resources is None:
        container["resources"] = {}
    elif resources:
        _default_resources(resources)
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _default_probe(container[name])
    if "lifecycle" in container:
        for handler in container["lifecycle"].values():
            if isinstance(handler, dict) and "httpGet" in handler:
                _default_http_get(handler["httpGet"])
    for variable in container.get("env") or ():
        if source := variable.get("valueFrom"):
            _default_env_source(source)


def _default_host_ports(spec: Json) -> None:
    """On the host's network a port is the host's. A template leaves that to its pods."""
    for name in ("containers", "initContainers"):
        for container in spec.get(name) or ():
            for port in container.get("ports") or ():
                if not port.get("hostPort") and port.get("containerPort"):
                    port["hostPort"] = port["containerPort"]


def pull_policy(image: str) -> str:
    """Always for `latest`, spoken or implied; IfNotPresent when a tag or digest pins the image."""
    if "@" in image:
        name, _, _ = image.partition("@")
        _, colon, tag = name.rpartition("/")[2].partition(":")
        return "Always" if colon and tag == "latest" else "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "Always" if not colon or tag == "latest" else "IfNotPresent"


def default_resource_list(quantities: Json) -> None:
    """Canonical, and rounded up to thousandths. Only what changes is written."""
    for name, quantity in quantities.items():
        if isinstance(quantity, str) and quantity.isdigit():
            text = canonical(quantity)
        else:
            text = rounded_to_millis(quantity)
        if text != quantity:
            quantities[name] = text


def _default_resources(resources: Json) -> None:
    for name in ("limits", "requests"):
        if quantities := resources.get(name):
            default_resource_list(quantities)


def _requests_from_limits(resources: Json) -> None:
    limits = resources.get("limits")
    if not limits:
        return
    requests = resources.get("requests") or {}
    missing = {name: quantity for name, quantity in limits.items() if name not in requests}
    if missing:
        resources["requests"] = {**requests, **missing}


def _default_pod_resources(spec: Json, resources: Json) -> None:
    """Pod-level requests: from pod limits where no container says more (upstream, 1.34 on)."""
    limits = resources.get("limits") or {}
    requests = resources.get("requests") or {}
    missing = {
        name: quantity
        for name, quantity in limits.items()
        if name not in requests and not _some_container_requests(spec, name)
    }
    if missing:
        resources["requests"] = {**requests, **missing}


def _some_container_requests(spec: Json, name: str) -> bool:
    return any(
        name in ((container.get("resources") or {}).get("requests") or {})
        for key in ("containers", "initContainers")
        for container in spec.get(key) or ()
    )


def _default_probe(probe: Json) -> None:
    if not probe.get("timeoutSeconds"):
        probe["timeoutSeconds"] = 1
    if not probe.get("periodSeconds"):
        probe["periodSeconds"] = 10
    if not probe.get("successThreshold"):
        probe["successThreshold"] = 1
    if not probe.get("failureThreshold"):
        probe["failureThreshold"] = 3
    if "httpGet" in probe:
        _default_http_get(probe["httpGet"])
    elif "grpc" in probe and "service" not in probe["grpc"]:
        probe["grpc"]["service"] = ""


def _default_http_get(action: Json) -> None:
    if not action.get("path"):
        action["path"] = "/"
    if not action.get("scheme"):
        action["scheme"] = "HTTP"


def _default_env_source(source: Json) -> None:
    if "fieldRef" in source:
        _default_field_ref(source["fieldRef"])
    if "fileKeyRef" in source and "optional" not in source["fileKeyRef"]:
        source["fileKeyRef"]["optional"] = False


def _default_field_ref(reference: Json) -> None:
    if not reference.get("apiVersion"):
        reference["apiVersion"] = "v1"


def _service_account_alias(spec: Json) -> None:
    """`serviceAccount` is the old name of `serviceAccountName`; both are always shown."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        if spec.get("serviceAccountName") != name:
            spec["serviceAccountName"] = name
        if spec.get("serviceAccount") != name:
            spec["serviceAccount"] = name


def default_volume(volume: Json) -> None:
    """The first source named decides; a volume without one is an emptyDir."""
    sources = [key for key in volume if key != "name"]
    if not sources:
        volume["emptyDir"] = {}
        return
    for source in sources:
        if default := _VOLUMES.get(source):
            default(volume[source])


def _mode(source: Json) -> None:
    if "defaultMode" not in source:
        source["defaultMode"] = FILE_MODE


def _downward(source: Json) -> None:
    _mode(source)
    _downward_items(source)


def _downward_items(source: Json) -> None:
    for item in source.get("items") or ():
        if "fieldRef" in item:
            _default_field_ref(item["fieldRef"])


def _projected(source: Json) -> None:
    _mode(source)
    for projection in source.get("sources") or ():
        token = projection.get("serviceAccountToken")
        if token is not None and "expirationSeconds" not in token:
            token["expirationSeconds"] = TOKEN_EXPIRATION_S
        certificate = projection.get("podCertificate")
        if certificate is not None and "maxExpirationSeconds" not in certificate:
            certificate["maxExpirationSeconds"] = CERTIFICATE_EXPIRATION_S
        if "downwardAPI" in projection:
            _downward_items(projection["downwardAPI"])


def _host_path(source: Json) -> None:
    if "type" not in source:
        source["type"] = ""


def _ephemeral(source: Json) -> None:
    template = source.get("volumeClaimTemplate")
    if template is not None:
        claim = template.setdefault("spec", {})
        if "volumeMode" not in claim:
            claim["volumeMode"] = "Filesystem"


def _image(source: Json) -> None:
    if not source.get("pullPolicy"):
        source["pullPolicy"] = pull_policy(source.get("reference") or "")


def filling(**values: Any) -> Callable[[Json], None]:
    """A default that sets each of `values` where it is absent or empty."""

    def fill(source: Json) -> None:
        for name, value in values.items():
            if source.get(name) in (None, ""):
                source[name] = value

    return fill


_VOLUMES: dict[str, Callable[[Json], None]] = {
    "secret": _mode,
    "configMap": _mode,
    "downwardAPI": _downward,
    "projected": _projected,
    "hostPath": _host_path,
    "ephemeral": _ephemeral,
    "image": _image,
    "iscsi": filling(iscsiInterface="default"),
    "rbd": filling(pool="rbd", user="admin", keyring="/etc/ceph/keyring"),
    "azureDisk": filling(cachingMode="ReadWrite", kind="Shared", fsType="ext4", readOnly=False),
    "scaleIO": filling(storageMode="ThinProvisioned", fsType="xfs"),
}
