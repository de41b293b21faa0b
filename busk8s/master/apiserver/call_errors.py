"""Why a connection failed, in the words of Go's client, which people and tools know from upstream.

Owns      the texts, by the kind of error.
Leaves    what is done about it (outgoing, proxying).
"""

from __future__ import annotations

import ipaddress
import socket
import ssl

# OpenSSL's verify codes.
_UNKNOWN_AUTHORITY = frozenset({2, 7, 18, 19, 20, 21})  # no issuer, another's signature, its own
_OUT_OF_TIME = frozenset({9, 10})
_WRONG_NAME = frozenset({62, 64})
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")


def said_of(error: BaseException, address: tuple[str, int], name: str = "") -> str:
    """`name` is what the certificate should have named."""
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, name)
    shown = _shown(address)
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {shown}: connect: connection refused"
    if isinstance(error, ConnectionResetError):
        # asyncio raises it without a number when the peer closes during the handshake.
        return "EOF" if error.errno is None else f"read tcp {shown}: read: connection reset by peer"
    if isinstance(error, BrokenPipeError):
        return f"write tcp {shown}: write: broken pipe"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {address[0]}: no such host"
    if isinstance(error, OSError) and error.strerror:
        return f"dial tcp {shown}: connect: {error.strerror.lower()}"
    return str(error) or type(error).__name__


def _of_tls(error: ssl.SSLError, name: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        if error.verify_code in _UNKNOWN_AUTHORITY:
            why = "certificate signed by unknown authority"
        elif error.verify_code in _OUT_OF_TIME:
            why = "certificate has expired or is not yet valid"
        elif error.verify_code in _WRONG_NAME:
            why = f"certificate is not valid for {name}"
        return f"tls: failed to verify certificate: x509: {why}"
    reason = error.reason or ""
    if reason in _NOT_TLS:
        return "http: server gave HTTP response to HTTPS client"
    if "ALERT" in reason:
        alert = reason.rpartition("ALERT_")[2].lower().replace("_", " ")
        return f"remote error: tls: {alert}"
    return f"tls: {reason or error}"


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    try:
        if ipaddress.ip_address(host).version == 6:
            host = f"[{host}]"
    except ValueError:
        pass
    return f"{host}:{port}"
