"""One audit.k8s.io/v1 Event as a line of JSON.

Owns      the members of an event and their order, at each level.
Leaves    which level (policy), the file (log).
Source    API reference audit.k8s.io/v1 Event.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import orjson

from busk8s.api.meta import format_micro_time
from busk8s.api.object import Json
from busk8s.api.request import Request, Response, User
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.audit.policy import Decision
from busk8s.master.apiserver.refusals import DECISION, REASON

USERS_MAX = 1_024  # Whose JSON is remembered.
BODY_BYTES_MAX = 1_536 * 1024  # A longer body is left out of its event.
_HEAD = {"kind": "Event", "apiVersion": "audit.k8s.io/v1"}


def line(
    request: Request,
    response: Response,
    attributes: Attributes,
    decision: Decision,
    *,
    audit_id: str,
    reason: str,
    stage: str,
    began: float,
    now: float,
) -> bytes:
    """`reason`: why it was allowed, if it was."""
    event: Json = {
        **_HEAD,
        "level": decision.level,
        "auditID": audit_id,
        "stage": stage,
        "requestURI": _uri(request),
        "verb": attributes.verb,
        "user": _user(request.user.real or request.user),
    }
    if request.user.real is not None:
        event["impersonatedUser"] = _user(request.user)
    if request.source:
        event["sourceIPs"] = [request.source]
    if agent := request.headers.get("user-agent"):
        event["userAgent"] = agent
    if attributes.resource is not None:
        event["objectRef"] = _reference(attributes, response)
    event["responseStatus"] = _status(response)
    if decision.level in ("Request", "RequestResponse"):
        _bodies(event, request, response, decision)
    event["requestReceivedTimestamp"] = format_micro_time(began)
    event["stageTimestamp"] = format_micro_time(now)
    event["annotations"] = {DECISION: "allow", REASON: reason, **request.notes}
    return orjson.dumps(event)


def _user(user: User) -> orjson.Fragment:
    return _told(user.name, user.groups, user.uid, tuple(user.extra.items()))


@lru_cache(maxsize=USERS_MAX)
def _told(
    name: str, groups: tuple[str, ...], uid: str, extra: tuple[tuple[str, tuple[str, ...]], ...]
) -> orjson.Fragment:
    said: Json = {"username": name}
    if uid:
        said["uid"] = uid
    said["groups"] = list(groups)
    if extra:
        said["extra"] = {key: list(values) for key, values in extra}
    return orjson.Fragment(orjson.dumps(said))


def _uri(request: Request) -> str:
    if not request.query:
        return request.path
    pairs = [f"{name}={value}" for name, values in request.query.items() for value in values]
    return f"{request.path}?{'&'.join(pairs)}"


# What a create has made: in the head of the answer, before the metadata's first inner object.
_MADE = re.compile(rb'"metadata":\{[^{}]*?"name":"([^"\\]+)"')
_HEAD_BYTES = 512


def _made(attributes: Attributes, response: Response) -> str:
    """The name that the path of a create does not have."""
    if attributes.verb != "create" or response.status >= 400:
        return ""
    found = _MADE.search(response.body, 0, _HEAD_BYTES)
    return found.group(1).decode() if found is not None else ""


def _reference(attributes: Attributes, response: Response) -> Json:
    resource = attributes.resource
    assert resource is not None
    found: Json = {"resource": resource.plural}
    if attributes.namespace:
        found["namespace"] = attributes.namespace
    if name := attributes.name or _made(attributes, response):
        found["name"] = name
    if resource.group:
        found["apiGroup"] = resource.group
    found["apiVersion"] = resource.version
    if attributes.subresource:
        found["subresource"] = attributes.subresource
    return found


def _status(response: Response) -> Json:
    said: Json = {"metadata": {}, "code": response.status}
    if response.status >= 400 and response.body:
        try:
            status: Any = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            return said
        if isinstance(status, dict) and status.get("kind") == "Status":
            kept = ("status", "message", "reason", "details")
            said |= {key: status[key] for key in kept if key in status}
    return said


def _bodies(event: Json, request: Request, response: Response, decision: Decision) -> None:
    if (asked := _body(request.body, decision)) is not None:
        event["requestObject"] = asked
    if decision.level != "RequestResponse" or response.stream is not None:
        return
    if (answered := _body(response.body, decision)) is not None:
        event["responseObject"] = answered


def _body(raw: bytes, decision: Decision) -> Any:
    """The JSON in a body; None where it is none, or too long."""
    if not raw or len(raw) > BODY_BYTES_MAX:
        return None
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if decision.omit_managed_fields and isinstance(body, dict):
        for each in (body, *(body.get("items") or ())):
            if isinstance(each, dict) and isinstance(each.get("metadata"), dict):
                each["metadata"].pop("managedFields", None)
    return body
