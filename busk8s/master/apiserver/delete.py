"""Delete and deletecollection.

Owns      reading DeleteOptions, preconditions, admission, committing the plan, what is answered.
Leaves    the decision (delete_plan), dependents (garbage collector), contents of namespaces
          (namespace controller), stopping pods (kubelet).

Differs from Kubernetes: options of the query count beside a body. Upstream forgets them when there
is any body, so that `?dryRun=All` with `{}` really deletes there.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.decode import check, strip_nulls
from busk8s.api.object import Json, Object
from busk8s.api.request import Request, Response
from busk8s.api.scheme import Resource
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.attributes import Operation
from busk8s.master.apiserver.commit import put, remove
from busk8s.master.apiserver.conversion.reading import own_form
from busk8s.master.apiserver.conversion.views import all_served, served
from busk8s.master.apiserver.delete_plan import (
    DeleteOptions,
    Marked,
    Pending,
    Plan,
    plan_definition_delete,
    plan_delete,
    plan_namespace_delete,
)
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.read import missing
from busk8s.master.apiserver.render import list_metadata, render, render_list
from busk8s.master.apiserver.selection import selection_of
from busk8s.master.apiserver.strategies.base import Strategy
from busk8s.master.apiserver.strategies.table import strategy_of
from busk8s.master.store.base import StoreError

DELETE_ATTEMPTS_MAX = 20  # Lost races against busy status writers before a delete is told 409.
DELETES_AT_ONCE_MAX = 64  # Of one collection: enough to share commits, leaves room for others.
GRACE_S_MAX = 2**31  # More is no time anybody waits; keeps the arithmetic of times in range.

PODS_STAY = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)

OPTIONS = Resource("", "v1", "deleteoptions", "DeleteOptions", namespaced=False)
_POLICIES = ("Orphan", "Background", "Foreground")


async def delete(parts: Parts, call: Call) -> Response:
    """DELETE of an object."""
    options = options_of(call.request)
    warnings = preserving(call, options)
    obj, gone = await delete_object(parts, call, options, warnings)
    waits = options.orphan is False or options.propagation == "Foreground"
    status = 202 if waits and not gone else 200
    if gone and not strategy_of(call.stored).returns_deleted:
        resource = call.resource
        body = rest.success(call.name, group=resource.group, plural=resource.plural, uid=obj.uid)
        return rest.with_warnings(Response(status, body), warnings)
    return rest.with_warnings(render(call, await served(parts, call, obj), status), warnings)


def preserving(call: Call, options: DeleteOptions) -> list[str]:
    """What is said to who deletes Jobs and does not say what becomes of their pods."""
    said = options.propagation or options.orphan is not None
    return [PODS_STAY] if call.resource.key == "jobs.batch" and not said else []


async def delete_object(
    parts: Parts, call: Call, options: DeleteOptions, warnings: list[str] | None = None
) -> tuple[Object, bool]:
    """Delete what `call` names: its last or present state, and whether it is gone."""
    said = warnings if warnings is not None else []
    for _ in range(DELETE_ATTEMPTS_MAX):
        old = parts.cache.get(call.stored.key, call.namespace, call.name)
        if old is None:
            raise missing(call)
        check_preconditions(call, old, options)
        seen = await served(parts, call, old)
        operation = Operation(
            call.attributes,
            "DELETE",
            None,
            seen,
            options.dry_run,
            said,
            _as_json(options),
            annotations=call.request.notes,
            convert=parts.conversions.document if call.converts else None,
        )
        await parts.admission.mutate(operation)
        await parts.admission.validate(operation)
        plan = _plan(parts, call, old, options)
        if isinstance(plan, Pending):
            return old, False
        if isinstance(plan, Marked):
            obj = await put(parts, call, plan.data, old, options.dry_run)
        else:
            obj = await remove(parts, call, plan.data, old, options.dry_run)
        if obj is not None:
            return obj, not isinstance(plan, Marked)
    raise errors.conflict(call.resource.plural, call.name, group=call.resource.group)


def _plan(parts: Parts, call: Call, old: Object, options: DeleteOptions) -> Plan:
    planner = _PLANNERS.get(call.stored.key, plan_delete)
    # Written again: of a custom object, as its schema has it by now.
    present = old if call.stored.custom is None else own_form(call.stored, old)
    return planner(strategy_of(call.stored), present.data, options, parts.clock.now())


_PLANNERS: Mapping[str, Callable[[Strategy, Json, DeleteOptions, float], Plan]] = {
    "namespaces": plan_namespace_delete,
    "customresourcedefinitions.apiextensions.k8s.io": plan_definition_delete,
}


def check_preconditions(call: Call, old: Object, options: DeleteOptions) -> None:
    for what, wanted, found in (
        ("UID", options.uid, old.uid),
        ("ResourceVersion", options.revision, str(old.revision)),
    ):
        if wanted and wanted != found:
            why = (
                f"the {what} in the precondition ({wanted}) does not match the {what} in record "
                f"({found}). The object might have been deleted and then recreated"
                if what == "UID"
                else f"the {what} in the precondition ({wanted}) does not match the {what} in "
                f"record ({found}). The object might have been modified"
            )
            raise errors.conflict(call.resource.kind, call.name, why, group=call.resource.group)


def _as_json(options: DeleteOptions) -> Json:
    said: Json = {}
    if options.grace_s is not None:
        said["gracePeriodSeconds"] = options.grace_s
    if options.propagation:
        said["propagationPolicy"] = options.propagation
    if options.orphan is not None:
        said["orphanDependents"] = options.orphan
    wanted = {"uid": options.uid, "resourceVersion": options.revision}
    if preconditions := {key: value for key, value in wanted.items() if value}:
        said["preconditions"] = preconditions
    return said


async def delete_collection(parts: Parts, call: Call) -> Response:
    """DELETE of a collection: each object that matches, some at once, so that commits group."""
    selection = selection_of(call.request, call.resource)
    options = options_of(call.request)
    scope = call.namespace or (None if call.resource.namespaced else "")
    objects = parts.cache.list(call.stored.key, scope)
    chosen = list(objects)
    if not selection.everything:
        shown = await all_served(parts, call, objects)
        pairs = zip(objects, shown, strict=True)
        chosen = [obj for obj, seen in pairs if selection.chooses(seen)]
    last: list[Object | None] = [None] * len(chosen)
    failed: list[Exception] = []
    waiting = iter(enumerate(chosen))

    async def work() -> None:
        for index, obj in waiting:
            try:
                last[index], _ = await delete_object(parts, _one_of(call, obj), options)
            except (errors.Error, StoreError) as error:
                if getattr(error, "code", 0) != 404:  # Somebody else was faster: gone, as asked.
                    failed.append(error)
            if failed:
                return

    async with asyncio.TaskGroup() as workers:
        for _ in range(min(len(chosen), DELETES_AT_ONCE_MAX)):
            workers.create_task(work())
    if failed:
        raise failed[0]
    gone = await all_served(parts, call, [obj for obj in last if obj is not None])
    listed = render_list(call, gone, list_metadata(parts.cache.revision))
    return rest.with_warnings(listed, preserving(call, options))


def _one_of(call: Call, obj: Object) -> Call:
    """`call` as a delete of `obj` alone."""
    attributes = dataclasses.replace(
        call.attributes, verb="deletecollection", namespace=obj.namespace, name=obj.name
    )
    return dataclasses.replace(call, attributes=attributes)


def options_of(request: Request) -> DeleteOptions:
    """DeleteOptions from the body, else from the query; raises 400 and 422."""
    data: Json = {}
    if request.body and not request.body.isspace():
        data = options_in(request.body, request.content_type)
    if not data.keys() - {"kind", "apiVersion"} and request.query:
        data = _from_query(request)
    return checked_options(data)


def options_in(body: bytes, content_type: str) -> Json:
    """The DeleteOptions in a body. Clients send them under many API versions: all mean v1."""
    data = rest.document(body, content_type)
    kind = data.get("kind")
    if kind not in (None, "", "DeleteOptions"):
        raise errors.bad_request(f"a delete takes DeleteOptions, not {kind}")
    strip_nulls(data)
    data["kind"], data["apiVersion"] = OPTIONS.kind, OPTIONS.api_version
    model = scheme.model_named("meta.k8s.io", "v1", "DeleteOptions")
    check(OPTIONS, data, "Ignore", model=model)
    return data


def _from_query(request: Request) -> Json:
    data: Json = {}
    if (grace := rest.integer(request, "gracePeriodSeconds")) is not None:
        data["gracePeriodSeconds"] = grace
    if policy := request.param("propagationPolicy"):
        data["propagationPolicy"] = policy
    if "orphanDependents" in request.query:
        data["orphanDependents"] = rest.flag(request, "orphanDependents")
    if dry_run := request.query.get("dryRun"):
        data["dryRun"] = list(dry_run)
    return data


def checked_options(data: Json) -> DeleteOptions:
    """`data` (of the right types) as options; raises 422 for values nobody can mean."""
    causes = []
    policy, orphan = data.get("propagationPolicy"), data.get("orphanDependents")
    if policy is not None and policy not in _POLICIES:
        causes.append(
            errors.Cause(
                "FieldValueNotSupported",
                f'Unsupported value: "{policy}": supported values: '
                + ", ".join(f'"{one}"' for one in (*sorted(_POLICIES), "nil")),
                "propagationPolicy",
            )
        )
    if policy is not None and orphan is not None:
        causes.append(
            errors.Cause(
                "FieldValueInvalid",
                f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be '
                "both set",
                "propagationPolicy",
            )
        )
    grace = data.get("gracePeriodSeconds")
    if grace is not None and not -GRACE_S_MAX <= grace <= GRACE_S_MAX:
        causes.append(
            errors.Cause(
                "FieldValueInvalid", f"Invalid value: {grace}: out of range", "gracePeriodSeconds"
            )
        )
    if causes:
        raise errors.invalid("DeleteOptions", "", causes, group="meta.k8s.io")
    conditions = data.get("preconditions") or {}
    return DeleteOptions(
        grace_s=grace,
        propagation=policy or "",
        orphan=orphan,
        uid=conditions.get("uid", ""),
        revision=conditions.get("resourceVersion", ""),
        dry_run=rest.is_dry_run(data.get("dryRun") or ()),
    )
