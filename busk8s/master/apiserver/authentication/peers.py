"""The other end of a TLS connection: whom its certificate names, and by which authority.

Owns      Peer, what is read out of a verified certificate, how the authorities are told apart.
Leaves    the handshake, which has checked the chain (pki); what the names mean (authn).
Invariant which authority vouches is read from the chain that OpenSSL built, never from names.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from busk8s.api.request import User
from busk8s.master.apiserver.authentication.credentials import AUTHENTICATED, CREDENTIAL_ID
from busk8s.master.apiserver.http_request import KEPT, Kept

UID_OID = "1.3.6.1.4.1.57683.2"  # Kubernetes' own attribute of a subject: the user's uid.
DER = 2  # _ssl.ENCODING_DER
FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Peer:
    """`user`: by our own CA; `proxy`: common name, by the front proxies' CA.

    `kept`: the headers that mean something on this connection.
    """

    user: User | None = None
    proxy: str = ""
    until: float = FOREVER
    kept: Kept = KEPT


NOBODY = Peer()


class Peers:
    """`proxy_roots` may be the same as `roots`: then a certificate speaks for both."""

    def __init__(
        self,
        roots: Iterable[bytes] = (),
        proxy_roots: Iterable[bytes] = (),
        proxy_kept: Kept = KEPT,
    ) -> None:
        self._proxy_kept = proxy_kept
        self.trust(roots, proxy_roots)

    def trust(self, roots: Iterable[bytes], proxy_roots: Iterable[bytes]) -> None:
        """Authorities in PEM, as the TLS context trusts them."""
        self._roots = frozenset(der for pem in roots for der in _ders(pem))
        self._proxy_roots = frozenset(der for pem in proxy_roots for der in _ders(pem))

    def of(self, tls: ssl.SSLObject | None) -> Peer:
        """Whom a verified client certificate names, if there is one."""
        certificate: Any = tls.getpeercert() if tls is not None else None
        if not certificate or tls is None:
            return NOBODY
        root = _root(tls)
        if not self._proxy_roots:  # One authority: the handshake has told.
            ours, proxies = True, False
        else:
            ours, proxies = root in self._roots, root in self._proxy_roots
        parts = [pair for names in certificate.get("subject", ()) for pair in names]
        name = _attribute(parts, "commonName")
        return Peer(
            _user(parts, name, tls) if ours and name else None,
            name if proxies else "",
            float(ssl.cert_time_to_seconds(certificate["notAfter"])),
            self._proxy_kept if proxies else KEPT,
        )


def _user(parts: list[tuple[str, str]], name: str, tls: ssl.SSLObject) -> User:
    groups = tuple(str(v) for k, v in parts if k == "organizationName")
    digest = hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
    extra = {CREDENTIAL_ID: (f"X509SHA256={digest}",)}
    if AUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    return User(name, groups, _attribute(parts, UID_OID), extra)


def _attribute(parts: list[tuple[str, str]], wanted: str) -> str:
    return next((str(value) for key, value in parts if key == wanted), "")


def _root(tls: Any) -> bytes:
    """The DER form of the authority at the end of the verified chain."""
    if hasattr(tls, "get_verified_chain"):  # Python 3.13 made it public.
        chain = tls.get_verified_chain()
        return bytes(chain[-1]) if chain else b""
    chain = tls._sslobj.get_verified_chain()
    return bytes(chain[-1].public_bytes(DER)) if chain else b""


def _ders(pem: bytes) -> list[bytes]:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    pieces = pem.decode("ascii", "replace").split(begin)[1:]
    return [ssl.PEM_cert_to_DER_cert(f"{begin}{piece.partition(end)[0]}{end}") for piece in pieces]
