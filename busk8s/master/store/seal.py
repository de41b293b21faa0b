"""Secrets at rest: values are sealed on their way into the file and opened on their way out.

Owns      which keys' values are sealed, the form of a sealed value, the file of encryption keys.
Leaves    rows and transactions (sqlite_file), when keys are rotated (rotation).
Invariant a value opens only under the key it was stored under: the object's key is authenticated
          with it. A nonce is never used twice with one encryption key, but for chance (96 random
          bits; rotate before 2^32 writes).
Source    NIST SP 800-38D (AES-GCM); KEP 3299 for what upstream protects by default (nothing).
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from busk8s.master.store.base import StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEALED = ("secrets/",)  # Prefixes of the object keys whose values are sealed.
MARK = b"\x00busk8s:aes-256-gcm:"  # No JSON begins so.
ID_BYTES = 8
NONCE_BYTES = 12
KEY_BYTES = 32
HEAD_BYTES = len(MARK) + ID_BYTES
FILE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Key:
    id: bytes
    secret: bytes


def new_key() -> Key:
    return Key(os.urandom(ID_BYTES), os.urandom(KEY_BYTES))


class KeyFile:
    """`path` holds the keys as JSON, mode 0600; the first seals, all open."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Sequence[Key] | None:
        """The keys; None when there is no file. Raises StoreError for a file that is not ours."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"encryption keys {self.path}: {error.strerror}") from None
        try:
            if len(raw) > FILE_BYTES_MAX:
                raise ValueError("too big")
            keys = [
                Key(bytes.fromhex(each["id"]), base64.b64decode(each["secret"], validate=True))
                for each in json.loads(raw)["keys"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"encryption keys {self.path}: damaged ({error})") from None
        if not keys or any(len(k.id) != ID_BYTES or len(k.secret) != KEY_BYTES for k in keys):
            raise StoreError(f"encryption keys {self.path}: damaged (no key of {KEY_BYTES} bytes)")
        return keys

    def save(self, keys: Sequence[Key]) -> None:
        """Whole or not at all: a crash leaves the old file."""
        listed = [
            {"id": key.id.hex(), "secret": base64.b64encode(key.secret).decode()} for key in keys
        ]
        beside = self.path.with_suffix(".new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(json.dumps({"keys": listed}, indent=1).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)


class Seal:
    """Opens what any of the keys sealed; seals with the first."""

    def __init__(self, file: KeyFile) -> None:
        self.file = file
        self._keys: dict[bytes, Key] = {}
        self._first = b""

    def load(self, *, fresh: bool) -> None:
        """Read the keys. `fresh`: nothing is sealed yet, so a missing file may be made."""
        keys = self.file.load()
        if keys is None:
            if not fresh:
                raise StoreError(
                    f"encryption keys {self.file.path}: there is no such file, but the store holds "
                    "sealed Secrets: put the file back"
                )
            keys = [new_key()]
            self.file.save(keys)
        self.use(keys)

    def use(self, keys: Sequence[Key]) -> None:
        self._keys = {key.id: key for key in keys}
        self._first = keys[0].id

    def put(self, key: str, value: bytes | None) -> bytes | None:
        """What is written for `value`."""
        if value is None or not key.startswith(SEALED):
            return value
        nonce = os.urandom(NONCE_BYTES)
        cipher = _cipher(self._keys[self._first].secret)
        return MARK + self._first + nonce + cipher.encrypt(nonce, value, key.encode())

    def take(self, key: str, value: bytes) -> bytes:
        """What was put. Raises StoreError when no key here opens it."""
        if not value.startswith(MARK):
            return value
        known = self._keys.get(value[len(MARK) : HEAD_BYTES])
        if known is None:
            raise StoreError(f"{key}: {self._lacks(value)}")
        from cryptography.exceptions import InvalidTag

        nonce = value[HEAD_BYTES : HEAD_BYTES + NONCE_BYTES]
        sealed = value[HEAD_BYTES + NONCE_BYTES :]
        try:
            return _cipher(known.secret).decrypt(nonce, sealed, key.encode())
        except InvalidTag as error:
            why = "the key does not open it, or somebody changed the row"
            raise StoreError(f"{key}: {self.file.path}: {why}") from error

    def sealed_by_first(self, value: bytes) -> bool:
        return value.startswith(MARK + self._first)

    def _lacks(self, value: bytes) -> str:
        wanted = value[len(MARK) : HEAD_BYTES].hex()
        return f"sealed with key {wanted}, which is not in {self.file.path}: put it back"


def _cipher(secret: bytes) -> AESGCM:
    """The library is heavy, and imported with the first Secret."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(secret)
