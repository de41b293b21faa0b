"""AdmissionReview: what a webhook is asked, and whether its answer is one.

Owns      the request's content, the checks of the answer, the Status of a refusal. Pure.
Leaves    sending (calling), applying patches (mutating).
Source    Kubernetes reference, "Dynamic Admission Control"; upstream's messages.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.api.request import User
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.admission.matching import request_name, request_namespace
from busk8s.master.apiserver.admission.webhooks.hooks import Hook
from busk8s.master.apiserver.attributes import Operation
from busk8s.master.apiserver.reviews_sent import NoAnswer, parsed
from busk8s.master.apiserver.subresources.scale import scale_of
from busk8s.master.apiserver.versions import served_data, to_stored

GROUP = "admission.k8s.io"
VERSIONS = ("v1", "v1beta1")
CODE_MAX = 599  # Beyond it there is no HTTP status to answer with.

_CONVERTED = "converted documents"  # In an operation's memory: by version and bytes.
_SCALE = ("autoscaling", "v1", "Scale")
# Subresources whose body is of a kind of its own.
_BODIES: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("pods", "binding"): ("", "v1", "Binding"),
    ("pods", "eviction"): ("policy", "v1", "Eviction"),
    ("pods", "exec"): ("", "v1", "PodExecOptions"),
    ("pods", "attach"): ("", "v1", "PodAttachOptions"),
    ("pods", "portforward"): ("", "v1", "PodPortForwardOptions"),
    ("pods", "proxy"): ("", "v1", "PodProxyOptions"),
    ("services", "proxy"): ("", "v1", "ServiceProxyOptions"),
    ("nodes", "proxy"): ("", "v1", "NodeProxyOptions"),
    ("serviceaccounts", "token"): ("authentication.k8s.io", "v1", "TokenRequest"),
}
_OPTIONS = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}


class BadAnswer(Exception):
    """The webhook answered, but not as one should."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sound answer."""

    allowed: bool
    status: Json | None = None
    patch: bytes = b""
    patch_type: str = ""
    warnings: Sequence[str] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


def body_kind(resource: Resource, subresource: str) -> tuple[str, str, str]:
    """Group, version and kind of what a write through `subresource` carries."""
    if subresource == "scale":
        return _SCALE
    return _BODIES.get((resource.key, subresource)) or (
        resource.group,
        resource.version,
        resource.kind,
    )


def shown(operation: Operation, seen_as: Resource, data: Json | None, revision: int) -> Json | None:
    """An object of the operation as the webhook sees it: a Scale, or in the version it asked for.

    The answer is not to be changed.
    """
    resource = operation.attributes.resource
    assert resource is not None
    if data is None:
        return None
    if operation.attributes.subresource == "scale" and data.get("kind") != "Scale":
        attributes = operation.attributes
        body = orjson.dumps(data)
        space, name = attributes.namespace, attributes.name
        return scale_of(Object(resource, space, name, revision=revision, body=body), resource)
    if seen_as is resource or (resource.key, operation.attributes.subresource) in _BODIES:
        return data
    if operation.convert is not None:
        ready: Json = operation.memory[_CONVERTED][seen_as.version, orjson.dumps(data)]
        return ready
    return served_data(seen_as, to_stored(resource, orjson.loads(orjson.dumps(data))))


async def prepare(operation: Operation, seen_as: Resource) -> None:
    """Have `shown` find what it will be asked for, where only a webhook can convert it."""
    resource, part = operation.attributes.resource, operation.attributes.subresource
    convert = operation.convert
    if convert is None or resource is None or seen_as is resource or part == "scale":
        return
    ready = operation.memory.setdefault(_CONVERTED, {})
    old = operation.old
    for data in (operation.object, old.data if old is not None else None):
        key = (seen_as.version, orjson.dumps(data))
        if data is not None and key not in ready:
            ready[key] = await convert(resource, seen_as, data)


async def prepare_for_hook(operation: Operation, seen_as: Resource) -> None:
    """As `prepare`; what fails is the server's error, whatever the failure policy."""
    try:
        await prepare(operation, seen_as)
    except errors.Error as error:
        raise errors.internal(error.message) from None


async def converted(operation: Operation, data: Json, source: Resource, target: Resource) -> Json:
    """A copy of `data`, a `source`, as a `target`."""
    copy: Json = orjson.loads(orjson.dumps(data))
    if operation.convert is not None:
        return await operation.convert(source, target, copy)
    return served_data(target, to_stored(source, copy))


def request_of(operation: Operation, hook: Hook, seen_as: Resource, uid: str) -> tuple[Json, str]:
    """The AdmissionReview to send, and its version; raises BadAnswer when none is common."""
    version = next((v for v in hook.versions if v in VERSIONS), None)
    if version is None:
        known = ", ".join(VERSIONS)
        raise BadAnswer(f"webhook does not accept known AdmissionReview versions ({known})")
    attributes = operation.attributes
    resource = attributes.resource
    assert resource is not None
    part, old = attributes.subresource, operation.old
    revision = old.revision if old is not None else 0
    request: Json = {
        "uid": uid,
        "kind": _kind(body_kind(seen_as, part)),
        "resource": _resource(seen_as),
        "subResource": part,
        "requestKind": _kind(body_kind(resource, part)),
        "requestResource": _resource(resource),
        "requestSubResource": part,
        "name": request_name(operation),
        "namespace": request_namespace(operation),
    }
    request = {key: value for key, value in request.items() if value != ""}
    request |= {
        "operation": operation.kind,
        "userInfo": user_info(attributes.user),
        "object": shown(operation, seen_as, operation.object, revision),
        "oldObject": shown(operation, seen_as, old.data if old is not None else None, revision),
        "dryRun": operation.dry_run,
        "options": _options(operation),
    }
    head = {"kind": "AdmissionReview", "apiVersion": f"{GROUP}/{version}"}
    return {**head, "request": request}, version


def _kind(of: tuple[str, str, str]) -> Json:
    return {"group": of[0], "version": of[1], "kind": of[2]}


def _resource(resource: Resource) -> Json:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def user_info(user: User) -> Json:
    info: Json = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _options(operation: Operation) -> Json | None:
    kind = _OPTIONS.get(operation.attributes.verb)
    if operation.kind == "CONNECT" or kind is None:
        return None
    if operation.kind == "DELETE":
        kind = "DeleteOptions"
    said: Json = {"dryRun": ["All"]} if operation.dry_run else {}
    return {"kind": kind, "apiVersion": "meta.k8s.io/v1", **said, **operation.options}


def verdict_of(body: bytes, version: str, uid: str, *, mutating: bool) -> Verdict:
    """The answer in `body`; raises BadAnswer."""
    review = _decoded(body)
    response = review.get("response")
    if not isinstance(response, dict):
        raise BadAnswer("webhook response was absent")
    if version == "v1":
        _check_identity(review, response, uid)
    patch_type = response.get("patchType")
    patch = _patch(response.get("patch"))
    if version != "v1":
        patch_type = "JSONPatch" if patch and mutating else None
    elif mutating:
        _check_patch(patch, patch_type)
    elif patch or patch_type is not None:
        which = "response.patch" if patch else "response.patchType"
        raise BadAnswer(f"validating webhook may not return {which}")
    return Verdict(
        response.get("allowed") is True,
        _typed(response, "status", dict) or None,
        patch if mutating else b"",
        str(patch_type or ""),
        [str(text) for text in _typed(response, "warnings", list) or ()],
        {str(k): str(v) for k, v in (_typed(response, "auditAnnotations", dict) or {}).items()},
    )


def _decoded(body: bytes) -> Json:
    try:
        return parsed(body)
    except NoAnswer as error:
        raise Undecodable(str(error)) from None


class Undecodable(BadAnswer):
    """Not even JSON: the call has failed, not the review."""


def _check_identity(review: Json, response: Json, uid: str) -> None:
    got = response.get("uid") or ""
    if got != uid:
        raise BadAnswer(f'expected response.uid="{uid}", got "{str(got)[:100]}"')
    version, kind = str(review.get("apiVersion") or ""), str(review.get("kind") or "")
    if (version, kind) != (f"{GROUP}/v1", "AdmissionReview"):
        group, _, name = version.rpartition("/")
        raise BadAnswer(
            f"expected webhook response of {GROUP}/v1, Kind=AdmissionReview, "
            f"got {group}/{name}, Kind={kind}"[:400]
        )


def _check_patch(patch: bytes, patch_type: Any) -> None:
    if patch and patch_type is None:
        raise BadAnswer("webhook returned response.patch but not response.patchType")
    if not patch and patch_type is not None:
        raise BadAnswer("webhook returned response.patchType but not response.patch")
    if patch_type == "":
        raise BadAnswer('webhook returned invalid response.patchType of ""')


def _patch(value: Any) -> bytes:
    if value is None:
        return b""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Undecodable("illegal base64 data in response.patch") from None


def _typed(response: Json, name: str, kind: type) -> Any:
    value = response.get(name)
    if value is not None and not isinstance(value, kind):
        what = "an array" if kind is list else "an object"
        raise Undecodable(f"json: cannot unmarshal response.{name}: it is not {what}")
    return value


def denied(name: str, status: Json | None) -> errors.Error:
    """The refusal of a webhook, as the client sees it: its own code, reason and details."""
    by = f'admission webhook "{name}" denied the request'
    given = dict(status or {})
    message, reason = given.get("message"), given.get("reason")
    if message:
        given["message"] = f"{by}: {message}"
    elif reason:
        given["message"] = f"{by}: {reason}"
    else:
        given["message"] = f"{by} without explanation"
    code = given.get("code")
    if not isinstance(code, int) or not 400 <= code <= CODE_MAX:
        given["code"] = 400
    details = given.get("details")
    given["details"] = details if isinstance(details, dict) else {}
    try:
        return errors.Error.from_status(given)
    except (TypeError, ValueError, AttributeError):
        del given["details"]
        return errors.Error.from_status(given)
