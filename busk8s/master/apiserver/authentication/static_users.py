"""Users of a file: `token,user,uid,"group1,group2"`, one a line.

Owns      the file's form, with upstream's complaints; which token is whose.
Leaves    when it is asked (authn). The file is read once, at the start, as upstream does.
Invariant tokens are looked up by their digest: how long that takes says nothing about them.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from busk8s.api.request import User
from busk8s.config import ConfigError
from busk8s.log import Logger

FILE_BYTES_MAX = 4 * 1024 * 1024  # Some ten thousand users; more belong behind OIDC.
COLUMNS_MIN = 3
log = Logger("busk8s.authentication")


class StaticUsers:
    def __init__(self, users: dict[bytes, User]) -> None:
        self._users = users

    @classmethod
    def read(cls, path: Path) -> StaticUsers:
        """ConfigError for a file that cannot be read or has too few columns."""
        try:
            if path.stat().st_size > FILE_BYTES_MAX:
                raise ConfigError(f"--token-auth-file: {path} is over {FILE_BYTES_MAX} bytes")
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigError(f"--token-auth-file: {path}: {why}") from None
        return cls(_users(text, path))

    def find(self, token: str) -> User | None:
        return self._users.get(_digest(token))


def _users(text: str, path: Path) -> dict[bytes, User]:
    users: dict[bytes, User] = {}
    try:
        rows = list(csv.reader(text.splitlines(), strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ConfigError(f"--token-auth-file: {path}: {error}") from None
    for number, row in enumerate(rows, 1):
        if not row:
            continue
        if len(row) < COLUMNS_MIN:
            raise ConfigError(
                f"--token-auth-file: token file '{path}' must have at least 3 columns "
                f"(token, user name, user uid), found {len(row)}"
            )
        token, name, uid = row[:3]
        if not token:
            log.warning("empty token in the token file, skipped", file=path, line=number)
            continue
        digest = _digest(token)
        if digest in users:
            log.warning("duplicate token in the token file", file=path, line=number)
        groups = tuple(filter(None, row[3].split(","))) if len(row) > COLUMNS_MIN else ()
        users[digest] = User(name, groups, uid)
    return users


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
