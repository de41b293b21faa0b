"""Files that Kubernetes writes into a volume: of keys, of fields, of tokens and certificates.

Owns      a projected volume, whose sources share one directory.
Source    Kubernetes API reference, ProjectedVolumeSource; the rules of core validation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from busk8s.api.rules.cause import forbidden, invalid, not_supported, required
from busk8s.api.rules.environment import (
    VOLUME_FIELD_PATHS,
    validate_field_ref,
    validate_resource_ref,
)
from busk8s.api.rules.paths import inside_path
from busk8s.api.rules.scheduling import validate_label_selector
from busk8s.api.rules.signers import (
    KUBERNETES_SECONDS_MAX,
    SECONDS_MAX,
    SECONDS_MIN,
    bundle_name_errors,
    is_kubernetes,
    signer_of_bundle,
    validate_signer,
    validate_user_annotations,
)
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.errors import Cause

Json = dict[str, Any]

MODE_MAX = 0o777
TOKEN_SECONDS_MIN = 600
TOKEN_SECONDS_MAX = 1 << 32
KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_KINDS = (
    "secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle",
    "podCertificate",
)  # fmt: skip
_CERTIFICATE_PATHS = ("credentialBundlePath", "keyPath", "certificateChainPath")


def validate_files(source: Json, path: str, causes: list[Cause]) -> None:
    """Keys of a Secret or ConfigMap as files."""
    _mode(source.get("defaultMode"), f"{path}.defaultMode", causes)
    for index, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{index}]"
        if not item.get("key"):
            causes.append(required(f"{here}.key"))
        _file_path(item.get("path"), f"{here}.path", causes)
        _mode(item.get("mode"), f"{here}.mode", causes)


def _file_path(where: str | None, path: str, causes: list[Cause]) -> None:
    if not where:
        causes.append(required(path))
    else:
        causes += inside_path(where, path)


def _mode(mode: int | None, path: str, causes: list[Cause]) -> None:
    if mode is not None and not 0 <= mode <= MODE_MAX:
        detail = "must be a number between 0 and 0777 (octal), both inclusive"
        causes.append(invalid(path, mode, detail))


def validate_downward(source: Json, path: str, causes: list[Cause]) -> None:
    """Upstream names the volume, not the item."""
    _mode(source.get("defaultMode"), f"{path}.defaultMode", causes)
    for item in source.get("items") or ():
        _file_path(item.get("path"), f"{path}.path", causes)
        if item.get("fieldRef") is not None:
            validate_field_ref(item["fieldRef"], f"{path}.fieldRef", VOLUME_FIELD_PATHS, causes)
            if item.get("resourceFieldRef") is not None:
                detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
                causes.append(invalid(path, "resource", detail))
        elif (reference := item.get("resourceFieldRef")) is not None:
            validate_resource_ref(reference, f"{path}.resourceFieldRef", causes, volume=True)
        else:
            detail = "one of fieldRef and resourceFieldRef is required"
            causes.append(required(path, detail))
        _mode(item.get("mode"), f"{path}.mode", causes)


def validate_projected(
    source: Json, path: str, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    _mode(source.get("defaultMode"), f"{path}.defaultMode", causes)
    taken: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        given = [name for name in _KINDS if projection.get(name) is not None]
        for name in given:
            if name == "serviceAccountToken":
                _token(projection[name], path, f"{here}.{name}", allowed, causes)
            else:
                _PROJECTIONS[name](projection[name], f"{here}.{name}", causes)
            for shown, where in _paths_of(name, projection[name]):
                if where in taken:
                    causes.append(invalid(path, shown, "conflicting duplicate paths"))
                taken.add(where)
        if len(given) > 1:
            causes.append(forbidden(here, "may not specify more than 1 volume type per source"))


def _paths_of(name: str, source: Json) -> list[tuple[str, str]]:
    """What is shown of a path that is taken already, and the path."""
    items = [item.get("path") or "" for item in source.get("items") or ()]
    if name in ("secret", "configMap"):
        return [(source.get("name") or "", where) for where in items if where]
    if name == "downwardAPI":
        return [(where, where) for where in items if where]
    if name == "clusterTrustBundle":
        return [(source.get("path") or "", source.get("path") or "")]
    if name == "podCertificate":
        return [(source[key], source[key]) for key in _CERTIFICATE_PATHS if source.get(key)]
    return []


def _named_files(source: Json, path: str, causes: list[Cause]) -> None:
    if not source.get("name"):
        causes.append(required(f"{path}.name"))
    validate_files(source, path, causes)


def _token(
    source: Json, volume_path: str, path: str, allowed: Tolerance, causes: list[Cause]
) -> None:
    seconds, where = source.get("expirationSeconds", TOKEN_SECONDS_MIN), source.get("path")
    if seconds < TOKEN_SECONDS_MIN:
        detail = "may not specify a duration less than 10 minutes"
        causes.append(invalid(f"{path}.expirationSeconds", seconds, detail))
    if seconds > TOKEN_SECONDS_MAX:
        detail = "may not specify a duration larger than 2^32 seconds"
        causes.append(invalid(f"{path}.expirationSeconds", seconds, detail))
    if not where:
        causes.append(required(f"{volume_path}.path"))
    elif not allowed.token_paths:
        causes += inside_path(where, f"{volume_path}.path")


def _trust_bundle(source: Json, path: str, causes: list[Cause]) -> None:
    name, signer = source.get("name"), source.get("signerName")
    selector = source.get("labelSelector")
    if name is not None and signer is not None:
        detail = "only one of name and signerName may be used"
        causes.append(invalid(path, source, detail))
    elif name is not None:
        if not name:
            causes.append(required(f"{path}.name", "must be a valid object name"))
        causes += [
            invalid(f"{path}.name", name, f"not a valid clustertrustbundlename: {error}")
            for error in bundle_name_errors(name, signer_of_bundle(name))
        ]
        if selector is not None:
            detail = "labelSelector must be unset if name is specified"
            causes.append(invalid(f"{path}.labelSelector", selector, detail))
    elif signer is not None:
        if not signer:
            causes.append(required(f"{path}.signerName", "must be a valid signer name"))
        causes += validate_signer(signer, f"{path}.signerName")
        validate_label_selector(selector or {}, f"{path}.labelSelector", causes)
    else:
        causes.append(required(path, "either name or signerName must be specified"))
    _file_path(source.get("path"), f"{path}.path", causes)


def _pod_certificate(source: Json, path: str, causes: list[Cause]) -> None:
    signer, key_type = source.get("signerName") or "", source.get("keyType") or ""
    causes += validate_signer(signer, f"{path}.signerName")
    if annotations := source.get("userAnnotations"):
        causes += validate_user_annotations(annotations, f"{path}.userAnnotations")
    if key_type not in KEY_TYPES:
        causes.append(not_supported(f"{path}.keyType", key_type, KEY_TYPES))
    if (seconds := source.get("maxExpirationSeconds")) is not None:
        here = f"{path}.maxExpirationSeconds"
        most = KUBERNETES_SECONDS_MAX if is_kubernetes(signer) else SECONDS_MAX
        for wrong, bound in (
            (seconds < SECONDS_MIN, f">= {SECONDS_MIN}"),
            (seconds > most, f"<= {most}"),
        ):
            if wrong:
                detail = f"if provided, maxExpirationSeconds must be {bound}"
                causes.append(invalid(here, seconds, detail))
    given = [name for name in _CERTIFICATE_PATHS if source.get(name)]
    for name in given:
        causes += inside_path(source[name], f"{path}.{name}")
    if not given:
        detail = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        causes.append(required(path, detail))


_PROJECTIONS: dict[str, Callable[[Json, str, list[Cause]], None]] = {
    "secret": _named_files,
    "configMap": _named_files,
    "downwardAPI": validate_downward,
    "clusterTrustBundle": _trust_bundle,
    "podCertificate": _pod_certificate,
}
