"""Discovery: which groups, versions and resources there are, plain and aggregated.

Owns      /api, /apis and everything below them that names no resource.
Leaves    the resources themselves (api/scheme); OpenAPI.
Invariant what is listed is served; subresources that are refused are not listed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import orjson

from busk8s.api import scheme
from busk8s.api.object import Json
from busk8s.api.request import Request, Response
from busk8s.api.scheme import Resource
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.dispatch import UNSUPPORTED

Handler = Callable[[Request], Awaitable[Response]]

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

# Subresources whose body is another kind: (group, version, kind); the verbs of all of them.
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "scale": ("autoscaling", "v1", "Scale"),
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
_VERBS: Mapping[str, tuple[str, ...]] = {
    "binding": ("create",),
    "eviction": ("create",),
    "token": ("create",),
    "log": ("get",),
    "finalize": ("update",),
}
_PART_VERBS = ("get", "patch", "update")

# Newer clients take the first version of a group as the preferred one.
_PREFERENCE = ("v2", "v1")


def handlers() -> Mapping[str, Handler]:
    """Discovery's answers by path, encoded once."""
    groups = _groups()
    plain: dict[str, Json] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(group, versions) for group, versions in groups.items() if group],
        },
    }
    for group, versions in groups.items():
        if group:
            found = {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}
            plain[f"/apis/{group}"] = found
        for version, resources in versions.items():
            prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
            plain[prefix] = _resource_list(group, version, resources)
    whole = {
        "/api": _aggregated({"": groups[""]}),
        "/apis": _aggregated({group: found for group, found in groups.items() if group}),
    }
    return {
        path: partial(_answer, orjson.dumps(data), whole.get(path)) for path, data in plain.items()
    }


async def _answer(plain: bytes, aggregated: bytes | None, request: Request) -> Response:
    accept = rest.negotiate(request.accept)
    if aggregated is not None and accept.group == "apidiscovery.k8s.io":
        return Response(200, aggregated, AGGREGATED)
    return Response(200, plain)


Groups = Mapping[str, Mapping[str, Sequence[Resource]]]


def _groups() -> Groups:
    """Resources by group and version; versions in order of preference."""
    found: dict[str, dict[str, list[Resource]]] = {}
    for resource in scheme.SERVED:
        found.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    return {
        group: {version: versions[version] for version in sorted(versions, key=_preference)}
        for group, versions in found.items()
    }


def _preference(version: str) -> tuple[int, str]:
    known = _PREFERENCE.index(version) if version in _PREFERENCE else len(_PREFERENCE)
    return known, version


def _group(group: str, versions: Mapping[str, object]) -> Json:
    named = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": named, "preferredVersion": named[0]}


def _resource_list(group: str, version: str, resources: Sequence[Resource]) -> Json:
    entries: list[Json] = []
    for resource in resources:
        entries.append(_entry(resource))
        entries += [_part_entry(resource, part) for part in _parts(resource)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": entries,
    }


def _parts(resource: Resource) -> list[str]:
    return [part for part in resource.subresources if part not in UNSUPPORTED]


def _entry(resource: Resource) -> Json:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _part_entry(resource: Resource, part: str) -> Json:
    entry: Json = {
        "name": f"{resource.plural}/{part}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(_VERBS.get(part, _PART_VERBS)),
    }
    if part in _KINDS:
        group, version, kind = _KINDS[part]
        entry["kind"] = kind
        if (group, version) != (resource.group, resource.version):
            entry["group"], entry["version"] = group, version
    return entry


def _aggregated(groups: Groups) -> bytes:
    items = []
    for group, versions in groups.items():
        metadata: Json = {"creationTimestamp": None}
        if group:
            metadata["name"] = group
        found = [
            {
                "version": version,
                "resources": [_whole(resource) for resource in resources],
                "freshness": "Current",
            }
            for version, resources in versions.items()
        ]
        items.append({"metadata": metadata, "versions": found})
    return orjson.dumps(
        {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }
    )


def _whole(resource: Resource) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    parts = [
        {
            "subresource": part,
            "responseKind": _kind(
                *_KINDS.get(part, (resource.group, resource.version, resource.kind))
            ),
            "verbs": list(_VERBS.get(part, _PART_VERBS)),
        }
        for part in _parts(resource)
    ]
    if parts:
        entry["subresources"] = parts
    return entry


def _kind(group: str, version: str, kind: str) -> Json:
    return {"group": group, "version": version, "kind": kind}
