"""ConversionReview: what a webhook is asked to convert, and whether its answer is a conversion.

Owns      the request's content, the checks of the answer, the metadata of what was converted. Pure.
Leaves    sending, what is kept (converter).
Invariant a converted object is the same object: of its metadata a webhook decides labels and
          annotations alone.
Source    API reference, "ConversionReview"; upstream's messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from busk8s import errors
from busk8s.api.decode import check_depth
from busk8s.api.object import Json
from busk8s.api.rules.metadata import validate_annotations, validate_labels
from busk8s.api.scheme import Resource

GROUP = "apiextensions.k8s.io"
VERSIONS = ("v1", "v1beta1")
SHOWN_CHARACTERS_MAX = 400  # Of what a webhook sent, when an error repeats it.


class NotConverted(Exception):
    """The webhook answered, but not with a conversion. The text follows `conversion webhook for
    <kind>`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One object that is to be converted."""

    body: bytes
    metadata: Json
    api_version: str
    kind: str


def request_of(version: str, uid: str, desired: str, objects: Sequence[Asked]) -> bytes:
    """The review to send."""
    request = {
        "uid": uid,
        "desiredAPIVersion": desired,
        "objects": [orjson.Fragment(each.body) for each in objects],
    }
    response: Json = {"uid": "", "convertedObjects": None, "result": {"metadata": {}}}
    head = {"kind": "ConversionReview", "apiVersion": f"{GROUP}/{version}"}
    return orjson.dumps({**head, "request": request, "response": response})


def subject(objects: Sequence[Asked], target: Resource) -> str:
    """What is converted, as messages name it: the object, or a list of them."""
    if len(objects) == 1:
        return f"{objects[0].api_version}, Kind={objects[0].kind}"
    return f"{target.api_version}, Kind={target.list_kind or target.kind + 'List'}"


def converted(
    review: Json, version: str, uid: str, objects: Sequence[Asked], target: Resource
) -> list[Json]:
    """The objects of the answer, as `target`, in order. Raises NotConverted."""
    found = _objects(review, version, uid)
    if len(found) != len(objects):
        raise NotConverted(f" returned {len(found)} objects, expected {len(objects)}")
    one = len(objects) == 1
    made: list[Json] = []
    for index, (each, was) in enumerate(zip(found, objects, strict=True)):
        place = "object at index 0" if one else f"converted object at index {index}"
        try:
            check_depth([each])
            _check_type(each, was, target)
        except (ValueError, errors.Error) as error:
            raise NotConverted(f" returned invalid {place}: {error}") from None
        place = "object" if one else place
        try:
            _check_identity(each, was)
        except ValueError as error:
            raise NotConverted(f" returned invalid {place}: {error}") from None
        try:
            made.append(_restored(each, was.metadata))
        except ValueError as error:
            where = "" if one else f" in object at index {index}"
            raise NotConverted(f" returned invalid metadata{where}: {error}") from None
    return made


def _objects(review: Json, version: str, uid: str) -> list[Any]:
    if version == "v1":
        _check_review(review)
    response = review.get("response")
    if not isinstance(response, dict):
        raise NotConverted(" failed: no response provided")
    if version == "v1":
        got = response.get("uid") or ""
        if got != uid:
            shown = str(got)[:100]
            raise NotConverted(f' failed: expected response.uid="{uid}", got "{shown}"')
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") != "Success":
        message = result.get("message")
        if isinstance(message, str) and message:
            raise NotConverted(f" failed: {message}")
        status = str(result.get("status") or "")[:SHOWN_CHARACTERS_MAX]
        raise NotConverted(f" failed: response.result.status was '{status}', not 'Success'")
    found = response.get("convertedObjects")
    return found if isinstance(found, list) else []


def _check_review(review: Json) -> None:
    version, kind = str(review.get("apiVersion") or ""), str(review.get("kind") or "")
    if (version, kind) == (f"{GROUP}/v1", "ConversionReview"):
        return
    group, _, name = version.rpartition("/")
    raise NotConverted(
        f" failed: expected webhook response of {GROUP}/v1, Kind=ConversionReview, "
        f"got {group}/{name}, Kind={kind}"[:SHOWN_CHARACTERS_MAX]
    )


def _check_type(found: Any, was: Asked, target: Resource) -> None:
    if not isinstance(found, dict) or not isinstance(found.get("kind"), str):
        shown = orjson.dumps(found).decode()[:SHOWN_CHARACTERS_MAX]
        raise ValueError(f"Object 'Kind' is missing in '{shown}'")
    got = found.get("apiVersion") or ""
    if got != target.api_version:
        wanted = target.api_version
        raise ValueError(f"invalid groupVersion (expected {wanted}, received {_cut(got)})")
    if found["kind"] != was.kind:
        raise ValueError(f"invalid kind (expected {was.kind}, received {_cut(found['kind'])})")


def _check_identity(found: Json, was: Asked) -> None:
    metadata = found.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for field, name in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        before, after = was.metadata.get(field) or "", metadata.get(field) or ""
        if before != after:
            raise ValueError(f"must have the same {name}: {before} != {_cut(after)}")


def _restored(found: Json, before: Json) -> Json:
    """`found` with the metadata it had, but for labels and annotations."""
    if "metadata" not in found:
        raise ValueError("missing metadata in converted object")
    said = found["metadata"]
    if not isinstance(said, dict):
        raise ValueError(f"invalid metadata of type {_type(said)} in converted object")
    metadata = dict(before)
    for field in ("labels", "annotations"):
        given = said.get(field)
        if given is None:
            metadata.pop(field, None)
            continue
        _check_texts(field, given, before.get(field) or {})
        metadata[field] = given
    head = {"kind": found["kind"], "apiVersion": found["apiVersion"], "metadata": metadata}
    return {**head, **{key: value for key, value in found.items() if key not in head}}


def _check_texts(field: str, given: Any, before: Json) -> None:
    if not isinstance(given, dict):
        raise ValueError(f"invalid metadata.{field} of type {_type(given)} in converted object")
    for key, value in given.items():
        if not isinstance(value, str):
            raise ValueError(
                f"metadata.{field}[{_cut(key)}] must be a string, but is {_type(value)} in "
                "converted object"
            )
    if given == before:
        return
    if field == "labels":
        causes = validate_labels(given, "metadata.labels")
    else:
        causes = validate_annotations(given, "metadata.annotation")  # Upstream's path.
    said = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    if said:
        raise ValueError(said[0] if len(said) == 1 else f"[{', '.join(said)}]")


def _cut(value: Any) -> str:
    return str(value)[:SHOWN_CHARACTERS_MAX]


def _type(value: Any) -> str:
    """The type as Go names it."""
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    return "<nil>"


_TYPES = (
    (bool, "bool"),
    (str, "string"),
    (int, "int64"),
    (float, "float64"),
    (list, "[]interface {}"),
    (dict, "map[string]interface {}"),
)
