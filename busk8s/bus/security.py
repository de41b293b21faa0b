"""Keys on disk, and which key is whom.

Owns      the key files (0600), the map key -> user, the answer to ZAP.
Leaves    CURVE itself (transport), where nodes' keys come from (apiserver/bus).
Invariant a key that is in no map may speak on `requests` only, and there it may only join.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from busk8s.api.request import User
from busk8s.bus.transport import new_keys, public_of
from busk8s.bus.wire import Keys

REQUESTS_DOMAIN = "requests"  # The only socket on which strangers are let in, to join.


def load_keys(path: Path) -> Keys:
    """The key pair kept at `path`, made and written (0600) the first time."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return _write(path, new_keys())
    try:
        secret = content.decode("ascii").strip()
        return Keys(public_of(secret), secret)
    except Exception as error:  # libzmq's refusals are of several kinds; all mean the same here
        raise KeyFileDamaged(
            f"{path} holds no CURVE secret key: restore it, or remove it and join again"
        ) from error


class KeyFileDamaged(Exception):
    """The message names the file and the way out."""


def _write(path: Path, keys: Keys) -> Keys:
    """Written whole or not at all, never readable by others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, keys.secret.encode() + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)
    return keys


def admitter(identify: Callable[[str], User | None]) -> Callable[[str, str], str | None]:
    """ZAP's answer: the User-Id (the key itself) for known keys; strangers only on `requests`."""

    def admit(domain: str, key: str) -> str | None:
        return key if domain == REQUESTS_DOMAIN or identify(key) is not None else None

    return admit
