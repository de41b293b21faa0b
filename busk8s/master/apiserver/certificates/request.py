"""What a signing request asks for, read out of its PEM once.

Owns      Requested, and that a request proves it has the private key.
Leaves    whether such a certificate may be had (signers).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from busk8s.api.object import Json

if TYPE_CHECKING:
    from cryptography import x509

RSA_BITS = range(2_048, 8_193)  # Longer keys cost everybody who checks them; shorter protect none.


@dataclass(frozen=True, slots=True)
class Requested:
    name: str
    organizations: tuple[str, ...]
    dns: tuple[str, ...]
    ips: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    usages: frozenset[str]


def parse(spec: Json) -> x509.CertificateSigningRequest:
    """Raises ValueError for what is no request, or not its author's own."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa

    csr = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
    try:
        key = csr.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size not in RSA_BITS:
            raise ValueError(f"RSA keys of {key.key_size} bits are not signed")
        if not csr.is_signature_valid:
            raise ValueError("the request's signature is not of its key")
    except UnsupportedAlgorithm as error:
        raise ValueError(f"unsupported key: {error}") from None
    return csr


def read(spec: Json) -> Requested:
    """Raises ValueError."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    csr = parse(spec)

    def names(oid: x509.ObjectIdentifier) -> tuple[str, ...]:
        return tuple(str(a.value) for a in csr.subject.get_attributes_for_oid(oid))

    try:
        found = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        alternatives: list[Any] = list(found)
    except x509.ExtensionNotFound:
        alternatives = []

    def of(kind: type[Any]) -> tuple[str, ...]:
        return tuple(str(name.value) for name in alternatives if isinstance(name, kind))

    common = names(NameOID.COMMON_NAME)
    return Requested(
        common[-1] if common else "", names(NameOID.ORGANIZATION_NAME), of(x509.DNSName),
        of(x509.IPAddress), of(x509.RFC822Name), of(x509.UniformResourceIdentifier),
        frozenset(spec.get("usages") or ()),
    )  # fmt: skip
