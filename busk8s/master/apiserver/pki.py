"""The cluster's own certificate authority and the certificates it gives out.

Owns      files under `pki/`: made once, private (0600), renewed when they near their end, and
          checked for damage at every start.
Leaves    who may do what with a name in a certificate (authn, authz).
Invariant a start with good files reads no certificate with `cryptography` and imports none of it:
          `state.json` says what is there, and its digests show whether it still is.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import secrets
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from busk8s.config import ConfigError, write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

DAY_S = 86_400.0
CA_DAYS = 3_650
LEAF_DAYS = 365
TOKEN_LENGTH_MIN = 16
RENEW_BEFORE_DAYS = 30  # Renewed at the first start within this of the end.
SERVICE_NAMES = (
    "kubernetes", "kubernetes.default", "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """What a client certificate says: CN becomes the user's name, each O a group."""

    name: str
    groups: tuple[str, ...] = ()


CLIENTS = {
    # kubeadm's names; its group is bound to cluster-admin by RBAC, which is yet to come, so the
    # certificate carries system:masters as well.
    "admin": Subject("kubernetes-admin", ("kubeadm:cluster-admins", "system:masters")),
    "controller-manager": Subject("system:kube-controller-manager"),
    "scheduler": Subject("system:kube-scheduler"),
}


# A front proxy shows a certificate of a CA of its own: no user can have one.
PROXY_CA = "front-proxy-ca"
PROXIES = {"front-proxy-client": Subject("front-proxy-client")}
LEAVES = {**CLIENTS, **PROXIES}
AUTHORITIES = ("ca", PROXY_CA)
RETIRED_MAX = 4  # Keys of ServiceAccount tokens that are still believed; each was used for years.
_ENDLESS = {"not_after": float("inf")}
ALL = ("ca", "serving", *CLIENTS, "sa", PROXY_CA, *PROXIES)


class Pki:
    """The `pki/` directory, complete once `ensure` has returned."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = path / "state.json"

    def certificate(self, name: str) -> Path:
        return self.path / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.path / f"{name}.key"

    def account_certificates(self) -> list[Path]:
        """Public keys that ServiceAccount tokens are proved by: today's first, then old ones."""
        return [self.certificate("sa"), *sorted(self.path.glob("sa-*.crt"))]

    @property
    def ca_pem(self) -> bytes:
        return self.certificate("ca").read_bytes()

    def admin_token(self) -> str:
        try:
            token = (self.path / "admin.token").read_text().strip()
        except OSError as error:
            raise ConfigError(f"{self.path}/admin.token: {error.strerror}") from None
        if len(token) < TOKEN_LENGTH_MIN:
            raise ConfigError(f"{self.path}/admin.token is damaged: it is too short to be safe")
        return token

    def ensure(self, names: Iterable[str], now: float) -> Pki:
        """Make what is missing, renew what is old. ConfigError for what is damaged."""
        wanted = sorted({*SERVICE_NAMES, *names})
        try:
            if not self.path.exists():
                _apart(lambda: self._found(wanted, now))
            state = self._read_state()
            due = self._due(state, wanted, now)
            if due:
                _apart(lambda: self._issue(due, state, wanted, now))
        except OSError as error:
            raise ConfigError(f"{self.path}: {error.strerror or error}") from None
        return self

    def renew(self, names: Iterable[str], now: float) -> list[str]:
        """Renew what nears its end while the server runs, and say what. Authorities never are:
        each client knows them by heart. ConfigError for what is damaged."""
        wanted = sorted({*SERVICE_NAMES, *names})
        try:
            state = self._read_state()
            due = self._due({**state, **dict.fromkeys(AUTHORITIES, _ENDLESS)}, wanted, now)
            if due:
                self._issue(due, state, wanted, now)
        except OSError as error:
            raise ConfigError(f"{self.path}: {error.strerror or error}") from None
        return due

    def ends(self) -> dict[str, float]:
        """When each certificate ends, by name."""
        return {name: float(entry["not_after"]) for name, entry in self._read_state().items()}

    def reload(self, context: ssl.SSLContext) -> None:
        """New connections of `context` show the certificate that the files hold now."""
        context.load_cert_chain(self.certificate("serving"), self.key("serving"))

    def server_context(self, *more: Path) -> ssl.SSLContext:
        """TLS for the HTTPS face; client certificates are asked for and verified if shown.

        `more`: files of authorities that are believed beside the cluster's own.

        Differs from Kubernetes: a certificate of another CA ends the handshake; upstream answers
        401 over HTTP.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.certificate("serving"), self.key("serving"))
            for trusted in (self.certificate("ca"), *more):
                context.load_verify_locations(trusted)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"{self.path}: the serving certificate is damaged: {error}") from None
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _found(self, wanted: Sequence[str], now: float) -> None:
        """All of a new cluster's files, beside, then moved: a crash leaves all of it or nothing."""
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".pki.") as work:
            new = Pki(Path(work) / "pki")
            new.path.mkdir(mode=0o700)
            new._issue(ALL, {}, wanted, now)
            write_private(new.path / "admin.token", secrets.token_urlsafe(32).encode())
            new.path.rename(self.path)

    # What is there.

    def _read_state(self) -> dict[str, Any]:
        if not self._state.exists():
            raise ConfigError(
                f"{self.path} was not made by busk8s, or is damaged (no state.json): "
                "choose another --data-dir, or restore it from a backup"
            )
        try:
            state = json.loads(self._state.read_bytes())
            for name, entry in state.items():
                float(entry["not_after"])
                self._check_digest(name, entry["digest"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError(f"{self._state} is damaged: restore it from a backup") from None
        assert isinstance(state, dict)
        return state

    def _check_digest(self, name: str, digest: str) -> None:
        found = _digest(self.certificate(name), self.key(name))
        if found == digest:
            return
        what = "is missing" if found is None else "was changed"
        way_out = (
            "restore it from a backup; with a new CA every kubeconfig and worker would be strange"
            if name == "ca"
            else f"restore it, or remove {self._entry_files(name)} and its entry in state.json"
        )
        raise ConfigError(f"{self.path}: {name}.crt or {name}.key {what}: {way_out}")

    @staticmethod
    def _entry_files(name: str) -> str:
        return f"{name}.crt, {name}.key"

    @staticmethod
    def _due(state: dict[str, Any], wanted: Sequence[str], now: float) -> list[str]:
        """The entries to make, the CA first: it is never renewed alone."""

        def old(name: str) -> bool:
            entry = state.get(name)
            return entry is None or entry["not_after"] < now + RENEW_BEFORE_DAYS * DAY_S

        if old("ca"):
            return [*ALL]
        due = [name for name in ("serving", *CLIENTS) if old(name)]
        due += [PROXY_CA, *PROXIES] if old(PROXY_CA) else [name for name in PROXIES if old(name)]
        # A name once in the certificate stays: the host may have it again tomorrow.
        if "serving" not in due and not set(wanted) <= set(state["serving"]["names"]):
            due.append("serving")
        return [*due, "sa"] if old("sa") else due

    # Making it.

    def _issue(
        self, due: Sequence[str], state: dict[str, Any], wanted: Sequence[str], now: float
    ) -> None:
        for name in due:
            entry: dict[str, Any] = {"not_after": now + LEAF_DAYS * DAY_S}
            if name in ("ca", PROXY_CA):
                entry["not_after"] = now + CA_DAYS * DAY_S
                self._make_ca(name, now, entry["not_after"])
            elif name == "sa":
                entry["not_after"] = now + CA_DAYS * DAY_S
                self._make_signing_pair()
            elif name == "serving":
                entry["names"] = wanted
                self._make_leaf(name, Subject("kube-apiserver"), now, entry, names=wanted)
            else:
                by = PROXY_CA if name in PROXIES else "ca"
                self._make_leaf(name, LEAVES[name], now, entry, by=by)
            entry["digest"] = _digest(self.certificate(name), self.key(name))
            state[name] = entry
        write_private(self._state, json.dumps(state, indent=1).encode())

    def _make_ca(self, file: str, now: float, until: float) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(Subject("kubernetes" if file == "ca" else file))
        builder = _builder(name, name, key.public_key(), now, until)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        builder = builder.add_extension(_usage(ca=True), True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        )
        self._write(file, builder.sign(key, hashes.SHA256()), key)

    def _make_leaf(
        self,
        file: str,
        subject: Subject,
        now: float,
        entry: dict[str, Any],
        *,
        names: Sequence[str] = (),
        by: str = "ca",
    ) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID as Use

        ca = x509.load_pem_x509_certificate(self.certificate(by).read_bytes())
        ca_key = serialization.load_pem_private_key(self.key(by).read_bytes(), None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(subject), ca.subject, key.public_key(), now, entry["not_after"])
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_usage(ca=False), True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False
        )
        use = Use.SERVER_AUTH if names else Use.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), False)
        if names:
            alternatives = x509.SubjectAlternativeName([_alternative(n) for n in names])
            builder = builder.add_extension(alternatives, False)
        self._write(file, builder.sign(ca_key, hashes.SHA256()), key)

    def _make_signing_pair(self) -> None:
        """Signs ServiceAccount tokens; its public half lies where a certificate would."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        self._retire_signing_key()
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_private(self.key("sa"), _pem(key))
        write_private(self.certificate("sa"), public)

    def _retire_signing_key(self) -> None:
        """The old public half goes on proving the tokens it has signed."""
        if not self.certificate("sa").exists():
            return
        public = self.certificate("sa").read_bytes()
        write_private(self.certificate(f"sa-{hashlib.sha256(public).hexdigest()[:16]}"), public)
        retired = sorted(self.path.glob("sa-*.crt"), key=lambda path: path.stat().st_mtime)
        for path in retired[:-RETIRED_MAX]:
            path.unlink()

    def _write(
        self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding

        write_private(self.key(name), _pem(key))
        write_private(self.certificate(name), certificate.public_bytes(Encoding.PEM))


def _apart(job: Callable[[], None]) -> None:
    """Run `job` in a child: what it imports (13 MB of cryptography) is gone with it."""
    heard, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(heard)
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - told to the parent, which raises
            os.write(tells, f"{type(error).__name__}: {error}".encode()[:4_000])
        finally:
            os._exit(0)
    os.close(tells)
    with os.fdopen(heard, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if said:
        raise ConfigError(f"cannot make certificates: {said.decode(errors='replace')}")


def host_names(bound: str, advertised: str, extra: Sequence[str], service_ip: str) -> list[str]:
    """Every name and address clients may reach this server by."""
    names = {"localhost", "127.0.0.1", "::1", socket.gethostname(), advertised, *extra, service_ip}
    if bound not in ("0.0.0.0", "::"):
        names.add(bound)
    return sorted(name for name in names if name)


def _digest(*paths: Path) -> str | None:
    total = hashlib.sha256()
    for path in paths:
        if not path.exists():
            return None
        total.update(path.read_bytes())
    return total.hexdigest()


def _name(subject: Subject) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, g) for g in subject.groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, subject.name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: float,
    until: float,
) -> x509.CertificateBuilder:
    import datetime

    from cryptography import x509

    def at(seconds: float) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC)

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at(now - 3_600))  # clocks of clients may be behind ours
        .not_valid_after(at(until))
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=not ca,
        data_encipherment=False, key_agreement=False, key_cert_sign=ca, crl_sign=ca,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _alternative(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
