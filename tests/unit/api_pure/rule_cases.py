"""What the tests of rules share: objects as they would be stored, and causes as one line each."""

from __future__ import annotations

import copy
from typing import Any

from busk8s.api import scheme
from busk8s.api.defaulting.service import complete_families
from busk8s.api.defaults import apply_defaults
from busk8s.api.scheme import Resource
from busk8s.api.validation import validate_create, validate_status_update, validate_update
from busk8s.errors import Cause

Json = dict[str, Any]

SHORT = {
    "FieldValueRequired": "required",
    "FieldValueInvalid": "invalid",
    "FieldValueForbidden": "forbidden",
    "FieldValueNotSupported": "unsupported",
    "FieldValueDuplicate": "duplicate",
    "FieldValueNotFound": "not found",
    "FieldValueTooLong": "too long",
    "FieldValueTooMany": "too many",
}


def stored(resource: Resource, body: Json, **metadata: Any) -> Json:
    """`body` (spec, data and so on) as an object of that kind, with its defaults."""
    obj: Json = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": "x", "uid": "u-1", **metadata},
        **copy.deepcopy(body),
    }
    if resource.namespaced:
        obj["metadata"].setdefault("namespace", "default")
    apply_defaults(resource, obj)
    if resource is scheme.SERVICES:
        complete_families(obj)
    return obj


def created(resource: Resource, body: Json, **metadata: Any) -> list[str]:
    return lines(validate_create(resource, stored(resource, body, **metadata)))


def updated(resource: Resource, old: Json, new: Json, **metadata: Any) -> list[str]:
    was, now = stored(resource, old, **metadata), stored(resource, new, **metadata)
    return lines(validate_update(resource, now, was))


def status_updated(resource: Resource, body: Json, old: Json, new: Json) -> list[str]:
    was, now = stored(resource, body), stored(resource, body)
    was["status"], now["status"] = old, new
    return lines(validate_status_update(resource, now, was))


def lines(causes: list[Cause]) -> list[str]:
    """`path: what: message after the value`, as short as it can be told apart."""
    return [f"{c.field}: {SHORT[c.reason]}: {_detail(c)}".rstrip(": ") for c in causes]


def _detail(cause: Cause) -> str:
    heads = ("Required value", "Forbidden", "Invalid value", "Too long", "Too many", "Not found")
    for head in heads:
        if cause.message.startswith(head):
            rest = cause.message.removeprefix(head).removeprefix(": ")
            return rest if head != "Invalid value" else _after_value(rest)
    return cause.message.partition(": ")[2]


def _after_value(text: str) -> str:
    """What follows a quoted value, a number or a JSON value; the text itself if none leads."""
    depth, quoted, at = 0, False, 0
    while at < len(text):
        letter = text[at]
        if letter == "\\" and quoted:
            at += 1
        elif letter == '"':
            quoted = not quoted
        elif not quoted and letter in "{[":
            depth += 1
        elif not quoted and letter in "}]":
            depth -= 1
        elif not quoted and depth == 0 and text.startswith(": ", at):
            return text[at + 2 :]
        at += 1
    return text
