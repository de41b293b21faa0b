"""What every cluster has from its first second on: namespaces, priority classes, the API's Service.

Owns      the list of default objects, bringing them about at each start and keeping them.
Leaves    objects per namespace (controllers), the CA (pki).
Invariant idempotent: objects that are there stay as users left them, but for the API's own
          address, which follows the server.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from busk8s import errors
from busk8s.api.claiming import LOCAL_PROVISIONER
from busk8s.api.object import Json
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.fairness import defaults as fairness
from busk8s.master.apiserver.loopback import Dispatch, ask

log = Logger("busk8s.apiserver")

KEEP_EVERY_S = 10.0  # How long a deleted default object is missed; upstream's time.
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
CRITICAL = {
    "system-node-critical": (
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    "system-cluster-critical": (
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another "
        "node if necessary.",
    ),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API is reached: by cluster IP, and really.

    `authentication`: what extension API servers believe our callers by, published for them.
    """

    service_ip: str
    host: str
    port: int
    authentication: Mapping[str, str] = field(default_factory=dict)
    service_cidr: str = ""


def first_service_ip(cidr: str) -> str:
    """The API's own cluster IP: the first of the service range."""
    return str(ipaddress.ip_network(cidr)[1])


@dataclass(frozen=True, slots=True)
class Wanted:
    collection: str
    object: Json
    follow: bool = False  # bring it back to this form at each start
    keep: bool = True  # bring it back when somebody deletes it, not at the next start only
    ready: str = ""  # what its condition Ready says, where it has one and it is ours to set


def wanted(address: Address) -> Iterator[Wanted]:
    """The default objects in the order they need each other."""
    for name in NAMESPACES:
        yield Wanted("/api/v1/namespaces", _named("v1", "Namespace", name))
    for name, (value, description) in CRITICAL.items():
        yield Wanted(
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            _named("scheduling.k8s.io/v1", "PriorityClass", name)
            | {"value": value, "description": description},
        )
    yield Wanted("/apis/storage.k8s.io/v1/storageclasses", _storage_class(), keep=False)
    for kind, objects in (
        ("prioritylevelconfigurations", fairness.levels()),
        ("flowschemas", fairness.schemas()),
    ):
        for item in objects:
            follow = item["metadata"]["name"] in fairness.MANDATORY
            yield Wanted(f"/apis/{fairness.GROUP}/{kind}", item, follow=follow)
    if address.authentication:
        config = _named("v1", "ConfigMap", "extension-apiserver-authentication")
        config["data"] = dict(address.authentication)
        yield Wanted("/api/v1/namespaces/kube-system/configmaps", config, follow=True)
    if address.service_cidr:
        cidrs = {"spec": {"cidrs": [address.service_cidr]}}
        yield Wanted(
            "/apis/networking.k8s.io/v1/servicecidrs",
            _named("networking.k8s.io/v1", "ServiceCIDR", "kubernetes") | cidrs,
            ready="Kubernetes default Service CIDR is ready",
        )
    yield Wanted("/api/v1/namespaces/default/services", _service(address))
    if ipaddress.ip_address(address.host).is_loopback:
        return  # nobody else can reach it there, and the API takes no such endpoint
    yield Wanted("/api/v1/namespaces/default/endpoints", _endpoints(address), follow=True)
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    yield Wanted(slices, _slice(address), follow=True)


async def bootstrap(dispatch: Dispatch, address: Address, *, start: bool = True) -> None:
    """Make what is missing. Raises errors.Error when the API refuses."""
    for item in wanted(address):
        if not start and not item.keep:
            continue
        path = f"{item.collection}/{item.object['metadata']['name']}"
        found = await _ask(dispatch, "GET", path)
        if found is None:
            found = await _ask(dispatch, "POST", item.collection, item.object)
        elif item.follow and not _covers(found, item.object):
            found = await _ask(dispatch, "PUT", path, item.object)
        if item.ready and found is not None and not (found.get("status") or {}).get("conditions"):
            await _ask(dispatch, "PUT", f"{path}/status", _made_ready(found, item.ready))


def _made_ready(found: Json, message: str) -> Json:
    """`found` ready since it was made; without a reason, as upstream's."""
    since = found["metadata"]["creationTimestamp"]
    condition = {"type": "Ready", "status": "True", "reason": "", "message": message}
    return found | {"status": {"conditions": [condition | {"lastTransitionTime": since}]}}


async def keep(dispatch: Dispatch, address: Address, clock: Clock) -> None:
    """Bring back what users delete, for ever. What the API refuses is tried again."""
    while True:
        await clock.sleep(KEEP_EVERY_S)
        try:
            await bootstrap(dispatch, address, start=False)
        except errors.Error as error:
            log.warning("default objects not kept", why=error)


async def _ask(dispatch: Dispatch, method: str, path: str, body: Json | None = None) -> Json | None:
    status, answer = await ask(dispatch, method, path, body)
    if status < 400:
        return answer
    # Another apiserver over the same store may have been quicker.
    if (method, status) in (("GET", 404), ("POST", 409)):
        return None
    raise errors.Error.from_status(answer)


def _covers(found: Any, asked: Any) -> bool:
    """Everything asked for is there as asked for; what else there is does not matter."""
    if isinstance(asked, dict):
        return isinstance(found, dict) and all(_covers(found.get(k), v) for k, v in asked.items())
    if isinstance(asked, list):
        return (
            isinstance(found, list) and len(found) == len(asked) and all(map(_covers, found, asked))
        )
    return bool(found == asked)


def _named(api_version: str, kind: str, name: str, **metadata: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}


def _storage_class() -> Json:
    """Volumes on the nodes' own disks, for claims that name no class."""
    marks = {"storageclass.kubernetes.io/is-default-class": "true"}
    return _named("storage.k8s.io/v1", "StorageClass", "local", annotations=marks) | {
        "provisioner": LOCAL_PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _service(address: Address) -> Json:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    return _named("v1", "Service", "kubernetes", namespace="default", labels=labels) | {
        "spec": {
            "type": "ClusterIP",
            "clusterIP": address.service_ip,
            "sessionAffinity": "None",
            "ports": [
                {"name": "https", "protocol": "TCP", "port": 443, "targetPort": address.port}
            ],
        }
    }


def _endpoints(address: Address) -> Json:
    # endpointslice.kubernetes.io/skip-mirror: the slice below is written by us as well.
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    return _named("v1", "Endpoints", "kubernetes", namespace="default", labels=labels) | {
        "subsets": [
            {
                "addresses": [{"ip": address.host}],
                "ports": [{"name": "https", "port": address.port, "protocol": "TCP"}],
            }
        ]
    }


def _slice(address: Address) -> Json:
    labels = {"kubernetes.io/service-name": "kubernetes"}
    head = _named(
        "discovery.k8s.io/v1", "EndpointSlice", "kubernetes", namespace="default", labels=labels
    )
    return head | {
        "addressType": "IPv6" if ":" in address.host else "IPv4",
        "endpoints": [{"addresses": [address.host], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": address.port, "protocol": "TCP"}],
    }
