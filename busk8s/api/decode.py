"""A request body becomes a document of the kind its resource holds.

Owns      content types, size and depth limits, duplicate and unknown fields by `fieldValidation`,
          `kind` and `apiVersion`, nulls; the messages of every refusal at this edge.
Leaves    defaults, validation, admission.
Invariant what comes out has only known fields of the right JSON type, no nulls, every required
          field, and canonical quantities and times; or errors.Error was raised.
"""

from __future__ import annotations

import json
from typing import Any

import orjson
from pydantic import BaseModel

from busk8s.api import fieldcheck, gojson, protobuf, scheme, yamlbody
from busk8s.api.customkind import CustomKind
from busk8s.api.formats import normalise, plan_of
from busk8s.api.mismatch import TypeMismatch, json_kind
from busk8s.api.scheme import Resource
from busk8s.api.types.markers import Model
from busk8s.api.types.meta_v1 import ObjectMeta
from busk8s.errors import Error, bad_request, too_large, unsupported_media_type

Json = dict[str, Any]

# Upstream's limits: a request body, and an object as its store (etcd) takes it.
REQUEST_BYTES_MAX = 3 * 1024 * 1024
OBJECT_BYTES_MAX = 1536 * 1024
# No kind nests this deep; beyond it recursive code (merging, comparing) would exhaust the stack.
DEPTH_MAX = 200
FIELD_VALIDATIONS = ("Strict", "Warn", "Ignore")
YAML = "application/yaml"
JSON_TYPES = ("application/json", YAML, protobuf.CONTENT_TYPE)
# Fields whose content is anybody's JSON: a null in there is data. Keys are Resource.key.
RAW_FIELDS = {"controllerrevisions.apps": "data"}


def decode(
    resource: Resource, body: bytes, content_type: str = "", field_validation: str = ""
) -> tuple[Json, list[str]]:
    """The document in `body` and the warnings for its sender; errors.Error if it is none."""
    if len(body) > REQUEST_BYTES_MAX:
        raise too_large(REQUEST_BYTES_MAX)
    media = content_type.partition(";")[0].strip().lower()
    duplicates: list[str] = []
    if media in ("", "application/json"):
        data = parse_json(resource, body, duplicates)
    elif media == YAML:
        data = _yaml(resource, body, duplicates)
    elif media == protobuf.CONTENT_TYPE:
        data = from_protobuf(body)
    else:
        raise unsupported_media_type(content_type, JSON_TYPES)
    if data is None:  # Upstream reads no object, and goes on with an empty one.
        data = {}
    if not isinstance(data, dict):
        raise _unrecognised(resource, not_an_object(data), body)
    if resource.custom is None and (
        media == "application/yaml" or (media != protobuf.CONTENT_TYPE and b"null" in body)
    ):
        strip_nulls(data, keep=RAW_FIELDS.get(resource.key, ""))
    return data, check(resource, data, field_validation, duplicates)


def from_protobuf(body: bytes) -> Json:
    """The object in an `application/vnd.kubernetes.protobuf` body; 400 if it is none."""
    try:
        return protobuf.decode(body)
    except ValueError as error:
        raise bad_request(f"the body is not in protobuf form: {error}") from None


def check(
    resource: Resource,
    data: Json,
    field_validation: str = "",
    duplicates: list[str] | None = None,
    *,
    model: type[BaseModel] | None = None,
) -> list[str]:
    """Checks and completes a parsed document in place, as after a patch; answers the warnings."""
    if field_validation and field_validation not in FIELD_VALIDATIONS:
        raise bad_request(
            f'fieldValidation: Unsupported value: "{field_validation}": '
            'supported values: "Ignore", "Strict", "Warn"'
        )
    check_kind(resource, data)
    data.setdefault("metadata", {})
    try:
        if resource.custom is not None and model is None:
            unknown = _check_custom(resource.custom, data)
        else:
            shape = model or _model(resource)
            normalise(data, plan_of(shape))
            unknown = fieldcheck.check(data, shape)
    except ValueError as error:
        converting = error.converting if isinstance(error, TypeMismatch) else ""
        raise Unfit(resource, str(error), converting=converting) from None
    if (not unknown and not duplicates) or field_validation == "Ignore":
        return []
    found = [f'unknown field "{path}"' for path in unknown] + (duplicates or [])
    found = found[: fieldcheck.STRICT_ERRORS_MAX]
    if field_validation == "Strict":
        raise Unfit(resource, "strict decoding error: " + ", ".join(found))
    return found


def _check_custom(kind: CustomKind, data: Json) -> list[str]:
    """Metadata as that of any kind, the rest pruned by the schema; types are for validation."""
    metadata: Json = {"metadata": data["metadata"] or {}}
    if isinstance(metadata["metadata"], dict):
        strip_nulls(metadata["metadata"])
    normalise(metadata, plan_of(_Bare))
    unknown = fieldcheck.check(metadata, _Bare)
    data["metadata"] = metadata["metadata"]
    return unknown + kind.schema.prune(data)


class _Bare(Model):
    """What every object has."""

    metadata: ObjectMeta


def _model(resource: Resource) -> type[BaseModel]:
    """`scheme.model_of`, remembered: it goes through the import system each time."""
    key = (resource.key, resource.version)
    found = _models.get(key)
    if found is None:
        found = _models[key] = scheme.model_of(resource)
    return found


# As many entries as there are built-in kinds.
_models: dict[tuple[str, str], type[BaseModel]] = {}


def check_kind(resource: Resource, data: Json) -> None:
    """Fills `kind` and `apiVersion` where absent; refuses another kind's object."""
    kind, version = data.get("kind"), data.get("apiVersion")
    if kind == resource.kind and version == resource.api_version:
        return
    for name, found in (("kind", kind), ("apiVersion", version)):
        if found is not None and not isinstance(found, str):
            why = f"{json_kind(found)} into Go struct field .{name} of type string"
            why = f"couldn't get version/kind; json parse error: json: cannot unmarshal {why}"
            raise _unrecognised(resource, why, orjson.dumps(data))
    kind, version = kind or resource.kind, version or resource.api_version
    if kind != resource.kind or version != resource.api_version:
        raise _wrong_kind(resource, kind, version)
    data["kind"], data["apiVersion"] = resource.kind, resource.api_version


def parse_json(resource: Resource, body: bytes, duplicates: list[str]) -> Any:
    """The value in `body`; fields given twice are named in `duplicates`, the last one counts."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        why = f"couldn't get version/kind; json parse error: {json_error(body, error)}"
        raise _unrecognised(resource, why, body) from None
    if body.count(b"{") + body.count(b"[") > DEPTH_MAX:
        check_depth(data)
    # A field given twice is gone after parsing, with its quotes; \u escapes may hide quotes.
    if body.count(b'"') != orjson.dumps(data).count(b'"') or b"\\u" in body:
        duplicates += _duplicates(body)
    return data


def check_depth(data: Any) -> None:
    """Level by level, since the depth itself is what must not be recursed into."""
    level, depth = _containers([data]), 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise bad_request(f"the object is nested deeper than {DEPTH_MAX} levels")
        level = [child for container in level for child in _containers(container)]


def _containers(container: Any) -> list[Any]:
    children = container.values() if isinstance(container, dict) else container
    return [child for child in children if isinstance(child, dict | list)]


def strip_nulls(data: Json, keep: str = "") -> None:
    """A null field is an absent one. In place; inside lists nulls stay for the type check."""
    for key in [key for key, value in data.items() if value is None]:
        del data[key]
    for key, value in data.items():
        if key != keep and key != "fieldsV1":
            _strip_inside(value)


def _strip_inside(value: Any) -> None:
    if isinstance(value, dict):
        strip_nulls(value)
    elif isinstance(value, list):
        for element in value:
            _strip_inside(element)


def _duplicates(body: bytes) -> list[str]:
    """The paths of fields given more than once. Slow: only called when there may be some."""

    def pairs(members: list[tuple[str, Any]]) -> Any:
        found: Json = {}
        for key, value in members:
            if key in found:
                twice.setdefault(id(found), (found, []))[1].append(key)
            found[key] = value
        return found

    twice: dict[int, tuple[Json, list[str]]] = {}
    try:
        root = json.loads(body, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return []
    messages: list[str] = []
    _name_duplicates(root, (), twice, messages)
    return messages


def _name_duplicates(
    value: Any,
    location: fieldcheck.Location,
    twice: dict[int, tuple[Json, list[str]]],
    messages: list[str],
) -> None:
    if isinstance(value, dict):
        messages += [
            f'duplicate field "{fieldcheck.path_text((*location, key))}"'
            for key in twice.get(id(value), (None, []))[1]
        ]
        for key, child in value.items():
            _name_duplicates(child, (*location, key), twice, messages)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _name_duplicates(child, (*location, index), twice, messages)


def _yaml(resource: Resource, body: bytes, duplicates: list[str]) -> Any:
    try:
        data = yamlbody.parse(body, duplicates)
    except yamlbody.YamlError as error:
        raise _unrecognised(resource, f"couldn't get version/kind; yaml: {error}", body) from None
    check_depth(data)
    return data


def json_error(body: bytes, error: Exception) -> str:
    """What is wrong with `body`, which a parser refused with `error`, in upstream's words."""
    return gojson.syntax_error(body) or str(error)


def not_an_object(value: Any) -> str:
    """Why `value`, which is JSON, has neither kind nor version."""
    return (
        "couldn't get version/kind; json parse error: json: cannot unmarshal "
        f"{json_kind(value)} into Go value of type {_ENVELOPE}"
    )


_ENVELOPE = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; '
    r'Kind string "json:\"kind,omitempty\"" }'
)
_SCHEME = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"  # As Go names it to clients.


def _wrong_kind(resource: Resource, kind: str, version: str) -> Error:
    group, _, short = version.rpartition("/")
    if resource.custom is not None:
        why = f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})"
        if kind == resource.kind:
            return bad_request(
                f"the API version in the data ({version}) does not match the expected API version "
                f"({resource.api_version})"
            )
    elif scheme.by_kind(group, short, kind.removesuffix("List")) is None:
        why = f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"'
    else:
        inner = resource.group.partition(".")[0] or "core"
        why = f"converting ({short}.{kind}) to ({inner}.{resource.kind}): unknown conversion"
    return bad_request(f'{kind} in version "{short}" cannot be handled as a {resource.kind}: {why}')


def _unrecognised(resource: Resource, why: str, body: bytes) -> Error:
    return bad_request(
        f"the object provided is unrecognized (must be of type {resource.kind}): {why} "
        f"({gojson.summary(body)})"
    )


class Unfit(Error):
    """The document has a field that its kind has not, or of another type; `why` says which,
    `converting` how it is said of a strategic merge patch.
    """

    def __init__(self, resource: Resource, why: str, *, converting: str = "") -> None:
        super().__init__(
            400,
            "BadRequest",
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: {why}",
        )
        self.why = why
        self.converting = converting or why
