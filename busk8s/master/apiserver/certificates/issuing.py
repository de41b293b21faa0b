"""A certificate for a request that may have one.

Owns      what stands in it; how long it holds.
Leaves    whether it may be given (signers), the authority's files (pki).
Invariant it is never an authority itself, and never outlives the one that signed it.
"""

from __future__ import annotations

from busk8s.api.object import Json
from busk8s.master.apiserver.certificates.request import parse
from busk8s.master.apiserver.pki import Pki

BACKDATED_S = 300.0  # Clocks of those who check may be behind ours.
LONGEST_S = 365 * 24 * 3_600.0  # As upstream's --cluster-signing-duration.

# The usages that the extended key usage extension names, by upstream's words.
_EXTENDED = {
    "any": "ANY_EXTENDED_KEY_USAGE",
    "server auth": "SERVER_AUTH",
    "client auth": "CLIENT_AUTH",
    "code signing": "CODE_SIGNING",
    "email protection": "EMAIL_PROTECTION",
    "s/mime": "EMAIL_PROTECTION",
    "timestamping": "TIME_STAMPING",
    "ocsp signing": "OCSP_SIGNING",
}
_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}


def issue(pki: Pki, spec: Json, now: float) -> bytes:
    """The certificate in PEM; raises ValueError for what cannot be signed."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    csr = parse(spec)
    ca = x509.load_pem_x509_certificate(pki.ca_pem)
    key = serialization.load_pem_private_key(pki.key("ca").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    seconds = min(float(spec.get("expirationSeconds") or LONGEST_S), LONGEST_S)
    until = datetime.datetime.fromtimestamp(now + seconds, datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(ca.subject)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(now - BACKDATED_S, datetime.UTC))
        .not_valid_after(min(until, ca.not_valid_after_utc))
    )
    for extension, critical in _extensions(csr, spec, key.public_key()):
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def _extensions(csr, spec: Json, authority):  # type: ignore[no-untyped-def] # types of a lazy import
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usages = spec.get("usages") or ()
    named = {_USAGES[usage] for usage in usages if usage in _USAGES}
    if named:
        known = {name: name in named for name in sorted(set(_USAGES.values()))}
        known["key_agreement"] |= known["encipher_only"] or known["decipher_only"]
        yield x509.KeyUsage(key_cert_sign=False, **known), True
    extended = [
        getattr(ExtendedKeyUsageOID, _EXTENDED[usage]) for usage in usages if usage in _EXTENDED
    ]
    if extended:
        yield x509.ExtendedKeyUsage(list(dict.fromkeys(extended))), False
    yield x509.BasicConstraints(ca=False, path_length=None), True
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), False
    try:
        yield csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, False
    except x509.ExtensionNotFound:
        pass
