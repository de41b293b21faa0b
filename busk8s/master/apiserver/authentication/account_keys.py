"""The keys that sign and prove ServiceAccount tokens, by the id that tokens name them by.

Owns      the current pair and the public halves of retired ones, kept parsed; their published form.
Leaves    making and retiring them (pki), what is signed (accounts).
Invariant a token that names a key is checked by that key or by none.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from busk8s.api.object import Json
from busk8s.master.apiserver.pki import Pki

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

ALGORITHM = "ES256"
KID_BYTES_MAX = 256
COORDINATE_BYTES = 32  # Of a point on P-256.


@dataclass(frozen=True, slots=True)
class PublicKey:
    id: str
    key: ec.EllipticCurvePublicKey


class AccountKeys:
    """Read when first needed: that imports `cryptography`, which an idle master does without."""

    def __init__(self, pki: Pki) -> None:
        self._pki = pki
        self._public: dict[str, PublicKey] | None = None
        self._private: ec.EllipticCurvePrivateKey | None = None
        self._current = ""

    def reload(self) -> None:
        """The files have changed: read them again when next needed."""
        self._public = self._private = None

    def follow(self, renewed: Sequence[str]) -> None:
        if "sa" in renewed:
            self.reload()

    def signing(self) -> tuple[str, ec.EllipticCurvePrivateKey]:
        """The id and the private half of the current key."""
        if self._private is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric import ec

            key = serialization.load_pem_private_key(self._pki.key("sa").read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._private, self._current = key, key_id(key.public_key())
        return self._current, self._private

    def candidates(self, kid: object) -> list[PublicKey]:
        """The keys that may have signed what names `kid`; all of them when it names none."""
        known = self._known()
        if kid is None:
            return list(known.values())
        if not isinstance(kid, str) or len(kid) > KID_BYTES_MAX or kid not in known:
            return []
        return [known[kid]]

    def published(self) -> list[Json]:
        """The keys as a JWK set lists them."""
        return [_jwk(key) for key in self._known().values()]

    def _known(self) -> dict[str, PublicKey]:
        if self._public is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric import ec

            found: dict[str, PublicKey] = {}
            for path in self._pki.account_certificates():
                key = serialization.load_pem_public_key(path.read_bytes())
                assert isinstance(key, ec.EllipticCurvePublicKey)
                found[key_id(key)] = PublicKey(key_id(key), key)
            self._public = found
        return self._public


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """Upstream's: the SHA-256 of the key's DER form, in base64url."""
    from cryptography.hazmat.primitives import serialization

    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _base64url(hashlib.sha256(der).digest())


def _jwk(key: PublicKey) -> Json:
    point = key.key.public_numbers()
    return {
        "use": "sig",
        "kty": "EC",
        "kid": key.id,
        "crv": "P-256",
        "alg": ALGORITHM,
        "x": _base64url(point.x.to_bytes(COORDINATE_BYTES)),
        "y": _base64url(point.y.to_bytes(COORDINATE_BYTES)),
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
