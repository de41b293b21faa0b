"""Writes of one part of an object under a rule of its own: finalize, approval.

Owns      what such a write may change.
Leaves    the write itself (write.replace).
"""

from __future__ import annotations

from functools import partial

import orjson

from busk8s.api.decode import decode
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.request import Response
from busk8s.master.apiserver import applying, rest
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.render import render
from busk8s.master.apiserver.strategies import namespaces
from busk8s.master.apiserver.strategies.base import Strategy
from busk8s.master.apiserver.write import (
    PATCH_ATTEMPTS_MAX,
    UPDATE_ATTEMPTS_MAX,
    Prepare,
    check_address,
    patcher,
    replace,
)


def _finalize(strategy: Strategy, new: Json, old: Json) -> None:
    namespaces.finalize(new, old)


def _approve_at(now: float) -> Prepare:
    return partial(_approve, now=now)


def _approve(strategy: Strategy, new: Json, old: Json, *, now: float) -> None:
    """Approval changes conditions alone."""
    conditions = (new.get("status") or {}).get("conditions") or []
    before = {c.get("type"): c for c in (old.get("status") or {}).get("conditions") or ()}
    for condition in conditions:
        _stamp(condition, before.get(condition.get("type")), format_time(now))
    metadata = new["metadata"]
    new.clear()
    new.update({**old, "metadata": {**old["metadata"], **_version(metadata)}})
    new["status"] = {**(old.get("status") or {}), "conditions": conditions}


def _stamp(condition: Json, before: Json | None, moment: str) -> None:
    """The times of a condition that its writer left out."""
    if not condition.get("lastUpdateTime"):
        condition["lastUpdateTime"] = moment
    if before is not None and before.get("status") == condition.get("status"):
        condition["lastTransitionTime"] = before.get("lastTransitionTime") or moment
    elif not condition.get("lastTransitionTime"):
        condition["lastTransitionTime"] = moment


def _version(metadata: Json) -> Json:
    return {key: metadata[key] for key in ("resourceVersion",) if key in metadata}


async def finalize(parts: Parts, call: Call) -> Response:
    """PUT namespaces/NAME/finalize: spec.finalizers."""
    return await _put(parts, call, _finalize)


async def approve(parts: Parts, call: Call) -> Response:
    """PUT certificatesigningrequests/NAME/approval: status.conditions."""
    return await _put(parts, call, _approve_at(call.now))


async def approve_patch(parts: Parts, call: Call) -> Response:
    if applying.is_apply(call):
        return await applying.apply(parts, call, _approve_at(call.now))
    options = rest.write_options(call.request)
    warnings: list[str] = []
    obj = await replace(
        parts,
        call,
        patcher(call, options),
        options,
        warnings,
        prepare=_approve_at(call.now),
        attempts=PATCH_ATTEMPTS_MAX,
    )
    return rest.with_warnings(render(call, obj), warnings)


async def _put(parts: Parts, call: Call, prepare: Prepare) -> Response:
    options = rest.write_options(call.request)
    body, warnings = decode(
        call.resource, call.request.body, call.request.content_type, options.field_validation
    )
    check_address(call, body)
    raw = orjson.dumps(body)

    def make(old: Object) -> tuple[Json, list[str]]:
        return orjson.loads(raw), []

    obj = await replace(
        parts, call, make, options, warnings, prepare=prepare, attempts=UPDATE_ATTEMPTS_MAX
    )
    return rest.with_warnings(render(call, obj), warnings)
