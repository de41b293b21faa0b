"""A proxy in front that says who asks: X-Remote-User and its like, behind a certificate of its own.

Owns      which certificate may speak so, and what the headers say.
Leaves    the TLS handshake (pki), the order of the ways (authn).
Invariant without a certificate of the proxies' own CA the headers are nothing at all.
Source    Kubernetes reference, "Authenticating Proxy".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from busk8s.api.request import User
from busk8s.master.apiserver.authentication.credentials import Rejected

VALUES_MAX = 1_000  # Groups and extra values a proxy may name; the head is bounded as well.


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """`names`: common names that may speak; none means any that the CA signed."""

    names: tuple[str, ...] = ("front-proxy-client",)
    user: tuple[str, ...] = ("x-remote-user",)
    uid: tuple[str, ...] = ("x-remote-uid",)
    group: tuple[str, ...] = ("x-remote-group",)
    extra: tuple[str, ...] = ("x-remote-extra-",)

    @property
    def singles(self) -> frozenset[str]:
        return frozenset((*self.user, *self.uid))

    @property
    def lists(self) -> frozenset[str]:
        return frozenset(self.group)

    def read(self, common_name: str, headers: Mapping[str, str]) -> User | None:
        """Whom a proxy of that name speaks for; None when it says nothing."""
        if self.names and common_name not in self.names:
            raise Rejected(f"x509: subject with cn={common_name} is not in the allowed list")
        name = _first(headers, self.user)
        if not name:
            return None
        groups = [g for key in self.group for g in _values(headers.get(key))]
        return User(
            name, tuple(groups[:VALUES_MAX]), _first(headers, self.uid), self._extra(headers)
        )

    def _extra(self, headers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for prefix in self.extra:
            for key in [key for key in headers if key.startswith(prefix)]:
                name = unquote(key.removeprefix(prefix)).lower()
                if name:
                    found[name] = (*found.get(name, ()), *_values(headers[key]))[:VALUES_MAX]
        return found


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The first of `names` that says something; of a repeated header its first line."""
    for name in names:
        value = headers.get(name, "").partition("\n")[0].strip()
        if value:
            return value
    return ""


def _values(text: str | None) -> list[str]:
    return [line for line in text.split("\n") if line] if text is not None else []
