"""How wide a request is: how many seats its work is worth.

Owns      the estimate: by how many objects it may read.
Source    upstream's work estimator: a seat for each hundred objects, ten at most.
"""

from __future__ import annotations

from busk8s.master.apiserver.parts import Call, Parts

OBJECTS_A_SEAT = 100
SEATS_MAX = 10
_WIDE = frozenset({"list", "watch", "deletecollection"})


def width_of(parts: Parts, call: Call) -> int:
    if call.attributes.verb not in _WIDE or call.name:
        return 1
    query = call.request.query
    if call.attributes.verb == "watch" and query.get("resourceVersion", ["0"]) != ["0"]:
        return 1  # It begins with what comes, not with what is there.
    objects = parts.cache.count(call.stored.key)
    limit = call.request.param("limit")
    if limit.isdigit() and 0 < int(limit[:9]) < objects:
        objects = int(limit[:9])
    return min(max(-(-objects // OBJECTS_A_SEAT), 1), SEATS_MAX)
