"""How a definition says its versions are converted.

Owns      whether `spec.conversion` is well formed.
Leaves    converting (the API server).
Source    upstream's apiextensions validation, with the field names of its internal form.
"""

from __future__ import annotations

import base64
from typing import Any

from busk8s.api.meta import dns1035_errors
from busk8s.api.rules.cause import forbidden, invalid, not_supported, required
from busk8s.api.rules.webhooks import validate_client
from busk8s.errors import Cause

Json = dict[str, Any]

STRATEGIES = ("None", "Webhook")
REVIEW_VERSIONS = ("v1", "v1beta1")
_PATH = "spec.conversion"


def conversion_failures(
    conversion: Json | None, was: Json | None, *, established: bool = False
) -> list[Cause]:
    """`was`: what an update replaces, of a definition that is `established` or not yet."""
    if conversion is None:
        return []
    causes: list[Cause] = []
    strategy = conversion.get("strategy") or ""
    if not strategy:
        causes.append(required(f"{_PATH}.strategy"))
    elif strategy not in STRATEGIES:
        causes.append(not_supported(f"{_PATH}.strategy", strategy, STRATEGIES))
    webhook = conversion.get("webhook") or {}
    client, versions = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    if strategy == "Webhook":
        if client is None:
            detail = "required when strategy is set to Webhook"
            causes.append(required(f"{_PATH}.webhookClientConfig", detail))
        else:
            validate_client(client, f"{_PATH}.webhookClientConfig", causes)
            if established:
                causes += _bundle_failures(client, was or {})
        return causes + _review_failures(versions, was)
    detail = "should not be set when strategy is not set to Webhook"
    if client is not None:
        causes.append(forbidden(f"{_PATH}.webhookClientConfig", detail))
    if versions:
        causes.append(forbidden(f"{_PATH}.conversionReviewVersions", detail))
    return causes


def bundle_is_sound(conversion: Json | None) -> bool:
    """Whether the webhook can be called at all: before, its kind is not served."""
    client = ((conversion or {}).get("webhook") or {}).get("clientConfig") or {}
    bundle = client.get("caBundle")
    return not bundle or _is_pem(bundle)


def _review_failures(versions: list[str], was: Json | None) -> list[Cause]:
    path = f"{_PATH}.conversionReviewVersions"
    if not versions:
        return [required(path)]
    causes: list[Cause] = []
    for at, version in enumerate(versions):
        if version in versions[:at]:
            causes.append(invalid(f"{path}[{at}]", version, "duplicate version"))
            continue
        causes += [invalid(f"{path}[{at}]", version, e) for e in dns1035_errors(version)]
    before = ((was or {}).get("webhook") or {}).get("conversionReviewVersions")
    known = not before or set(before) & set(REVIEW_VERSIONS)  # What was unknown may stay so.
    if known and not set(versions) & set(REVIEW_VERSIONS):
        detail = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        causes.append(invalid(path, versions, detail))
    return causes


def _bundle_failures(client: Json, was: Json) -> list[Cause]:
    """A bundle that was legal, or was not there, may not become an illegal one."""
    bundle = client.get("caBundle")
    before = ((was.get("webhook") or {}).get("clientConfig") or {}).get("caBundle")
    if not bundle or _is_pem(bundle) or (before and not _is_pem(before)):
        return []
    detail = "unable to load root certificates: unable to parse bytes as PEM block"
    return [invalid(f"{_PATH}.webhookClientConfig.caBundle", "", detail)]


def _is_pem(bundle: str) -> bool:
    try:
        return b"-----BEGIN CERTIFICATE-----" in base64.b64decode(bundle, validate=True)
    except ValueError:
        return False
