"""Bootstrap tokens: Secrets `bootstrap-token-<id>` in kube-system that let a worker join.

Owns      their form, what makes one valid, the Secret that holds one.
Leaves    where Secrets are kept (store), what a bearer may do (authz, join).
Source    Kubernetes reference, "Authenticating with Bootstrap Tokens".
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from busk8s.api.object import Json

NAMESPACE = "kube-system"
SECRET_TYPE = "bootstrap.kubernetes.io/token"
NAME_PREFIX = "bootstrap-token-"
GROUP = "system:bootstrappers"
_FORM = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Token:
    id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.id}.{self.secret}"

    @property
    def secret_name(self) -> str:
        return NAME_PREFIX + self.id


def generate() -> Token:
    """A new token; 82 bits from the system's source."""
    return Token(
        "".join(secrets.choice(_ALPHABET) for _ in range(6)),
        "".join(secrets.choice(_ALPHABET) for _ in range(16)),
    )


def parse(text: str) -> Token | None:
    found = _FORM.fullmatch(text)
    return Token(found[1], found[2]) if found else None


def to_secret(token: Token, *, expires_at: float | None, description: str = "") -> Json:
    """The Secret that makes `token` valid until `expires_at` (None: for ever)."""
    data = {
        "token-id": token.id,
        "token-secret": token.secret,
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:busk8s:worker",
    }
    if description:
        data["description"] = description
    if expires_at is not None:
        moment = datetime.datetime.fromtimestamp(int(expires_at), datetime.UTC)
        data["expiration"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": token.secret_name, "namespace": NAMESPACE},
        "type": SECRET_TYPE,
        "data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()},
    }


def fields(secret: Json) -> dict[str, str]:
    """The Secret's data as text; values that are not text are left out."""
    told: dict[str, str] = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            told[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError, TypeError):
            continue
    return told


def why_not(token: Token, secret: Json | None, now: float) -> str | None:
    """None when `token` is good, else the reason, for logs and for whoever proved the secret."""
    told = fields(secret) if secret is not None else {}
    # Compared before anything else and in constant time: no reason is told to a guesser.
    known = hmac.compare_digest(told.get("token-secret", "").encode(), token.secret.encode())
    if secret is None or not known or told.get("token-id") != token.id:
        return "the token is unknown or was revoked"
    if secret.get("type") != SECRET_TYPE or secret["metadata"].get("deletionTimestamp"):
        return "the token is unknown or was revoked"
    if told.get("usage-bootstrap-authentication") != "true":
        return "the token is not meant for authentication"
    ends = expires_at(told)
    if ends is not None and ends <= now:
        return f"the token expired at {told['expiration']}"
    return None


def expires_at(told: Mapping[str, str]) -> float | None:
    """Seconds since the epoch, None for ever; an expiration nobody can read is long past."""
    text = told.get("expiration")
    if text is None:
        return None
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def groups(secret: Json) -> tuple[str, ...]:
    """What the bearer belongs to; extra groups only from the reserved prefix, as upstream."""
    extra = fields(secret).get("auth-extra-groups", "").split(",")
    return (GROUP, *(g for g in extra if g.startswith("system:bootstrappers:")))
