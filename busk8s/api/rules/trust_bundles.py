"""ClusterTrustBundles: certificates of authorities, and the signer that they belong to.

Source    Kubernetes API reference, ClusterTrustBundle; the rules of certificates.k8s.io.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from busk8s.api.rules.cause import immutable, invalid, invalid_each, too_long
from busk8s.api.rules.signers import bundle_name_errors, validate_signer
from busk8s.errors import Cause

Json = dict[str, Any]

BYTES_MAX = 1024 * 1024
_PATH = "spec.trustBundle"
_OMITTED = "<value omitted>"
_BLOCK = re.compile(r"^-----BEGIN ([^\n]*?)-----[ \t\r]*\n(.*?)^-----END \1-----", re.M | re.S)


def validate_bundle(bundle: Json, causes: list[Cause]) -> None:
    _validate_names(bundle, causes)
    _validate_anchors((bundle.get("spec") or {}).get("trustBundle") or "", causes)


def validate_bundle_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """Certificates that are not touched are not read again."""
    _validate_names(new, causes)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if spec.get("trustBundle") != before.get("trustBundle"):
        _validate_anchors(spec.get("trustBundle") or "", causes)
    signer = spec.get("signerName") or ""
    if signer != (before.get("signerName") or ""):
        causes.append(immutable("spec.signerName", signer))


def _validate_names(bundle: Json, causes: list[Cause]) -> None:
    metadata = bundle.get("metadata") or {}
    signer = (bundle.get("spec") or {}).get("signerName") or ""
    for field in ("generateName", "name"):
        if name := metadata.get(field):
            whole = name[:-1] + "a" if field == "generateName" and name.endswith("-") else name
            causes += invalid_each(f"metadata.{field}", name, bundle_name_errors(whole, signer))
    if signer:
        causes += validate_signer(signer, "spec.signerName")


def blocks(text: str) -> Iterator[tuple[str, bool, bytes]]:
    """Of PEM: (type, whether it has headers, content); what is no block is passed over."""
    for found in _BLOCK.finditer(text):
        kind, body = found.groups()
        headers, blank, content = body.partition("\n\n")
        has_headers = ":" in (headers if blank else body)
        try:
            data = base64.b64decode(
                "".join((content if has_headers else body).split()), validate=True
            )
        except binascii.Error:
            continue
        yield kind, has_headers, data


def _validate_anchors(text: str, causes: list[Cause]) -> None:
    if len(text.encode()) > BYTES_MAX:
        causes.append(too_long(_PATH, BYTES_MAX))
        return
    seen: dict[bytes, list[int]] = {}
    wrong: list[str] = []
    for index, (kind, headers, data) in enumerate(blocks(text)):
        if kind != "CERTIFICATE":
            wrong.append(f"entry {index} has bad block type: {kind}")
        elif headers:
            wrong.append(f"entry {index} has PEM block headers")
        elif problem := _anchor_problem(data):
            wrong.append(f"entry {index} {problem}")
        else:
            seen.setdefault(data, []).append(index)
    if not wrong and not seen:
        wrong.append("at least one trust anchor must be provided")
    elif not wrong:
        wrong += [
            f"duplicate trust anchor (indices [{' '.join(map(str, each))}])"
            for each in seen.values()
            if len(each) > 1
        ]
    causes += [invalid(_PATH, _OMITTED, detail) for detail in wrong]


def _anchor_problem(data: bytes) -> str:
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(data)
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return "does not have the CA bit set"
    except ValueError:
        return "does not parse as X.509"
    return "" if found.value.ca else "does not have the CA bit set"
