"""One served version of a CustomResourceDefinition, as the rest of the API sees a kind.

Owns      what is compiled of a version, and when: nothing before it is asked for.
Leaves    the schema engine (api.custom), which definitions are in force (apiserver catalog).
Invariant a CustomKind never changes; a changed definition makes others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from busk8s.api.object import Json, Object

if TYPE_CHECKING:
    from busk8s.api.custom.structural import Structural
    from busk8s.api.scheme import Resource
    from busk8s.api.tables.column import Printer

COMPLETED_MAX = 500  # Objects of one version kept with their defaults, beside those stored.

_PATH = re.compile(r"\.([A-Za-z0-9_-]+)|\['([^']+)'\]")


@dataclass(slots=True, eq=False)
class Family:
    """What the versions of one definition share.

    mixed        objects of more than one version may lie in the store.
    webhook      what `spec.conversion` says of the webhook that converts; None: nothing converts.
    until        objects of this revision and older may not be as their schema now has them: they
                 may lack its defaults, or have fields it does not know any more.
    differs      an object must be looked at when it changes its version: schemas are not all alike.
    terminating  the definition is on its way out, and takes its objects along.
    versions     all of them; `served` are the names of those that requests may ask for.
    """

    storage: Resource | None = None
    mixed: bool = False
    webhook: Json | None = None
    until: int = 0
    differs: bool = False
    terminating: bool = False
    versions: dict[str, Resource] = field(default_factory=dict)
    served: frozenset[str] = frozenset()

    def version(self, name: str) -> Resource | None:
        return self.versions.get(name)


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where the replicas and the selector of a custom resource are."""

    spec: tuple[str, ...]
    status: tuple[str, ...]
    selector: tuple[str, ...]


class CustomKind:
    """`version` names one of the definition's `spec.versions`; it is read when first needed."""

    def __init__(
        self, definition: Object, version: str, family: Family, *, deprecated: bool, warning: str
    ) -> None:
        self._definition, self._name = definition, version
        self.family = family
        self.deprecated = deprecated
        self.warning = warning  # What users of a deprecated version are told.
        self._shown: dict[tuple[str, str], tuple[Object, Object]] = {}

    def _read(self) -> Json:
        """The whole entry of `spec.versions`, parsed anew: nobody keeps it."""
        versions = self._definition.glance()["spec"]["versions"]
        found: Json = next(one for one in versions if one["name"] == self._name)
        return found

    @cached_property
    def _version(self) -> Json:
        return {key: value for key, value in self._read().items() if key != "schema"}

    @cached_property
    def identity(self) -> str:
        """Another one whenever the schema may be another one."""
        metadata = self._definition.glance()["metadata"]
        return f"{metadata.get('uid')}@{metadata.get('generation')}"

    def shown(self, resource: Resource, source: CustomKind, obj: Object) -> Object:
        """`obj`, which lies as `source` has it, in this version: with the defaults that `source`
        has by now, and without what either schema does not know. Renamed, not converted."""
        key = (obj.namespace, obj.name)
        known = self._shown.get(key)
        if known is not None and known[0].body == obj.body:
            return known[1]
        data: Json = orjson.loads(obj.body)
        source.schema.prune(data)
        source.schema.apply_defaults(data)
        if source is not self:
            data["apiVersion"] = resource.api_version
            self.schema.prune(data)
        body = orjson.dumps(data)
        made = obj
        if body != obj.body:
            made = Object(
                resource, obj.namespace, obj.name, revision=obj.revision, body=body, data=data
            )
        if len(self._shown) >= COMPLETED_MAX:
            self._shown.clear()
        self._shown[key] = (obj, made)
        return made

    @property
    def storage(self) -> Resource:
        assert self.family.storage is not None
        return self.family.storage

    @cached_property
    def schema(self) -> Structural:
        from busk8s.api.custom.structural import compile_schema

        return compile_schema(
            _bare((self._read().get("schema") or {}).get("openAPIV3Schema") or {})
        )

    def published(self, *, v2: bool) -> Json:
        """The schema as OpenAPI shows it, made anew: nobody keeps it."""
        from busk8s.api.custom.structural import compile_schema

        schema = (self._read().get("schema") or {}).get("openAPIV3Schema") or {}
        return compile_schema(schema).published(v2=v2)

    @cached_property
    def selectable(self) -> frozenset[str]:
        """The fields, beside those of metadata, that a field selector may name."""
        return frozenset(self.selectable_fields)

    @property
    def selectable_fields(self) -> list[str]:
        """The same in the order of the definition."""
        fields = self._version.get("selectableFields") or ()
        return [str(each["jsonPath"]).removeprefix(".") for each in fields]

    @cached_property
    def scale(self) -> ScalePaths | None:
        found = (self._version.get("subresources") or {}).get("scale")
        if found is None:
            return None
        return ScalePaths(
            steps(found["specReplicasPath"]),
            steps(found["statusReplicasPath"]),
            steps(found.get("labelSelectorPath") or ""),
        )

    @cached_property
    def printer(self) -> Printer:
        from busk8s.api.tables.custom import printer_of

        return printer_of(self._version.get("additionalPrinterColumns") or ())


def _bare(schema: Any) -> Any:
    """`schema` without its descriptions, which are most of it, and only documents show."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in _VALUES else _bare(value)
        for key, value in schema.items()
        if key != "description" or not isinstance(value, str)
    }


_VALUES = frozenset(("default", "enum", "example"))  # Not schemas: data of the kind.


def steps(path: str) -> tuple[str, ...]:
    """The names in a path of names: `.spec.replicas`, `.metadata.annotations['a.b/c']`."""
    return tuple(dotted or quoted for dotted, quoted in _PATH.findall(path))


def member(obj: Any, path: tuple[str, ...]) -> Any:
    """What lies at `path`; None where a step is missing."""
    for step in path:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj
