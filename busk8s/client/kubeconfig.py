"""A kubeconfig file, read: where the cluster is and who we are there.

Owns      picking context, cluster and user, and the ways in that we speak: certificate, token.
Leaves    speaking HTTPS (http); exec plug-ins and auth providers are refused by name.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class KubeconfigError(Exception):
    """The file cannot be used; says which entry and why."""


@dataclass(frozen=True)
class Connection:
    """`ca`, `certificate` and `key` are PEM; empty where there is none."""

    server: str
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    namespace: str = "default"
    insecure: bool = False
    server_name: str = ""


def load(path: Path, context: str = "") -> Connection:
    """The connection of `context`, or of the current one. Raises KubeconfigError."""
    try:
        text = path.read_text()
    except OSError as error:
        raise KubeconfigError(f"{path}: {error.strerror}") from error
    try:
        return parse(text, context, path.parent)
    except KubeconfigError as error:
        raise KubeconfigError(f"{path}: {error}") from error


def parse(text: str, context: str = "", folder: Path = Path()) -> Connection:
    """As `load`, from text; files named in it are relative to `folder`."""
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KubeconfigError(f"not YAML: {error}") from error
    if not isinstance(config, dict):
        raise KubeconfigError("not a kubeconfig: the document is not a mapping")
    wanted = context or config.get("current-context") or ""
    if not wanted:
        raise KubeconfigError("no context asked for, and no current-context")
    chosen = _named(config, "contexts", "context", wanted)
    cluster = _named(config, "clusters", "cluster", chosen.get("cluster", ""))
    user = _named(config, "users", "user", chosen.get("user", ""))
    for unsupported in ("exec", "auth-provider", "username"):
        if user.get(unsupported):
            raise KubeconfigError(f"user {chosen.get('user')!r}: {unsupported} is not supported")
    if not cluster.get("server"):
        raise KubeconfigError(f"cluster {chosen.get('cluster')!r} has no server")
    return Connection(
        server=str(cluster["server"]).rstrip("/"),
        ca=_pem(cluster, "certificate-authority", folder),
        certificate=_pem(user, "client-certificate", folder),
        key=_pem(user, "client-key", folder),
        token=_token(user, folder),
        namespace=chosen.get("namespace") or "default",
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=cluster.get("tls-server-name") or "",
    )


def _named(config: dict[str, Any], section: str, member: str, name: str) -> dict[str, Any]:
    entries = config.get(section) or []
    if not isinstance(entries, list):
        raise KubeconfigError(f"{section} is not a list")
    for entry in entries:
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get(member)
            return found if isinstance(found, dict) else {}
    raise KubeconfigError(f"no {member} named {name!r}")


def _pem(entry: dict[str, Any], field: str, folder: Path) -> bytes:
    if data := entry.get(f"{field}-data"):
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise KubeconfigError(f"{field}-data is not base64: {error}") from error
    return _file(entry[field], folder) if entry.get(field) else b""


def _token(user: dict[str, Any], folder: Path) -> str:
    if user.get("token"):
        return str(user["token"])
    return _file(user["tokenFile"], folder).decode().strip() if user.get("tokenFile") else ""


def _file(name: str, folder: Path) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise KubeconfigError(f"{name}: {error.strerror}") from error
