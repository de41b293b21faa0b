"""Configurations of admission webhooks.

Source    Kubernetes API reference; the rules of admissionregistration validation. What an older
          object may already break, an update may go on breaking (`Lenient`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from busk8s.api.meta import dns1035_errors, subdomain_errors
from busk8s.api.rules.cause import (
    duplicate,
    in_range,
    invalid,
    invalid_each,
    not_supported,
    required,
)
from busk8s.api.rules.expressions import check_webhook_conditions
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.errors import Cause

Json = dict[str, Any]

REVIEW_VERSIONS = ("v1", "v1beta1")
HARMLESS = ("None", "NoneOnDryRun")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
TIMEOUT_S_MAX = 30
_FORM = "; desired format: https://host[/path]"


@dataclass(frozen=True, slots=True)
class Lenient:
    """What is forgiven because the object had it before."""

    side_effects: bool = False
    versions: bool = False
    names: bool = False
    conditions: bool = False


def validate_configuration(configuration: Json, causes: list[Cause]) -> None:
    _validate(configuration, Lenient(), causes)


def validate_configuration_update(new: Json, old: Json, causes: list[Cause]) -> None:
    before, now = old.get("webhooks") or [], new.get("webhooks") or []
    names = [hook.get("name") for hook in before]
    lenient = Lenient(
        side_effects=any(hook.get("sideEffects") not in HARMLESS for hook in before),
        versions=any(
            versions and not set(versions) & set(REVIEW_VERSIONS)
            for hook in before
            if (versions := hook.get("admissionReviewVersions"))
        ),
        names=len(set(names)) != len(names),
        conditions=[hook.get("matchConditions") for hook in before]
        == [hook.get("matchConditions") for hook in now],
    )
    _validate(new, lenient, causes)


def _validate(configuration: Json, lenient: Lenient, causes: list[Cause]) -> None:
    mutating = configuration.get("kind") == "MutatingWebhookConfiguration"
    seen: set[str] = set()
    for index, hook in enumerate(configuration.get("webhooks") or ()):
        path = f"webhooks[{index}]"
        _validate_hook(hook, path, lenient, causes, mutating=mutating)
        _validate_versions(hook, f"{path}.admissionReviewVersions", lenient, causes)
        name = hook.get("name") or ""
        if name in seen and not lenient.names:
            causes.append(duplicate(f"{path}.name", name))
        if name:
            seen.add(name)


def _validate_hook(
    hook: Json, path: str, lenient: Lenient, causes: list[Cause], *, mutating: bool
) -> None:
    _validate_name(hook.get("name") or "", f"{path}.name", causes)
    for index, rule in enumerate(hook.get("rules") or ()):
        validate_rule(rule, f"{path}.rules[{index}]", causes)
    _choice(hook, "failurePolicy", path, ("Fail", "Ignore"), causes)
    _choice(hook, "matchPolicy", path, ("Equivalent", "Exact"), causes)
    _validate_side_effects(hook, f"{path}.sideEffects", lenient, causes)
    timeout = hook.get("timeoutSeconds")
    if timeout is not None and not 1 <= timeout <= TIMEOUT_S_MAX:
        why = "the timeout value must be between 1 and 30 seconds"
        causes.append(invalid(f"{path}.timeoutSeconds", timeout, why))
    for name in ("namespaceSelector", "objectSelector"):
        if hook.get(name) is not None:
            validate_label_selector(hook[name], f"{path}.{name}", causes)
    if mutating:
        _choice(hook, "reinvocationPolicy", path, ("IfNeeded", "Never"), causes)
    validate_client(hook.get("clientConfig") or {}, f"{path}.clientConfig", causes)
    if not lenient.conditions:
        check_webhook_conditions(
            hook.get("matchConditions") or (), f"{path}.matchConditions", causes
        )


def _validate_name(name: str, path: str, causes: list[Cause]) -> None:
    if not name:
        causes.append(required(path))
        return
    wrong = subdomain_errors(name)
    causes += invalid_each(path, name, wrong)
    if not wrong and name.count(".") < 2:
        why = "should be a domain with at least three segments separated by dots"
        causes.append(invalid(path, name, why))


def _choice(
    hook: Json, field: str, path: str, supported: Sequence[str], causes: list[Cause]
) -> None:
    value = hook.get(field)
    if value is not None and value not in supported:
        causes.append(not_supported(f"{path}.{field}", value, supported))


def _validate_side_effects(hook: Json, path: str, lenient: Lenient, causes: list[Cause]) -> None:
    allowed = ("None", "NoneOnDryRun", "Some", "Unknown") if lenient.side_effects else HARMLESS
    value = hook.get("sideEffects")
    if value is None:
        causes.append(required(path, f"must specify one of {', '.join(allowed)}"))
    elif value not in allowed:
        causes.append(not_supported(path, value, allowed))


def _validate_versions(hook: Json, path: str, lenient: Lenient, causes: list[Cause]) -> None:
    versions = hook.get("admissionReviewVersions") or []
    if not versions:
        causes.append(required(path, f"must specify one of {', '.join(REVIEW_VERSIONS)}"))
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            causes.append(invalid(f"{path}[{index}]", version, "duplicate version"))
        else:
            causes += invalid_each(f"{path}[{index}]", version, dns1035_errors(version))
    if not lenient.versions and not set(versions) & set(REVIEW_VERSIONS):
        why = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        causes.append(invalid(path, versions, why))


def validate_rule(rule: Json, path: str, causes: list[Cause]) -> None:
    """One RuleWithOperations, of a webhook or a policy."""
    _wild(rule, "operations", path, "operations", causes)
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in OPERATIONS:
            causes.append(not_supported(f"{path}.operations[{index}]", operation, OPERATIONS))
    _wild(rule, "apiGroups", path, "API groups", causes)
    _wild(rule, "apiVersions", path, "API versions", causes)
    for index, version in enumerate(rule.get("apiVersions") or ()):
        if not version:
            causes.append(required(f"{path}.apiVersions[{index}]"))
    _validate_resources(rule.get("resources") or [], f"{path}.resources", causes)
    scope = rule.get("scope")
    if scope is not None and scope not in SCOPES:
        causes.append(not_supported(f"{path}.scope", scope, SCOPES))


def _wild(rule: Json, field: str, path: str, what: str, causes: list[Cause]) -> None:
    values = rule.get(field) or []
    if not values:
        causes.append(required(f"{path}.{field}"))
    if len(values) > 1 and "*" in values:
        why = f"if '*' is present, must not specify other {what}"
        causes.append(invalid(f"{path}.{field}", values, why))


def _validate_resources(resources: Sequence[str], path: str, causes: list[Cause]) -> None:
    if not resources:
        causes.append(required(path))
    whole: set[str] = set()  # x/*
    every: set[str] = set()  # */x
    for index, text in enumerate(resources):
        at = f"{path}[{index}]"
        if not text:
            causes.append(required(at))
            continue
        resource, slash, part = text.partition("/")
        if not slash:
            continue
        if resource in whole:
            why = f"if '{resource}/*' is present, must not specify {text}"
            causes.append(invalid(at, text, why))
        if part in every:
            causes.append(invalid(at, text, f"if '*/{part}' is present, must not specify {text}"))
        if part == "*":
            whole.add(resource)
        if resource == "*":
            every.add(part)
    if len(resources) > 1 and "*/*" in resources:
        why = "if '*/*' is present, must not specify other resources"
        causes.append(invalid(path, list(resources), why))
    if "*" in resources and any("/" not in r and r not in ("", "*") for r in resources):
        why = "if '*' is present, must not specify other resources without subresources"
        causes.append(invalid(path, list(resources), why))


def validate_client(config: Json, path: str, causes: list[Cause]) -> None:
    """A WebhookClientConfig: of admission here, of conversion elsewhere."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        causes.append(required(path, "exactly one of url or service is required"))
    elif url is not None:
        _validate_url(url, f"{path}.url", causes)
    else:
        _validate_service(service or {}, f"{path}.service", causes)


def _validate_url(url: str, path: str, causes: list[Cause]) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        causes.append(required(path, f"url must be a valid URL: {error}{_FORM}"))
        return
    if parts.scheme != "https":
        why = f"'https' is the only allowed URL scheme{_FORM}"
        causes.append(invalid(path, parts.scheme, why))
    if not host:
        causes.append(invalid(path, "", f"host must be specified{_FORM}"))
    if "@" in parts.netloc:
        user = parts.netloc.rpartition("@")[0]
        causes.append(invalid(path, user, "user information is not permitted in the URL"))
    if parts.fragment:
        causes.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        causes.append(invalid(path, parts.query, "query parameters are not permitted in the URL"))


def _validate_service(service: Json, path: str, causes: list[Cause]) -> None:
    for field in ("name", "namespace"):
        if not service.get(field):
            causes.append(required(f"{path}.{field}"))
    port = service.get("port", 443)
    for cause in in_range("", port, 1, 65535):
        why = cause.message.partition(": ")[2].partition(": ")[2]
        causes.append(invalid(f"{path}.port", port, f"port is not valid: {why}"))
    url_path = service.get("path")
    if not url_path or url_path == "/":
        return
    at = f"{path}.path"
    if url_path == "//":
        causes.append(invalid(at, url_path, "segment[0] may not be empty"))
        return
    if not url_path.startswith("/"):
        causes.append(invalid(at, url_path, "must start with a '/'"))
    for index, step in enumerate(url_path[1:].removesuffix("/").split("/")):
        if not step:
            causes.append(invalid(at, url_path, f"segment[{index}] may not be empty"))
        for failure in subdomain_errors(step) if step else ():
            causes.append(invalid(at, url_path, f"segment[{index}]: {failure}"))
