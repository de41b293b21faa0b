"""Which function answers a call: by subresource and verb.

Owns      the table; what no entry serves is refused by name.
Leaves    the functions themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from busk8s import errors
from busk8s.api.request import Response
from busk8s.master.apiserver import delete, read, watching, write
from busk8s.master.apiserver.parts import Call, Parts

Action = Callable[[Parts, Call], Awaitable[Response]]

_ON_OBJECTS: Mapping[str, Action] = {
    "get": read.get,
    "list": read.list_,
    "watch": watching.watch,
    "create": write.create,
    "update": write.update,
    "patch": write.patch,
    "delete": delete.delete,
    "deletecollection": delete.delete_collection,
}


def action_for(call: Call) -> Action:
    """The function that answers `call`; raises 405."""
    verb = call.attributes.verb
    action = _ON_OBJECTS.get(verb)
    if action is None or verb not in call.resource.verbs:
        raise errors.method_not_allowed(call.request.method, call.resource.plural)
    return action
