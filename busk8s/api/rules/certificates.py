"""CertificateSigningRequests: what may be asked for, and how conditions may change.

Owns      the object's own rules; whether the PEM in it is a request at all.
Leaves    what a signer signs (apiserver/certificates), who may approve and sign (admission).
Source    Kubernetes API reference, CertificateSigningRequest; its validation.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    invalid,
    not_supported,
    one_of,
    required,
)
from busk8s.api.rules.conditions import STATUSES
from busk8s.api.rules.signers import validate_signer
from busk8s.errors import Cause

Json = dict[str, Any]

SECONDS_MIN = 600
LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
REQUEST_BYTES_MAX = 64 * 1024  # Of PEM: real ones have under two thousand.
USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign",
    "data encipherment", "decipher only", "digital signature", "email protection",
    "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth",
    "signing", "timestamping",
)  # fmt: skip
DECISIONS = ("Approved", "Denied")
FINAL = (*DECISIONS, "Failed")


def validate_signing_request(csr: Json, causes: list[Cause]) -> None:
    spec = csr.get("spec") or {}
    _validate_request(spec, causes)
    _validate_usages(spec.get("usages") or (), causes)
    signer = spec.get("signerName") or ""
    if signer == LEGACY_SIGNER:
        why = "the legacy signerName is not allowed via this API version"
        causes.append(invalid("spec.signerName", signer, why))
    else:
        causes += validate_signer(signer, "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < SECONDS_MIN:
        why = "may not specify a duration less than 600 seconds (10 minutes)"
        causes.append(invalid("spec.expirationSeconds", seconds, why))
    _validate_conditions(csr, causes)


def _validate_request(spec: Json, causes: list[Cause]) -> None:
    from cryptography import x509

    text = spec.get("request") or ""
    try:
        pem = base64.b64decode(text)
        if len(pem) > REQUEST_BYTES_MAX:
            raise ValueError(f"it has more than {REQUEST_BYTES_MAX} bytes")
        if not pem.lstrip().startswith(b"-----BEGIN CERTIFICATE REQUEST-----"):
            raise ValueError("PEM block type must be CERTIFICATE REQUEST")
        if not x509.load_pem_x509_csr(pem).is_signature_valid:
            raise ValueError("the signature is not that of the key in it")
    except ValueError as error:
        why = f"unable to parse csr: {error}"
        causes.append(invalid("spec.request", text[:256], why))


def _validate_usages(usages: Sequence[str], causes: list[Cause]) -> None:
    if not usages:
        causes.append(required("spec.usages"))
    seen: dict[str, None] = {}
    for index, usage in enumerate(usages):
        where = f"spec.usages[{index}]"
        if usage in seen:
            causes.append(duplicate(where, usage))
        elif usage not in USAGES:
            causes.append(not_supported(where, usage, USAGES))
        seen[usage] = None


def _validate_conditions(csr: Json, causes: list[Cause]) -> None:
    found, path = (csr.get("status") or {}).get("conditions") or [], "status.conditions"
    types: set[str] = set()
    for index, condition in enumerate(found):
        where, kind = f"{path}[{index}]", condition.get("type") or ""
        if not kind:
            causes.append(required(f"{where}.type"))
        statuses = ("True",) if kind in FINAL else STATUSES
        causes += one_of(f"{where}.status", condition.get("status"), statuses)
        if kind in DECISIONS and types & (set(DECISIONS) - {kind}):
            why = "Approved and Denied conditions are mutually exclusive"
            causes.append(invalid(path, kind, why))
        if kind in types:
            causes.append(duplicate(f"{where}.type", kind))
        types.add(kind)


def validate_approval(new: Json, old: Json, causes: list[Cause]) -> None:
    """Through `approval`, or the object itself: what was decided stays decided."""
    _validate_conditions(new, causes)
    _kept(new, old, causes)


def validate_status(new: Json, old: Json, causes: list[Cause]) -> None:
    """Through `status`: a certificate is given once, and nothing is decided."""
    _validate_conditions(new, causes)
    _kept(new, old, causes)
    for kind in DECISIONS:
        if _condition(new, kind) is not None and _condition(old, kind) is None:
            why = f'updates may not add a condition of type "{kind}"'
            causes.append(forbidden("status.conditions", why))
    before, after = ((each.get("status") or {}).get("certificate") for each in (old, new))
    if before and after != before:
        why = "updates may not modify existing certificate content"
        causes.append(forbidden("status.certificate", why))
    elif after and after != before and not _is_certificate(after):
        causes.append(invalid("status.certificate", "<certificate data>", "not PEM certificates"))


def _kept(new: Json, old: Json, causes: list[Cause]) -> None:
    for kind in FINAL:
        before, after = _condition(old, kind), _condition(new, kind)
        if before is not None and after is None:
            why = f'updates may not remove a condition of type "{kind}"'
            causes.append(forbidden("status.conditions", why))


def _condition(csr: Json, kind: str) -> Json | None:
    conditions = (csr.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), None)


def _is_certificate(text: str) -> bool:
    from cryptography import x509

    try:
        return bool(x509.load_pem_x509_certificates(base64.b64decode(text)))
    except ValueError:
        return False
