"""What is asked for of devices: claims, templates of claims, classes.

Leaves    what a claim was given (device_claims), devices on offer (device_slices).
Differs from Kubernetes: fields new in 1.37 (derived attributes) have no rules of their own; admin
          access is not bound to a label of the namespace.
Source    Kubernetes API reference, resource.k8s.io; its rules.
"""

from __future__ import annotations

from typing import Any

import orjson

from busk8s.api.meta import label_errors, subdomain_errors
from busk8s.api.rules.cause import (
    forbidden,
    immutable,
    invalid,
    invalid_each,
    not_supported,
    required,
    too_long,
    wrong,
)
from busk8s.api.rules.device_names import (
    validate_full_name,
    validate_label,
    validate_toleration,
)
from busk8s.api.rules.disks import driver_errors
from busk8s.api.rules.metadata import validate_annotations, validate_labels
from busk8s.api.rules.resources import is_extended
from busk8s.api.rules.sized import named, validate_set, validate_slice
from busk8s.errors import Cause

Json = dict[str, Any]
Names = dict[str, frozenset[str]]

REQUESTS_MAX = 32
CONSTRAINTS_MAX = 32
CONFIGS_MAX = 32
SELECTORS_MAX = 32
ALTERNATIVES_MAX = 8
EXPRESSION_MAX = 10 * 1024
PARAMETERS_MAX = 10 * 1024
MODES = ("All", "ExactCount")
_REFERENCE = (
    "must be the name of a request in the claim or the name of a request and a subrequest "
    "separated by '/'"
)
_ONE = "exactly one of `exactly` or `firstAvailable` is required"


def validate_claim(claim: Json, causes: list[Cause]) -> None:
    _validate_spec(claim.get("spec") or {}, "spec", causes)


def validate_template(template: Json, causes: list[Cause]) -> None:
    spec = template.get("spec") or {}
    metadata = spec.get("metadata") or {}
    causes += validate_annotations(metadata.get("annotations") or {}, "spec.metadata.annotations")
    causes += validate_labels(metadata.get("labels") or {}, "spec.metadata.labels")
    _validate_spec(spec.get("spec") or {}, "spec.spec", causes)


def validate_unchanged(new: Json, old: Json, causes: list[Cause]) -> None:
    """Of claims and templates: the rest of the rules would say nothing the sender can mend."""
    if (new.get("spec") or {}) != (old.get("spec") or {}):
        causes.append(immutable("spec", new.get("spec") or {}))


def validate_class(device_class: Json, causes: list[Cause]) -> None:
    spec = device_class.get("spec") or {}
    _validate_selectors(spec.get("selectors") or (), "spec.selectors", causes)
    configs = spec.get("config") or ()
    validate_slice(configs, CONFIGS_MAX, validate_opaque, "spec.config", causes)
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended(name):
        detail = "must be a valid extended resource name"
        causes.append(invalid("spec.extendedResourceName", name, detail))


def names_of(devices: Json) -> Names:
    """Of the requests, each with those of its alternatives."""
    return {
        named(request): frozenset(map(named, request.get("firstAvailable") or ()))
        for request in devices.get("requests") or ()
    }


def _validate_spec(spec: Json, path: str, causes: list[Cause]) -> None:
    devices, here = spec.get("devices") or {}, f"{path}.devices"
    names = names_of(devices)

    def constraint(each: Json, at: str, found: list[Cause]) -> None:
        _validate_constraint(each, names, at, found)

    def config(each: Json, at: str, found: list[Cause]) -> None:
        validate_config(each, names, at, found)

    requests = devices.get("requests") or ()
    validate_set(requests, REQUESTS_MAX, _validate_request, named, f"{here}.requests", causes)
    constraints = devices.get("constraints") or ()
    validate_slice(constraints, CONSTRAINTS_MAX, constraint, f"{here}.constraints", causes)
    validate_slice(devices.get("config") or (), CONFIGS_MAX, config, f"{here}.config", causes)


def _validate_request(request: Json, path: str, causes: list[Cause]) -> None:
    validate_label(named(request), f"{path}.name", causes)
    exact, alternatives = request.get("exactly"), request.get("firstAvailable")
    if exact is None and not alternatives:
        causes.append(required(path, _ONE))
    elif exact is not None and alternatives:
        causes.append(invalid(path, None, f"{_ONE}, but multiple fields are set"))
    elif exact is not None:
        _validate_exact(exact, f"{path}.exactly", causes)
    else:
        here = f"{path}.firstAvailable"
        validate_set(
            alternatives or (), ALTERNATIVES_MAX, _validate_alternative, named, here, causes
        )


def _validate_alternative(request: Json, path: str, causes: list[Cause]) -> None:
    validate_label(named(request), f"{path}.name", causes)
    _validate_exact(request, path, causes)


def _validate_exact(request: Json, path: str, causes: list[Cause]) -> None:
    if not (name := request.get("deviceClassName")):
        causes.append(required(f"{path}.deviceClassName"))
    else:
        causes += invalid_each(f"{path}.deviceClassName", name, subdomain_errors(name))
    _validate_selectors(request.get("selectors") or (), f"{path}.selectors", causes)
    mode, count = request.get("allocationMode") or "", request.get("count") or 0
    if mode not in MODES:
        causes.append(not_supported(f"{path}.allocationMode", mode, MODES))
    elif mode == "All" and count:
        detail = "must not be specified when allocationMode is 'All'"
        causes.append(invalid(f"{path}.count", count, detail))
    elif mode == "ExactCount" and count <= 0:
        causes.append(invalid(f"{path}.count", count, "must be greater than zero"))
    for index, toleration in enumerate(request.get("tolerations") or ()):
        validate_toleration(toleration, f"{path}.tolerations[{index}]", causes)


def _validate_selectors(selectors: Any, path: str, causes: list[Cause]) -> None:
    validate_slice(selectors, SELECTORS_MAX, _validate_selector, path, causes)


def _validate_selector(selector: Json, path: str, causes: list[Cause]) -> None:
    if selector.get("cel") is None:
        causes.append(required(f"{path}.cel"))
        return
    text, here = selector["cel"].get("expression") or "", f"{path}.cel.expression"
    if len(text.encode()) > EXPRESSION_MAX:
        causes.append(too_long(here, EXPRESSION_MAX))
        return
    from busk8s.api.cel import cost, devices
    from busk8s.api.cel.errors import CelError

    try:
        program = devices.selector(text)
    except CelError as error:
        causes.append(invalid(here, text, str(error)))
        return
    if cost.estimate(program) > devices.COST_MAX:
        causes.append(forbidden(here, "too complex, exceeds cost limit"))


def _validate_constraint(constraint: Json, names: Names, path: str, causes: list[Cause]) -> None:
    validate_references(constraint, names, path, causes)
    if (name := constraint.get("matchAttribute")) is not None:
        validate_full_name(name, f"{path}.matchAttribute", causes)
    elif (name := constraint.get("distinctAttribute")) is not None:
        validate_full_name(name, f"{path}.distinctAttribute", causes)
    else:
        detail = (  # In upstream's words, which speak of another case.
            'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple '
            "fields are set"
        )
        causes.append(required(path, detail))


def validate_references(holder: Json, names: Names, path: str, causes: list[Cause]) -> None:
    """`requests`: some of those that the claim has."""

    def reference(name: str, at: str, found: list[Cause]) -> None:
        validate_reference(name, names, at, found)

    listed = holder.get("requests") or ()
    validate_set(listed, REQUESTS_MAX, reference, str, f"{path}.requests", causes)


def validate_reference(name: str, names: Names, path: str, causes: list[Cause]) -> None:
    request, *below = name.split("/")
    if len(below) > 1:
        causes.append(invalid(path, name, _REFERENCE))
        return
    for part in (request, *below):
        causes += invalid_each(path, part, label_errors(part))
    if request not in names or (below and below[0] not in names[request]):
        causes.append(invalid(path, name, _REFERENCE))


def validate_config(config: Json, names: Names, path: str, causes: list[Cause]) -> None:
    validate_references(config, names, path, causes)
    validate_opaque(config, path, causes)


def validate_opaque(config: Json, path: str, causes: list[Cause]) -> None:
    if (opaque := config.get("opaque")) is None:
        causes.append(required(f"{path}.opaque"))
        return
    causes += driver_errors(opaque.get("driver") or "", f"{path}.opaque.driver")
    validate_raw(opaque.get("parameters"), PARAMETERS_MAX, f"{path}.opaque.parameters", causes)


def validate_raw(value: Any, most: int, path: str, causes: list[Cause]) -> None:
    """An object of no known form. Its size is counted as it is stored, without blanks."""
    if value is None:
        causes.append(required(path))
    elif len(orjson.dumps(value)) > most:
        causes.append(too_long(path, most))
    elif not isinstance(value, dict):
        causes.append(wrong(path, "must be a valid JSON object"))
