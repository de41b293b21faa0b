"""Binding: a pod is assigned to a node, once.

Owns      the checks and the change of the pod.
Leaves    which node (scheduler).
Invariant spec.nodeName is set at most once in a pod's life, whoever races.
"""

from __future__ import annotations

import dataclasses

import orjson

from busk8s import errors
from busk8s.api.decode import check
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.request import Response
from busk8s.api.scheme import BINDINGS, PODS
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.attributes import Operation
from busk8s.master.apiserver.commit import put
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.read import missing
from busk8s.master.apiserver.write import check_address

BIND_ATTEMPTS_MAX = 10  # Lost races against status writers before a binding is told 409.
CREATED = orjson.dumps(
    {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
)


async def create(parts: Parts, call: Call) -> Response:
    """POST pods/NAME/binding, or POST bindings with the pod's name in the body."""
    options = rest.write_options(call.request)
    binding = rest.document(call.request.body, call.request.content_type)
    warnings = check(BINDINGS, binding, options.field_validation)
    metadata = check_address(call, binding)
    _check_target(binding)
    call = _on_pod(call, metadata.get("name", ""))
    operation = Operation(call.attributes, "CREATE", binding, None, options.dry_run, warnings)
    await parts.admission.mutate(operation)
    await parts.admission.validate(operation)
    for _ in range(BIND_ATTEMPTS_MAX):
        pod = parts.cache.get(PODS.key, call.namespace, call.name)
        if pod is None:
            raise missing(call)
        bound = bind(pod, binding, parts.clock.now())
        if await put(parts, call, bound, pod, options.dry_run) is not None:
            return rest.with_warnings(Response(201, CREATED), warnings)
    raise _conflict(call.name, errors.OBJECT_MODIFIED)


def _on_pod(call: Call, name: str) -> Call:
    """`call` as one on the pod, whichever of the two paths it took."""
    if call.resource is PODS:
        return call
    attributes = dataclasses.replace(
        call.attributes, resource=PODS, subresource="binding", name=name
    )
    return dataclasses.replace(call, attributes=attributes, resource=PODS, stored=PODS)


def _check_target(binding: Json) -> None:
    target = binding.get("target") or {}
    causes = []
    if target.get("kind", "") not in ("", "Node", "Minion"):
        causes.append(
            errors.Cause(
                "FieldValueNotSupported",
                f'Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"',
                "target.kind",
            )
        )
    if not target.get("name"):
        causes.append(errors.Cause("FieldValueRequired", "Required value", "target.name"))
    if causes:
        raise errors.invalid("Binding", binding["metadata"].get("name", ""), causes)


def bind(pod: Object, binding: Json, now: float) -> Json:
    """The pod on the binding's node; raises 409. Shares what it does not change."""
    data, metadata = pod.data, pod.metadata
    uid = binding["metadata"].get("uid")
    if uid and uid != pod.uid:
        raise _conflict(
            pod.name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {pod.uid}",
        )
    if pod.deleting:
        raise _conflict(pod.name, f"pod {pod.name} is being deleted, cannot be assigned to a host")
    spec = data["spec"]
    if spec.get("nodeName"):
        why = f'pod {pod.name} is already assigned to node "{spec["nodeName"]}"'
        raise _conflict(pod.name, why)
    if spec.get("schedulingGates"):
        raise _conflict(pod.name, f"pod {pod.name} has non-empty .spec.schedulingGates")
    new_metadata = dict(metadata)
    for key in ("annotations", "labels"):
        if given := binding["metadata"].get(key):
            new_metadata[key] = {**(metadata.get(key) or {}), **given}
    status = {**(data.get("status") or {})}
    status["conditions"] = _scheduled(status.get("conditions") or [], now)
    return {
        **data,
        "metadata": new_metadata,
        "spec": {**spec, "nodeName": binding["target"]["name"]},
        "status": status,
    }


def _scheduled(conditions: list[Json], now: float) -> list[Json]:
    condition = {
        "type": "PodScheduled",
        "status": "True",
        "lastTransitionTime": format_time(now),
    }
    return [*(c for c in conditions if c.get("type") != "PodScheduled"), condition]


def _conflict(name: str, why: str) -> errors.Error:
    return errors.conflict("pods/binding", name, why)
