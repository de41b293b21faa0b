"""From a CustomResourceDefinition to the resources it defines.

Owns      which definitions are in force, the order of their versions.
Leaves    what a kind is (customkind), who serves or follows it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from busk8s.api.customkind import CustomKind, Family
from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource


def in_force(definition: Object) -> Json | None:
    """The definition as data, when its resources are to be served."""
    data = definition.glance()
    status = data.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Established" and condition.get("status") == "True":
            return data
    return None


def resources_of(definition: Object, data: Json) -> tuple[Resource, ...]:
    """The served versions of `definition` (`data`: its parsed form), the preferred one first."""
    family = _family(definition, data)
    return tuple(family.versions[name] for name in sorted(family.served, key=priority))


def stored_as(definition: Object, data: Json) -> Resource:
    """The version that objects of `definition` are stored in, served or not."""
    storage = _family(definition, data).storage
    assert storage is not None
    return storage


def _family(definition: Object, data: Json) -> Family:
    spec, status = data["spec"], data.get("status") or {}
    names = status.get("acceptedNames") or spec["names"]
    versions = spec["versions"]
    conversion = spec.get("conversion") or {}
    differs = any(v.get("schema") != versions[0].get("schema") for v in versions)
    family = Family(
        mixed=len(status.get("storedVersions") or ()) > 1,
        webhook=conversion.get("webhook") if conversion.get("strategy") == "Webhook" else None,
        until=_until(definition, data, differs=differs),
        differs=differs,
        terminating="deletionTimestamp" in data["metadata"],
        served=frozenset(version["name"] for version in versions if version["served"]),
    )
    made: dict[str, Resource] = {}
    for version in versions:
        kind = CustomKind(
            definition,
            version["name"],
            family,
            deprecated=bool(version.get("deprecated")),
            warning=str(version.get("deprecationWarning") or "") or _warning(spec, names, version),
        )
        made[version["name"]] = _resource(spec, names, version, kind)
    family.versions = made
    family.storage = next(made[version["name"]] for version in versions if version["storage"])
    return family


def written_as(resources: Sequence[Resource]) -> Resource:
    """The version of `resources` (one definition's, as above) to ask for when any will do: the one
    that objects are stored in needs no conversion, and works while a webhook does not."""
    return next((r for r in resources if r.custom and r is r.custom.storage), resources[0])


def _until(definition: Object, data: Json, *, differs: bool) -> int:
    """What is written is pruned and has its defaults: only what an earlier schema let in, or what
    was written in a version with other defaults, must be looked at when it is read."""
    if differs and b'"default":' in definition.body:
        return sys.maxsize
    return 0 if data["metadata"].get("generation") == 1 else definition.revision


def _warning(spec: Json, names: Json, version: Json) -> str:
    """What users of a deprecated version are told when its author says nothing else."""
    if not version.get("deprecated"):
        return ""
    group, kind, own = spec["group"], names["kind"], version["name"]
    better = [
        each["name"]
        for each in spec["versions"]
        if each["served"] and not each.get("deprecated") and priority(each["name"]) < priority(own)
    ]
    said = f"{group}/{own} {kind} is deprecated"
    if not better:
        return said
    return f"{said}; use {group}/{min(better, key=priority)} {kind}"


def _resource(spec: Json, names: Json, version: Json, custom: CustomKind) -> Resource:
    parts = version.get("subresources") or {}
    return Resource(
        spec["group"],
        version["name"],
        names["plural"],
        names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular") or names["kind"].lower(),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(name for name in ("scale", "status") if parts.get(name) is not None),
        list_kind=names.get("listKind") or names["kind"] + "List",
        custom=custom,
    )


def priority(version: str) -> tuple[int, int, int, str]:
    """The order in which versions are preferred: GA, beta, alpha, the newer first, then others.

    Source: the API reference of CustomResourceDefinition, "Version priority".
    """
    kind, numbers = _parsed(version)
    return (kind, -numbers[0], -numbers[1], version)


def _parsed(version: str) -> tuple[int, tuple[int, int]]:
    for kind, word in enumerate(("", "beta", "alpha")):
        major, found, minor = version.removeprefix("v").partition(word) if word else (
            version.removeprefix("v"), "", "0"
        )  # fmt: skip
        sound = version.startswith("v") and major.isdecimal() and minor.isdecimal()
        if sound and (found or not word):
            return kind, (int(major), int(minor))
    return 3, (0, 0)
