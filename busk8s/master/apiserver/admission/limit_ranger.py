"""LimitRanges: defaults for containers that name no resources, and bounds for all.

Owns      completing pods, and the bounds on containers, pods and claims.
Leaves    the objects themselves (api/rules/quotas), sums over a namespace (quota).
Source    Kubernetes documentation, "Limit Ranges"; the messages are those that upstream gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from busk8s.api.object import Json
from busk8s.api.podresources import containers, total
from busk8s.api.quantity import NANOS, nanos, render
from busk8s.master.apiserver.admission.plugin import Interest, Lookup, name_of, refuse
from busk8s.master.apiserver.attributes import Operation

ANNOTATION = "kubernetes.io/limit-ranger"
CLAIMS = "persistentvolumeclaims"
Texts = Mapping[str, str]


class LimitDefaults:
    """The mutating half."""

    interest = Interest(kinds=frozenset({"CREATE"}), resources=frozenset({"pods"}))

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        assert operation.object is not None
        said: list[str] = []
        for item in _items(self._lookup, operation, "Container"):
            for container in containers(operation.object.get("spec") or {}):
                for part, given in (("request", "defaultRequest"), ("limit", "default")):
                    said += _fill(container, part, item.get(given) or {})
        if said:
            metadata = operation.object["metadata"]
            note = "LimitRanger plugin set: " + "; ".join(said)
            metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: note}


def _fill(container: Json, part: str, defaults: Texts) -> list[str]:
    given = (container.get("resources") or {}).get(f"{part}s") or {}
    missing = {name: value for name, value in defaults.items() if name not in given}
    if not missing:
        return []
    resources = container["resources"] = dict(container.get("resources") or {})
    resources[f"{part}s"] = {**given, **missing}
    return [f"{', '.join(sorted(missing))} {part} for container {container.get('name')}"]


class LimitBounds:
    """The validating half."""

    interest = Interest(
        kinds=frozenset({"CREATE", "UPDATE"}),
        resources=frozenset({"pods", CLAIMS}),
        subresources=frozenset({"", "resize"}),
    )

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        attributes = operation.attributes
        assert attributes.resource is not None
        assert operation.object is not None
        spec = operation.object.get("spec") or {}
        wrong: list[str] = []
        if attributes.resource.key == CLAIMS:
            requests = (spec.get("resources") or {}).get("requests") or {}
            for item in _items(self._lookup, operation, "PersistentVolumeClaim"):
                wrong += _claim(item, requests)
        elif operation.kind == "CREATE" or attributes.subresource == "resize":
            for item in _items(self._lookup, operation, "Container"):
                for container in containers(spec):
                    resources = container.get("resources") or {}
                    wrong += _bounds(
                        item, resources.get("requests") or {}, resources.get("limits") or {}
                    )
            for item in _items(self._lookup, operation, "Pod"):
                wrong += _bounds(item, _summed(spec, "requests"), _summed(spec, "limits"))
        if wrong:
            why = wrong[0] if len(wrong) == 1 else f"[{', '.join(dict.fromkeys(wrong))}]"
            raise refuse(attributes, why, name=name_of(operation))


def _items(lookup: Lookup, operation: Operation, kind: str) -> Iterator[Json]:
    """The entries for `kind` of all ranges in the namespace."""
    for found in lookup.list("limitranges", operation.attributes.namespace):
        for item in (found.data.get("spec") or {}).get("limits") or ():
            if item.get("type") == kind:
                yield item


def _summed(spec: Json, part: str) -> dict[str, str]:
    amounts = total(spec, "requests" if part == "requests" else "limits", overhead=False)
    return {name: _text(name, amount) for name, amount in amounts.items()}


def _text(name: str, amount: int) -> str:
    return render(amount, "m" if name == "cpu" else "Ki")


def _bounds(item: Json, requests: Texts, limits: Texts) -> list[str]:
    kind, wrong = item["type"], []
    for name, least in (item.get("min") or {}).items():
        head = f"minimum {name} usage per {kind} is {least}"
        wrong += _least(head, least, requests.get(name), limits.get(name))
    for name, most in (item.get("max") or {}).items():
        head = f"maximum {name} usage per {kind} is {most}"
        wrong += _most(head, most, requests.get(name), limits.get(name))
    for name, ratio in (item.get("maxLimitRequestRatio") or {}).items():
        head = f"{name} max limit to request ratio per {kind} is {ratio}"
        wrong += _ratio(head, ratio, requests.get(name), limits.get(name))
    return wrong


def _least(head: str, bound: str, request: str | None, limit: str | None) -> list[str]:
    if request is None:
        return [f"{head}.  No request is specified"]
    if nanos(request) < nanos(bound):
        return [f"{head}, but request is {request}"]
    if limit is not None and nanos(limit) < nanos(bound):
        return [f"{head}, but limit is {limit}"]
    return []


def _most(head: str, bound: str, request: str | None, limit: str | None) -> list[str]:
    if limit is None:
        return [f"{head}.  No limit is specified"]
    if nanos(limit) > nanos(bound):
        return [f"{head}, but limit is {limit}"]
    if request is not None and nanos(request) > nanos(bound):
        return [f"{head}, but request is {request}"]
    return []


def _ratio(head: str, bound: str, request: str | None, limit: str | None) -> list[str]:
    if request is None or nanos(request) == 0:
        return [f"{head}, but no request is specified or request is 0"]
    if limit is None or nanos(limit) == 0:
        return [f"{head}, but no limit is specified or limit is 0"]
    if nanos(limit) * NANOS > nanos(bound) * nanos(request):
        return [f"{head}, but provided ratio is {nanos(limit) / nanos(request):f}"]
    return []


def _claim(item: Json, requests: Texts) -> list[str]:
    kind, wrong = item["type"], []
    for name, least in (item.get("min") or {}).items():
        head = f"minimum {name} usage per {kind} is {least}"
        wrong += _least(head, least, requests.get(name), None)
    for name, most in (item.get("max") or {}).items():
        head = f"maximum {name} usage per {kind} is {most}"
        asked = requests.get(name)
        if asked is None:
            wrong.append(f"{head}.  No request is specified")
        elif nanos(asked) > nanos(most):
            wrong.append(f"{head}, but request is {asked}")
    return wrong
