"""Tables of what rules requests and devices: policies, fairness, scales, claims of devices.

Owns      their columns and cells, and the order flow schemas are listed in.
Leaves    which kind has which printer (tables.table).
"""

from __future__ import annotations

from busk8s.api.tables.column import (
    NONE,
    UNSET,
    Cells,
    Json,
    Printer,
    age,
    at,
    columns,
    name_of,
    selector_text,
)


def precedence(schema: Json) -> tuple[int, str]:
    """Flow schemas are shown as requests try them: by matching precedence, then by name."""
    return at(schema, "spec", "matchingPrecedence") or 0, name_of(schema)


def _policy(rules: str, obj: Json, now: float) -> Cells:
    kind = at(obj, "spec", "paramKind")
    taken = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else UNSET
    return [name_of(obj), len(at(obj, "spec", rules) or ()), taken, age(obj, now)]


def _validating(obj: Json, now: float) -> Cells:
    return _policy("validations", obj, now)


def _mutating(obj: Json, now: float) -> Cells:
    return _policy("mutations", obj, now)


def _policy_binding(obj: Json, now: float) -> Cells:
    reference = at(obj, "spec", "paramRef") or {}
    shown = UNSET
    if reference.get("name"):
        # Whether the parameter has a namespace cannot be told here.
        shown = f"{reference.get('namespace') or '*'}/{reference['name']}"
    elif reference.get("selector") is not None:
        shown = selector_text(reference["selector"])
    return [name_of(obj), at(obj, "spec", "policyName"), shown, age(obj, now)]


def _flow_schema(obj: Json, now: float) -> Cells:
    conditions = at(obj, "status", "conditions") or ()
    dangling = [c.get("status") for c in conditions if c.get("type") == "Dangling"]
    return [
        name_of(obj),
        at(obj, "spec", "priorityLevelConfiguration", "name"),
        at(obj, "spec", "matchingPrecedence"),
        at(obj, "spec", "distinguisherMethod", "type") or NONE,
        age(obj, now),
        dangling[0] if dangling else "?",
    ]


def _priority_level(obj: Json, now: float) -> Cells:
    limited = at(obj, "spec", "limited")
    queuing = at(limited or {}, "limitResponse", "queuing") or {}
    shares = NONE if limited is None else limited.get("nominalConcurrencyShares", 0)
    queued = [queuing.get(name, NONE) for name in ("queues", "handSize", "queueLengthLimit")]
    return [name_of(obj), at(obj, "spec", "type"), shares, *queued, age(obj, now)]


def _scale(obj: Json, now: float) -> Cells:
    replicas = [at(obj, part, "replicas") or 0 for part in ("spec", "status")]
    return [name_of(obj), *replicas, age(obj, now)]


def _claim(obj: Json, now: float) -> Cells:
    states = ["deleted"] if "deletionTimestamp" in obj["metadata"] else []
    if at(obj, "status", "allocation") is not None:
        states.append("allocated")
        if at(obj, "status", "reservedFor"):
            states.append("reserved")
    elif not states:
        states.append("pending")
    return [name_of(obj), ",".join(states), age(obj, now)]


def _slice(obj: Json, now: float) -> Cells:
    spec = obj.get("spec") or {}
    pool = at(spec, "pool", "name")
    return [name_of(obj), spec.get("nodeName", ""), spec.get("driver"), pool, age(obj, now)]


def _bare(obj: Json, now: float) -> Cells:
    return [name_of(obj), age(obj, now)]


_BINDINGS = Printer(columns("Name|PolicyName|ParamRef|Age"), _policy_binding)
_BARE = Printer(columns("Name|Age"), _bare)
FLOW_SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io"
PRINTERS = {
    "validatingadmissionpolicies.admissionregistration.k8s.io": Printer(
        columns("Name|#Validations|ParamKind|Age"), _validating
    ),
    "mutatingadmissionpolicies.admissionregistration.k8s.io": Printer(
        columns("Name|#Mutations|ParamKind|Age"), _mutating
    ),
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _BINDINGS,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": _BINDINGS,
    FLOW_SCHEMAS: Printer(
        columns("Name|PriorityLevel|MatchingPrecedence|DistinguisherMethod|Age|MissingPL"),
        _flow_schema,
    ),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": Printer(
        columns("Name|Type|NominalConcurrencyShares|Queues|HandSize|QueueLengthLimit|Age"),
        _priority_level,
    ),
    "scales.autoscaling": Printer(columns("Name|#Desired|#Available|Age"), _scale),
    "resourceclaims.resource.k8s.io": Printer(columns("Name|State|Age"), _claim),
    "resourceclaimtemplates.resource.k8s.io": _BARE,
    "deviceclasses.resource.k8s.io": _BARE,
    "resourceslices.resource.k8s.io": Printer(columns("Name|Node|Driver|Pool|Age"), _slice),
}
