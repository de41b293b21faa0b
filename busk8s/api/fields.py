"""Field selectors: `fieldSelector=status.phase=Running,spec.nodeName!=n1`.

Owns      the grammar, and which fields each resource can be selected by.
Leaves    indexes over such fields (caches).
Source    apimachinery pkg/fields; the field label conversions of each API group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from busk8s.api.scheme import Resource
from busk8s.errors import bad_request

Requirement = tuple[str, str, str]
CACHE_ENTRIES = 1024
_META = frozenset(("metadata.name", "metadata.namespace"))
_BOOLEANS = frozenset(("spec.hostNetwork", "spec.unschedulable"))
_NUMBERS = frozenset(("status.replicas", "status.successful"))
_ESCAPABLE = "\\,="

# What each resource may be selected by, beside its name and namespace. Keys are Resource.key.
SELECTABLE: Mapping[str, frozenset[str]] = {
    "pods": frozenset((
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs",
        "status.nominatedNodeName",
    )),
    "nodes": frozenset(("spec.unschedulable",)),
    "services": frozenset(("spec.clusterIP", "spec.type")),
    "secrets": frozenset(("type",)),
    "namespaces": frozenset(("status.phase",)),
    "replicationcontrollers": frozenset(("status.replicas",)),
    "replicasets.apps": frozenset(("status.replicas",)),
    "jobs.batch": frozenset(("status.successful",)),
    "certificatesigningrequests.certificates.k8s.io": frozenset(("spec.signerName",)),
    "events": frozenset((
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
    )),
    "events.events.k8s.io": frozenset((
        "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
        "regarding.apiVersion", "regarding.resourceVersion", "regarding.fieldPath",
        "reason", "reportingController", "type",
    )),
}  # fmt: skip


@lru_cache(CACHE_ENTRIES)
def parse_fields(text: str) -> list[Requirement]:
    """(path, `=` or `!=`, value) of each term. The answer is shared: read only."""
    requirements = []
    for term in _terms(text):
        if not term:
            continue
        for operator in ("!=", "==", "="):
            if (at := _find(term, operator)) >= 0:
                path, written = term[:at], term[at + len(operator) :]
                sign = "!=" if operator == "!=" else "="
                requirements.append((path, sign, _unescaped(written, text)))
                break
        else:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
    return requirements


def check_fields(resource: Resource, requirements: Sequence[Requirement]) -> None:
    """Refuses a selector by a field this resource cannot be selected by."""
    custom = resource.custom
    supported = SELECTABLE.get(resource.key) if custom is None else custom.selectable
    for path, _, _ in requirements:
        if path in _META or (supported is not None and path in supported):
            continue
        if supported is not None:
            raise bad_request(f"field label not supported: {path}")
        raise bad_request(
            f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
        )


def match_fields(requirements: Sequence[Requirement], data: Mapping[str, Any]) -> bool:
    return all(
        (field_value(data, path) == wanted) is (operator == "=")
        for path, operator, wanted in requirements
    )


def field_value(data: Mapping[str, Any], path: str) -> str:
    """The text a field compares by; what is absent has its type's zero value, as in upstream."""
    if special := _SPECIAL.get(path):
        return special(data)
    found: Any = data
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    if path in _BOOLEANS:
        return "true" if found else "false"
    if path in _NUMBERS:
        return str(found or 0)
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None else str(found)


def _source(data: Mapping[str, Any]) -> str:
    component = (data.get("source") or {}).get("component")
    return str(component or data.get("reportingComponent") or "")


def _pod_ips(data: Mapping[str, Any]) -> str:
    return ",".join(entry["ip"] for entry in (data.get("status") or {}).get("podIPs") or ())


_SPECIAL: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "source": _source,
    "status.podIPs": _pod_ips,
}


def _terms(text: str) -> list[str]:
    """Split at commas that no backslash escapes."""
    terms, start, escaped = [], 0, False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            terms.append(text[start:at])
            start = at + 1
    return [*terms, text[start:]]


def _find(term: str, operator: str) -> int:
    """Where `operator` first stands, unless another operator or an escape comes before it."""
    at = term.find(operator)
    while at > 0 and term[at - 1] == "\\":
        at = term.find(operator, at + 1)
    first = min((i for i in (term.find("!="), term.find("=")) if i >= 0), default=-1)
    return at if at == first else -1


def _unescaped(written: str, text: str) -> str:
    if "\\" not in written and "=" not in written:
        return written
    out, escaped = [], False
    for character in written:
        if escaped:
            if character not in _ESCAPABLE:
                raise bad_request(f"invalid field selector: invalid escape sequence: \\{character}")
            out.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "=":
            raise bad_request(
                f"invalid field selector: unescaped character in value: {character}: {text}"
            )
        else:
            out.append(character)
    if escaped:
        raise bad_request("invalid field selector: unterminated escape sequence")
    return "".join(out)
