"""Priority and fairness: which requests are one flow, and how many of a level run at once.

Source    Kubernetes API reference, flowcontrol.apiserver.k8s.io/v1; KEP 1040; the rules of
          flowcontrol validation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from busk8s.api.meta import label_errors, path_segment_errors, subdomain_errors
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from busk8s.errors import Cause

Json = dict[str, Any]

PRECEDENCE_MAX = 10_000
QUEUES_MAX = 10_000_000
# Bits that shuffle sharding may use for one hand of queues.
DEALT_BITS_MAX = 60
DISTINGUISHERS = ("ByNamespace", "ByUser")
SUBJECT_KINDS = ("Group", "ServiceAccount", "User")
LEVEL_TYPES = ("Exempt", "Limited")
RESPONSES = ("Queue", "Reject")
VERBS = (
    "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch",
)  # fmt: skip
URL_VERBS = (
    "connect", "delete", "get", "head", "options", "patch", "post", "put", "trace",
)  # fmt: skip
EXEMPT = "exempt"


def validate_flow_schema(flow: Json, causes: list[Cause]) -> None:
    spec, name = flow.get("spec") or {}, flow["metadata"].get("name")
    precedence = spec.get("matchingPrecedence", 0)
    if not 1 <= precedence <= PRECEDENCE_MAX:
        detail = (
            "must be a positive value" if precedence < 1
            else f"must not be greater than {PRECEDENCE_MAX}"
        )  # fmt: skip
        causes.append(invalid("spec.matchingPrecedence", precedence, detail))
    if precedence == 1 and name != EXEMPT:
        detail = "only the schema named 'exempt' may have matchingPrecedence 1"
        causes.append(invalid("spec.matchingPrecedence", precedence, detail))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in DISTINGUISHERS:
        path = "spec.distinguisherMethod"
        causes.append(not_supported(path, method.get("type"), DISTINGUISHERS))
    level = (spec.get("priorityLevelConfiguration") or {}).get("name")
    path = "spec.priorityLevelConfiguration.name"
    if not level:
        causes.append(required(path, "must reference a priority level"))
    else:
        causes += invalid_each(path, level, subdomain_errors(level))
    for index, rule in enumerate(spec.get("rules") or ()):
        _validate_rule(rule, f"spec.rules[{index}]", causes)


def _validate_rule(rule: Json, path: str, causes: list[Cause]) -> None:
    subjects = rule.get("subjects") or ()
    if not subjects:
        causes.append(required(f"{path}.subjects", "subjects must contain at least one value"))
    for index, subject in enumerate(subjects):
        _validate_subject(subject, f"{path}.subjects[{index}]", causes)
    resources, urls = rule.get("resourceRules") or (), rule.get("nonResourceRules") or ()
    if not resources and not urls:
        detail = "at least one of resourceRules and nonResourceRules has to be non-empty"
        causes.append(required(path, detail))
    for index, each in enumerate(resources):
        _validate_resources(each, f"{path}.resourceRules[{index}]", causes)
    for index, each in enumerate(urls):
        _validate_urls(each, f"{path}.nonResourceRules[{index}]", causes)


def _validate_subject(subject: Json, path: str, causes: list[Cause]) -> None:
    kind = subject.get("kind")
    if kind not in SUBJECT_KINDS:
        causes.append(not_supported(f"{path}.kind", kind, SUBJECT_KINDS))
        return
    own = kind[0].lower() + kind[1:]
    for name in ("user", "group", "serviceAccount"):
        if name != own and subject.get(name) is not None:
            detail = f"{name} is forbidden when subject kind is not '{name[0].upper() + name[1:]}'"
            causes.append(forbidden(f"{path}.{name}", detail))
    given = subject.get(own)
    if given is None:
        causes.append(required(f"{path}.{own}", f"{own} is required when subject kind is '{kind}'"))
    elif not given.get("name"):
        causes.append(required(f"{path}.{own}.name"))
    elif own == "serviceAccount":
        if given["name"] != "*":
            errors = subdomain_errors(given["name"])
            causes += invalid_each(f"{path}.serviceAccount.name", given["name"], errors)
        space = given.get("namespace")
        if not space:
            detail = "must specify namespace for service account"
            causes.append(required(f"{path}.serviceAccount.namespace", detail))
        else:
            errors = label_errors(space)
            causes += invalid_each(f"{path}.serviceAccount.namespace", space, errors)


def _validate_words(
    words: Sequence[str], path: str, what: str, known: Sequence[str], causes: list[Cause]
) -> None:
    if not words:
        causes.append(required(path, f"{what} must contain at least one value"))
    elif "*" in words:
        if len(words) > 1:
            detail = f"if '*' is present, must not specify other {what}"
            causes.append(invalid(path, words, detail))
    elif unknown := [word for word in words if known and word not in known]:
        causes.append(not_supported(path, unknown, known))


def _validate_resources(rule: Json, path: str, causes: list[Cause]) -> None:
    _validate_words(rule.get("verbs") or (), f"{path}.verbs", "verbs", VERBS, causes)
    _validate_words(rule.get("apiGroups") or (), f"{path}.apiGroups", "apiGroups", (), causes)
    _validate_words(rule.get("resources") or (), f"{path}.resources", "resources", (), causes)
    namespaces = rule.get("namespaces") or []
    if not namespaces and not rule.get("clusterScope"):
        detail = "resource rules that are not cluster scoped must supply at least one namespace"
        causes.append(required(f"{path}.namespaces", detail))
    elif "*" in namespaces and len(namespaces) > 1:
        detail = "may only specify '*' on its own"
        causes.append(invalid(f"{path}.namespaces", namespaces, detail))
    for index, namespace in enumerate(namespaces):
        if namespace != "*":
            errors = label_errors(namespace)
            causes += invalid_each(f"{path}.namespaces[{index}]", namespace, errors)


def _validate_urls(rule: Json, path: str, causes: list[Cause]) -> None:
    _validate_words(rule.get("verbs") or (), f"{path}.verbs", "verbs", URL_VERBS, causes)
    urls, here = rule.get("nonResourceURLs") or [], f"{path}.nonResourceURLs"
    if not urls:
        causes.append(required(here, "nonResourceURLs must contain at least one value"))
    elif "*" in urls and len(urls) > 1:
        detail = "if '*' is present, must not specify other non-resource URLs"
        causes.append(invalid(here, urls, detail))
    for index, url in enumerate(urls):
        if url != "*" and (why := _url_error(url)):
            causes.append(invalid(f"{here}[{index}]", url, why))


def _url_error(url: str) -> str:
    if not url.startswith("/"):
        return "must be a path starting with '/'"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain '//'"
    if "*" in url and not url.endswith("/*"):
        return "wildcard can only do suffix matching"
    return "wildcard can only do suffix matching" if url.count("*") > 1 else ""


def validate_priority_level(level: Json, causes: list[Cause]) -> None:
    spec, name = level.get("spec") or {}, level["metadata"].get("name")
    kind = spec.get("type")
    if (name == EXEMPT) != (kind == "Exempt"):
        detail = "type must be 'Exempt' if and only if `name` is 'exempt'"
        causes.append(invalid("spec.type", kind, detail))
    if kind not in LEVEL_TYPES:
        causes.append(not_supported("spec.type", kind, LEVEL_TYPES))
    elif kind == "Exempt":
        if spec.get("limited") is not None:
            causes.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        _validate_shares(spec.get("exempt") or {}, "spec.exempt", causes, least=0)
    else:
        if spec.get("exempt") is not None:
            causes.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
        if spec.get("limited") is None:
            causes.append(required("spec.limited", "must not be empty when type is Limited"))
        else:
            _validate_limited(spec["limited"], "spec.limited", causes)


def _validate_shares(spec: Json, path: str, causes: list[Cause], *, least: int) -> None:
    shares = spec.get("nominalConcurrencyShares")
    if shares is not None and shares < least:
        detail = "must be a non-negative integer"
        causes.append(invalid(f"{path}.nominalConcurrencyShares", shares, detail))
    lendable = spec.get("lendablePercent")
    if lendable is not None and not 0 <= lendable <= 100:
        detail = "must be between 0 and 100, inclusive"
        causes.append(invalid(f"{path}.lendablePercent", lendable, detail))


def _validate_limited(limited: Json, path: str, causes: list[Cause]) -> None:
    _validate_shares(limited, path, causes, least=0)
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        detail = "if specified, must be a non-negative integer"
        causes.append(invalid(f"{path}.borrowingLimitPercent", borrowing, detail))
    response = limited.get("limitResponse") or {}
    kind, queuing = response.get("type"), response.get("queuing")
    here = f"{path}.limitResponse"
    if kind not in RESPONSES:
        causes.append(not_supported(f"{here}.type", kind, RESPONSES))
    elif kind == "Reject":
        if queuing is not None:
            detail = "must be nil if limited.limitResponse.type is not Limited"
            causes.append(forbidden(f"{here}.queuing", detail))
    elif queuing is None:
        detail = "must not be empty if limited.limitResponse.type is Limited"
        causes.append(required(f"{here}.queuing", detail))
    else:
        _validate_queuing(queuing, f"{here}.queuing", causes)


def _validate_queuing(queuing: Json, path: str, causes: list[Cause]) -> None:
    queues, hand = queuing.get("queues", 0), queuing.get("handSize", 0)
    limit = queuing.get("queueLengthLimit", 0)
    if limit <= 0:
        causes.append(invalid(f"{path}.queueLengthLimit", limit, "must be positive"))
    if queues <= 0:
        causes.append(invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > QUEUES_MAX:
        detail = f"must not be greater than {QUEUES_MAX}"
        causes.append(invalid(f"{path}.queues", queues, detail))
    if hand <= 0:
        causes.append(invalid(f"{path}.handSize", hand, "must be positive"))
    elif hand > queues:
        detail = f"should not be greater than queues ({queues})"
        causes.append(invalid(f"{path}.handSize", hand, detail))
    elif queues <= QUEUES_MAX and (bits := hand * math.log2(queues)) > DEALT_BITS_MAX:
        detail = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater "
            f"than {DEALT_BITS_MAX} ({math.ceil(bits)})"
        )
        causes.append(invalid(f"{path}.handSize", hand, detail))


def validate_conditions(new: Json, old: Json, causes: list[Cause]) -> None:
    """The status of either kind."""
    seen = set()
    for index, condition in enumerate((new.get("status") or {}).get("conditions") or ()):
        here, kind = f"status.conditions[{index}]", condition.get("type")
        if kind in seen:
            causes.append(duplicate(f"{here}.type", kind))
        seen.add(kind)
        if not kind:
            causes.append(required(f"{here}.type"))
        elif errors := path_segment_errors(kind):
            causes += invalid_each(f"{here}.type", kind, errors)
