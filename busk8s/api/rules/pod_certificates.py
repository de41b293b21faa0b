"""PodCertificateRequests: a key that a pod has, and the certificate that a signer gives for it.

Differs from Kubernetes: that a certificate begins about now is not looked at.
Source    Kubernetes API reference, PodCertificateRequest; the rules of certificates.k8s.io.
"""

from __future__ import annotations

import base64
import datetime
from typing import TYPE_CHECKING, Any

from busk8s.api.meta import parse_time, subdomain_errors
from busk8s.api.rules.cause import (
    invalid,
    invalid_each,
    not_supported,
    required,
    too_long,
    wrong,
)
from busk8s.api.rules.conditions import validate_conditions
from busk8s.api.rules.signers import (
    KUBERNETES_SECONDS_MAX,
    SECONDS_MAX,
    SECONDS_MIN,
    is_kubernetes,
    validate_signer,
    validate_user_annotations,
)
from busk8s.api.rules.trust_bundles import blocks
from busk8s.errors import Cause

if TYPE_CHECKING:
    from cryptography import x509

Json = dict[str, Any]

REQUEST_BYTES_MAX = 10 * 1024
CHAIN_BYTES_MAX = 100 * 1024
UID_MAX = 128
OUTCOMES = ("Issued", "Denied", "Failed")
_CHAIN = "status.certificateChain"
_MARGIN = 600  # Seconds between a certificate's ends and its renewal.
_RSA_BITS = (3072, 4096)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_NO_KEY = "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"


def validate_request(request: Json, causes: list[Cause]) -> None:
    spec = request.get("spec") or {}
    signer = spec.get("signerName") or ""
    causes += validate_signer(signer, "spec.signerName")
    if annotations := spec.get("unverifiedUserAnnotations"):
        causes += validate_user_annotations(annotations, "spec.unverifiedUserAnnotations")
    for what in ("pod", "serviceAccount", "node"):
        name, uid = spec.get(f"{what}Name") or "", spec.get(f"{what}UID") or ""
        causes += invalid_each(f"spec.{what}Name", name, subdomain_errors(name))
        if not uid:
            causes.append(invalid(f"spec.{what}UID", uid, "must not be empty"))
        elif len(uid) > UID_MAX:
            causes.append(too_long(f"spec.{what}UID", UID_MAX))
    seconds = spec.get("maxExpirationSeconds")
    if seconds is None:
        causes.append(required("spec.maxExpirationSeconds", "must be set"))
        return
    most = KUBERNETES_SECONDS_MAX if is_kubernetes(signer) else SECONDS_MAX
    if not SECONDS_MIN <= seconds <= most:
        detail = f"must be in the range [{SECONDS_MIN}, {most}]"
        causes.append(invalid("spec.maxExpirationSeconds", seconds, detail))
    if not spec.get("stubPKCS10Request"):
        causes.append(wrong("spec", _NO_KEY))
        return
    _validate_stub(spec["stubPKCS10Request"], "spec.stubPKCS10Request", causes)


def _validate_stub(text: str, path: str, causes: list[Cause]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    data = base64.b64decode(text)
    if len(data) > REQUEST_BYTES_MAX:
        causes.append(too_long(path, REQUEST_BYTES_MAX))
        return
    try:
        stub = x509.load_der_x509_csr(data)
        key = stub.public_key()
    except ValueError:
        causes.append(wrong(path, "must be a valid PKCS#10 CSR"))
        return
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            detail = "elliptic public keys must use curve P256, P384, or P521"
            causes.append(invalid(path, f"curve {key.curve.name}", detail))
            return
    elif isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            detail = "RSA keys must have modulus size 3072 or 4096"
            causes.append(invalid(path, f"{key.key_size}-bit modulus", detail))
            return
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        detail = "unknown public key type; supported types are Ed25519, ECDSA, and RSA"
        causes.append(wrong(path, detail))
        return
    if not stub.is_signature_valid:
        causes.append(wrong(path, "invalid signature"))


def validate_status(new: Json, old: Json, causes: list[Cause]) -> None:
    """It is decided once, and only what belongs to the decision is written."""
    status, before = new.get("status") or {}, old.get("status") or {}
    conditions = status.get("conditions") or []
    found: list[Cause] = []
    _validate_outcomes(conditions, found)
    validate_conditions(conditions, "status.conditions", found)
    causes += found
    if found:
        return
    outcome = _outcome(status)
    if _outcome(before):
        _same(status, before, "immutable after PodCertificateRequest is issued, denied, or failed",
              causes)  # fmt: skip
    elif outcome == "Issued":
        _validate_issued(status, new.get("spec") or {}, causes)
    elif outcome:
        detail = (
            "non-condition status fields must be empty when denying or failing the "
            "PodCertificateRequest"
        )
        _same(status, {"conditions": conditions}, detail, causes)
    else:
        detail = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'
        _same(status, before, detail, causes)


def _outcome(status: Json) -> str:
    known = (c for c in status.get("conditions") or () if c.get("type") in OUTCOMES)
    return next((c["type"] for c in known if c.get("status") == "True"), "")


def _same(status: Json, expected: Json, detail: str, causes: list[Cause]) -> None:
    if status != expected:
        causes.append(invalid("status", status, detail))


def _validate_outcomes(conditions: list[Json], causes: list[Cause]) -> None:
    known = 0
    for index, condition in enumerate(conditions):
        kind, here = condition.get("type") or "", f"status.conditions.[{index}]"
        if kind not in OUTCOMES:
            causes.append(not_supported(f"{here}.type", kind, OUTCOMES))
            continue
        known += 1
        if known > 1:
            detail = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
            causes.append(invalid(f"{here}.type", kind, detail))
        if (state := condition.get("status") or "") != "True":
            causes.append(not_supported(f"{here}.status", state, ("True",)))


def _validate_issued(status: Json, spec: Json, causes: list[Cause]) -> None:
    from cryptography import x509

    chain = status.get("certificateChain") or ""
    if len(chain.encode()) > CHAIN_BYTES_MAX:
        causes.append(too_long(_CHAIN, CHAIN_BYTES_MAX))
        return
    entries, problem, leaf = list(blocks(chain)), "", None
    if not entries:
        problem = "issued certificate chain must contain at least one certificate"
    elif any(kind != "CERTIFICATE" for kind, _, _ in entries):
        problem = "issued certificate chain must consist entirely of CERTIFICATE PEM blocks"
    for index, (_, _, data) in enumerate(() if problem else entries):
        try:
            found = x509.load_der_x509_certificate(data)
        except ValueError:
            which = "intermediate" if index else "leaf"
            problem = f"{which} certificate does not parse as valid X.509"
            break
        leaf = leaf or found
    if not problem and leaf is not None:
        stub = x509.load_der_x509_csr(base64.b64decode(spec.get("stubPKCS10Request") or ""))
        if leaf.public_key() != stub.public_key():
            problem = "leaf certificate was not issued to the requested public key"
    if problem or leaf is None:
        causes.append(invalid(_CHAIN, chain, problem))
        return
    _validate_times(status, spec, leaf, causes)


def _validate_times(status: Json, spec: Json, leaf: x509.Certificate, causes: list[Cause]) -> None:
    consistent = "must be present and consistent with the issued certificate"
    between = "must be present and in the range [notbefore+10min, notafter-10min]"
    needed = (("notBefore", consistent), ("notAfter", consistent), ("beginRefreshAt", between))
    missing = [required(f"status.{name}", why) for name, why in needed if not status.get(name)]
    causes += missing
    if missing:
        return
    start, end, renewal = (parse_time(status[name]) for name, _ in needed)
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    most = datetime.timedelta(seconds=spec.get("maxExpirationSeconds") or 0)
    path, value, detail = _CHAIN, str(lifetime), ""
    if start != leaf.not_valid_before_utc.timestamp():
        path, detail = "status.notBefore", "must be set to the NotBefore time encoded in the leaf"
        value, detail = status["notBefore"], f"{detail} certificate"
    elif end != leaf.not_valid_after_utc.timestamp():
        path, detail = "status.notAfter", "must be set to the NotAfter time encoded in the leaf"
        value, detail = status["notAfter"], f"{detail} certificate"
    elif lifetime < datetime.timedelta(hours=1):
        detail = "leaf certificate lifetime must be >= 1 hour"
    elif lifetime > most:
        limit = spec.get("maxExpirationSeconds")
        detail = f"leaf certificate lifetime must be <= spec.maxExpirationSeconds ({limit})"
    elif renewal < start + _MARGIN:
        path, value = "status.beginRefreshAt", status["beginRefreshAt"]
        detail = "must be at least 10 minutes after status.notBefore"
    elif renewal > end - _MARGIN:
        path, value = "status.beginRefreshAt", status["beginRefreshAt"]
        detail = "must be at least 10 minutes before status.notAfter"
    if detail:
        causes.append(invalid(path, value, detail))
