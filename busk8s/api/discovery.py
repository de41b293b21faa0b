"""What a server tells clients it serves: /api, /apis, their groups and versions, and /version.

Owns      the plain and the aggregated form of discovery, made of a list of resources.
Leaves    which form a request accepts, caching and ETags (apiserver).
Invariant the answer depends on the resources given and their order alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from busk8s.api import scheme
from busk8s.api.definitions import priority
from busk8s.api.scheme import Resource

Json = dict[str, Any]

KUBERNETES_VERSION = "v1.37.0"
# Clients take a short name from the first group that has it; the order is upstream's.
GROUP_ORDER = (
    "", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io",
    "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io",
    "policy", "rbac.authorization.k8s.io", "storage.k8s.io", "admissionregistration.k8s.io",
    "apiextensions.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io",
    "discovery.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io",
    "storagemigration.k8s.io",
)  # fmt: skip
_CHANGE = ("get", "patch", "update")
_STREAM = ("create", "get")
_ANY_METHOD = ("create", "delete", "get", "patch", "update")
# Subresource -> (group, version, kind of what is sent, verbs); "" means the resource's own kind.
_SUBRESOURCES: dict[str, tuple[str, str, str, Sequence[str]]] = {
    "scale": ("autoscaling", "v1", "Scale", _CHANGE),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
    "binding": ("", "v1", "Binding", ("create",)),
    "attach": ("", "v1", "PodAttachOptions", _STREAM),
    "exec": ("", "v1", "PodExecOptions", _STREAM),
    "portforward": ("", "v1", "PodPortForwardOptions", _STREAM),
    "log": ("", "", "", ("get",)),
    "finalize": ("", "", "", ("update",)),
}
_OWN_KIND = ("", "", "", _CHANGE)


def api_versions(server_address: str = "") -> Json:
    """The body of /api."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(resources: Iterable[Resource]) -> Json:
    """The body of /apis."""
    entries = [
        _group_entry(name, versions) for name, versions in _groups(resources).items() if name
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": entries}


def group(resources: Iterable[Resource], name: str) -> Json | None:
    """The body of /apis/<name>; None when there is no such group."""
    versions = _groups(resources).get(name)
    if not name or versions is None:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group_entry(name, versions)}


def resource_list(resources: Iterable[Resource], group: str, version: str) -> Json | None:
    """The body of /api/v1 or /apis/<group>/<version>; None when nothing is served there."""
    own = _groups(resources).get(group, {}).get(version)
    if own is None:
        return None
    entries = [entry for resource in own for entry in _entries(resource)]
    group_version = f"{group}/{version}" if group else version
    body: Json = {"kind": "APIResourceList", "groupVersion": group_version, "resources": entries}
    return {**body, "apiVersion": "v1"} if group else body


def aggregated(resources: Iterable[Resource], *, core: bool) -> Json:
    """APIGroupDiscoveryList: for /api when `core`, else for /apis."""
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [_aggregated_version(v, own) for v, own in versions.items()],
        }
        for name, versions in _groups(resources).items()
        if core == (not name)
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


# What Go calls the machine that the kernel calls otherwise.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def version(machine: str = "x86_64", *, suffix: str = "busk8s") -> Json:
    """The body of /version. `machine`: as the kernel calls it."""
    platform = f"linux/{ARCHITECTURES.get(machine, machine)}"
    major, minor, _patch = KUBERNETES_VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"{KUBERNETES_VERSION}+{suffix}",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "cpython",
        "platform": platform,
    }


_BUILD = (
    ("build_date", "buildDate"), ("compiler", "compiler"), ("git_commit", "gitCommit"),
    ("git_tree_state", "gitTreeState"), ("git_version", "gitVersion"), ("go_version", "goVersion"),
    ("major", "major"), ("minor", "minor"), ("platform", "platform"),
)  # fmt: skip


def build_labels(machine: str) -> dict[str, str]:
    """The labels of the metric kubernetes_build_info, of every component."""
    said = version(machine)
    return {label: str(said[key]) for label, key in _BUILD}


def subresource_kind(resource: Resource, subresource: str) -> tuple[str, str, str]:
    """(group, version, kind) of what a subresource takes and gives."""
    if subresource == "proxy":
        return "", "v1", resource.kind + "ProxyOptions"
    group_, version_, kind, _verbs = _SUBRESOURCES.get(subresource, _OWN_KIND)
    return (group_, version_, kind) if kind else (resource.group, resource.version, resource.kind)


def subresource_verbs(subresource: str) -> Sequence[str]:
    """What may be done with a subresource, sorted."""
    if subresource == "proxy":
        return _ANY_METHOD
    return _SUBRESOURCES.get(subresource, _OWN_KIND)[3]


def _groups(resources: Iterable[Resource]) -> dict[str, dict[str, list[Resource]]]:
    """Group -> version -> resources; the preferred version first, groups in upstream's order."""
    found: dict[str, dict[str, list[Resource]]] = {}
    custom: dict[str, None] = {}
    for resource in resources:
        versions = found.setdefault(resource.group, {})
        versions.setdefault(resource.version, []).append(resource)
        if resource.custom is not None:
            custom[resource.group] = None
    for group_ in custom:  # Several definitions: each has its own order.
        versions = found[group_]
        found[group_] = {name: versions[name] for name in sorted(versions, key=priority)}
    place = {name: number for number, name in enumerate(GROUP_ORDER)}
    ordered = sorted(found, key=lambda name: (place.get(name, len(place)), name))
    return {name: found[name] for name in ordered}


def _group_entry(name: str, versions: Iterable[str]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _entries(resource: Resource) -> list[Json]:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular or resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "watch" in resource.verbs:  # What is answered only, or made up, is not stored.
        entry |= _hash(resource)
    return [entry, *(_subresource_entry(resource, name) for name in resource.subresources)]


def _verbs(resource: Resource) -> list[str]:
    verbs = sorted(resource.verbs)
    if resource.custom is not None and resource.custom.family.terminating:
        return [verb for verb in verbs if verb not in ("create", "patch", "update")]
    return verbs


def _hash(resource: Resource) -> Json:
    """`storageVersionHash`: what changes when objects are stored in another version.

    Clients only compare it. As upstream, a stored version that is not served has none.
    """
    if resource.custom is not None:
        stored = resource.custom.storage
        if stored.version not in resource.custom.family.served:
            return {}
    else:
        stored = scheme.RESOURCES[resource.storage_key]
    text = f"{stored.group}/{stored.version}/{stored.kind}"
    hashed = hashlib.sha256(text.encode()).digest()[:8]
    return {"storageVersionHash": base64.b64encode(hashed).decode()}


def _subresource_entry(resource: Resource, name: str) -> Json:
    group_, version_, kind = subresource_kind(resource, name)
    entry: Json = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": list(subresource_verbs(name)),
    }
    if (group_, version_) != (resource.group, resource.version):
        entry = {**entry, "group": group_, "version": version_}
    return entry


def _aggregated_version(version: str, resources: Iterable[Resource]) -> Json:
    entries = [_aggregated_resource(resource) for resource in resources]
    return {"version": version, "resources": entries, "freshness": "Current"}


def _aggregated_resource(resource: Resource) -> Json:
    own = (resource.group, resource.version, resource.kind)
    entry: Json = {
        "resource": resource.plural,
        "responseKind": _kind(own),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular or resource.kind.lower(),
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": _kind(subresource_kind(resource, name)),
                "verbs": list(subresource_verbs(name)),
            }
            for name in resource.subresources
        ]
    return entry


def _kind(of: tuple[str, str, str]) -> Json:
    return dict(zip(("group", "version", "kind"), of, strict=True))
