"""Which function answers a call: by resource, subresource and verb.

Owns      the tables; what no entry serves is refused by name.
Leaves    the functions themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from busk8s import errors
from busk8s.api.request import Response
from busk8s.master.apiserver import applying, delete, read, watching, write
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.subresources import (
    binding,
    eviction,
    log,
    partial_writes,
    reviews,
    scale,
)

Action = Callable[[Parts, Call], Awaitable[Response]]


async def _streamed(parts: Parts, call: Call) -> Response:
    """Its modules are loaded when the first client asks: few servers are ever asked."""
    from busk8s.master.apiserver.streaming import connect

    return await connect.ACTIONS[call.attributes.subresource](parts, call)


_ON_OBJECTS: Mapping[str, Action] = {
    "get": read.get,
    "list": read.list_,
    "watch": watching.watch,
    "create": write.create,
    "update": write.update,
    "patch": applying.patch,
    "delete": delete.delete,
    "deletecollection": delete.delete_collection,
}

_ON_PARTS: Mapping[tuple[str, str], Action] = {
    ("status", "get"): read.get,
    ("status", "update"): write.update,
    ("status", "patch"): applying.patch,
    ("scale", "get"): scale.get,
    ("scale", "update"): scale.update,
    ("scale", "patch"): scale.patch,
    ("binding", "create"): binding.create,
    ("eviction", "create"): eviction.create,
    ("log", "get"): log.get,
    ("exec", "get"): _streamed,
    ("exec", "create"): _streamed,
    ("attach", "get"): _streamed,
    ("attach", "create"): _streamed,
    ("portforward", "get"): _streamed,
    ("portforward", "create"): _streamed,
    ("token", "create"): reviews.token_request,
    ("finalize", "update"): partial_writes.finalize,
    ("ephemeralcontainers", "get"): read.get,
    ("ephemeralcontainers", "update"): write.update,
    ("ephemeralcontainers", "patch"): applying.patch,
    ("resize", "get"): read.get,
    ("resize", "update"): write.update,
    ("resize", "patch"): applying.patch,
    ("approval", "get"): read.get,
    ("approval", "update"): partial_writes.approve,
    ("approval", "patch"): partial_writes.approve_patch,
}

# Created, answered, never stored.
_QUESTIONS: Mapping[str, Action] = {
    "bindings": binding.create,
    "tokenreviews.authentication.k8s.io": reviews.token_review,
    "selfsubjectreviews.authentication.k8s.io": reviews.self_subject,
    "subjectaccessreviews.authorization.k8s.io": reviews.access,
    "localsubjectaccessreviews.authorization.k8s.io": reviews.access,
    "selfsubjectaccessreviews.authorization.k8s.io": reviews.self_access,
    "selfsubjectrulesreviews.authorization.k8s.io": reviews.self_rules,
}


def action_for(call: Call) -> Action:
    """The function that answers `call`; raises 405 and 501."""
    verb, part = call.attributes.verb, call.attributes.subresource
    if part:
        action = _ON_PARTS.get((part, verb))
    elif verb not in call.resource.verbs:
        action = None
    else:
        action = _QUESTIONS.get(call.resource.key) or _ON_OBJECTS.get(verb)
    if action is None:
        raise errors.method_not_allowed()
    return action
