"""Rules of trust bundles, pod certificates and migrations of storage."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from rule_cases import created, status_updated, updated

from busk8s.api import scheme

Json = dict[str, Any]

KEY = ec.generate_private_key(ec.SECP256R1())
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NAME = x509.Name([])


def certificate(*, ca: bool, key: Any = None, hours: int = 2) -> str:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME)
    builder = builder.public_key((key or KEY).public_key()).serial_number(1)
    builder = builder.not_valid_before(START).not_valid_after(
        START + datetime.timedelta(hours=hours)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    signed = builder.sign(KEY, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


AUTHORITY, LEAF = certificate(ca=True), certificate(ca=False)
HEADED = AUTHORITY.replace("CERTIFICATE-----\n", "CERTIFICATE-----\na: b\n\n", 1)
T = "spec.trustBundle"


def bundle(text: str, signer: str | None = None) -> Json:
    return {"spec": {"trustBundle": text, **({"signerName": signer} if signer else {})}}


BUNDLES: dict[str, tuple[str, list[str]]] = {
    "one": (f"a comment\n{AUTHORITY}", []),
    "none": ("", [f"{T}: invalid: at least one trust anchor must be provided"]),
    "no authority": (LEAF, [f"{T}: invalid: entry 0 does not have the CA bit set"]),
    "another type": (
        AUTHORITY.replace("CERTIFICATE", "X"),
        [f"{T}: invalid: entry 0 has bad block type: X"],
    ),
    "with headers": (
        f"{AUTHORITY}{HEADED}", [f"{T}: invalid: entry 1 has PEM block headers"],
    ),
    "no certificate": (
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        [f"{T}: invalid: entry 0 does not parse as X.509"],
    ),
    "twice": (AUTHORITY * 2, [f"{T}: invalid: duplicate trust anchor (indices [0 1])"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BUNDLES)
def test_of_trust_bundles(name: str) -> None:
    text, expected = BUNDLES[name]
    assert created(scheme.CLUSTERTRUSTBUNDLES, bundle(text)) == expected


def test_a_bundle_is_named_after_its_signer() -> None:
    kind, of_signer = scheme.CLUSTERTRUSTBUNDLES, bundle(AUTHORITY, "example.com/s")
    assert created(kind, of_signer, name="example.com:s:x") == []
    assert created(kind, of_signer) == [
        "metadata.name: invalid: ClusterTrustBundle for signerName example.com/s must be named "
        "with prefix example.com:s"
    ]
    assert created(kind, bundle(AUTHORITY), name="a:b") == [
        'metadata.name: invalid: ClusterTrustBundle without signer name must not have ":" in its '
        "name"
    ]


def test_a_bundle_is_read_again_only_when_it_changes() -> None:
    kind = scheme.CLUSTERTRUSTBUNDLES
    assert updated(kind, bundle("x"), bundle("x")) == []
    assert updated(kind, bundle("x"), bundle("y")) == [
        f"{T}: invalid: at least one trust anchor must be provided"
    ]


def stub(key: Any) -> str:
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(key, algorithm)
    return base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()


def asked(**spec: Any) -> Json:
    whole = {
        "signerName": "example.com/s", "podName": "p", "podUID": "u", "serviceAccountName": "s",
        "serviceAccountUID": "u", "nodeName": "n", "nodeUID": "u", "maxExpirationSeconds": 86400,
        "stubPKCS10Request": stub(KEY), **spec,
    }  # fmt: skip
    return {"spec": whole}


REQUESTS: dict[str, tuple[Json, list[str]]] = {
    "plain": (asked(), []),
    "another sort of key": (
        asked(stubPKCS10Request=stub(ed25519.Ed25519PrivateKey.generate())), [],
    ),
    "a curve too small": (
        asked(stubPKCS10Request=stub(ec.generate_private_key(ec.SECP224R1()))),
        [
            "spec.stubPKCS10Request: invalid: elliptic public keys must use curve P256, P384, or "
            "P521"
        ],
    ),
    "no request": (
        asked(stubPKCS10Request="AAAA"),
        ["spec.stubPKCS10Request: invalid: must be a valid PKCS#10 CSR"],
    ),
    "too long for Kubernetes": (
        asked(signerName="kubernetes.io/x", maxExpirationSeconds=86401, podUID=""),
        [
            "spec.podUID: invalid: must not be empty",
            "spec.maxExpirationSeconds: invalid: must be in the range [3600, 86400]",
        ],
    ),
    "signer": (
        asked(signerName="x"),
        [
            "spec.signerName: invalid: must be a fully qualified domain and path of the form "
            "'example.com/signer-name'"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_of_pod_certificate_requests(name: str) -> None:
    body, expected = REQUESTS[name]
    assert created(scheme.PODCERTIFICATEREQUESTS, body) == expected


def decided(kind: str, **status: Any) -> Json:
    since = "2026-01-01T00:00:00Z"
    condition = {"type": kind, "status": "True", "reason": "R", "lastTransitionTime": since}
    return {"conditions": [condition], **status}


def issued(**status: Any) -> Json:
    times = {"notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-01-01T02:00:00Z"}
    renewal = {"beginRefreshAt": "2026-01-01T01:00:00Z"}
    return decided("Issued", **{"certificateChain": LEAF, **times, **renewal, **status})


OTHER = certificate(ca=False, key=ec.generate_private_key(ec.SECP256R1()))
DECIDED: dict[str, tuple[Json, Json, list[str]]] = {
    "issued": ({}, issued(), []),
    "to another key": (
        {}, issued(certificateChain=OTHER),
        [
            "status.certificateChain: invalid: leaf certificate was not issued to the requested "
            "public key"
        ],
    ),
    "renewed too late": (
        {}, issued(beginRefreshAt="2026-01-01T01:55:00Z"),
        ["status.beginRefreshAt: invalid: must be at least 10 minutes before status.notAfter"],
    ),
    "undecided": (
        {}, {"certificateChain": "x"},
        [
            'status: invalid: status is immutable unless transitioning to "Issued", "Denied", or '
            '"Failed"'
        ],
    ),
    "denied, with a certificate": (
        {}, decided("Denied", certificateChain=LEAF),
        [
            "status: invalid: non-condition status fields must be empty when denying or failing "
            "the PodCertificateRequest"
        ],
    ),
    "decided twice": (
        decided("Denied"), decided("Failed"),
        [
            "status: invalid: immutable after PodCertificateRequest is issued, denied, or failed"
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DECIDED)
def test_of_pod_certificates(name: str) -> None:
    old, new, expected = DECIDED[name]
    assert status_updated(scheme.PODCERTIFICATEREQUESTS, asked(), old, new) == expected


def migration(resource: str = "pods") -> Json:
    return {"spec": {"resource": {"group": "", "resource": resource}}}


def test_of_migrations() -> None:
    kind = scheme.STORAGEVERSIONMIGRATIONS
    assert created(kind, migration()) == []
    assert created(kind, migration("")) == [
        "spec.resource.resource: required: resource is required to be set"
    ]
    assert updated(kind, migration(), migration("nodes")) == ["spec: invalid: field is immutable"]
    done = decided("Succeeded", resourceVersion="7")
    assert status_updated(kind, migration(), {}, done) == []
    assert status_updated(kind, migration(), done, {"resourceVersion": "8"}) == [
        "status.resourceVersion: invalid: field is immutable",
        "status.conditions: invalid: Success condition cannot be set to false once it is true",
    ]


def signing(**spec: Any) -> Json:
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(KEY, hashes.SHA256())
    pem = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    return {"spec": {"request": pem, "signerName": "example.com/s", "usages": ["any"], **spec}}


def test_of_signing_requests() -> None:
    kind = scheme.CERTIFICATESIGNINGREQUESTS
    assert created(kind, signing(), name="Any:Name") == []
    found = created(kind, signing(signerName="example.com/S", usages=["any", "any"]))
    assert [": ".join(line.split(": ")[:2]) for line in found] == [
        "spec.usages[1]: duplicate",
        "spec.signerName: invalid",
    ]


def test_of_decisions_on_signing_requests() -> None:
    conditions = [
        {"type": "Approved", "status": "True"},
        {"type": "Denied", "status": "False"},
        {"type": "Mine", "status": "Perhaps"},
    ]
    found = status_updated(
        scheme.CERTIFICATESIGNINGREQUESTS, signing(), {"conditions": conditions[:2]},
        {"conditions": conditions},
    )  # fmt: skip
    assert found == [
        'status.conditions[1].status: unsupported: "False": supported values: "True"',
        "status.conditions: invalid: Approved and Denied conditions are mutually exclusive",
        'status.conditions[2].status: unsupported: "Perhaps": supported values: "False", "True", '
        '"Unknown"',
    ]
