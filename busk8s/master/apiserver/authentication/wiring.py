"""All ways of logging in, put together by hand from the flags.

Owns      which flags make which part; the authorities the TLS context must know.
Leaves    what the parts do; the order they are asked in (authn).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from busk8s.api.object import Json
from busk8s.authentication_settings import AuthenticationSettings
from busk8s.clock import Clock
from busk8s.config import ConfigError
from busk8s.ids import IdSource
from busk8s.master.apiserver import tokens
from busk8s.master.apiserver.accounts import ISSUER, AccountTokens, IssuerSettings
from busk8s.master.apiserver.attributes import Authorizer
from busk8s.master.apiserver.authentication import issuer
from busk8s.master.apiserver.authentication.account_keys import AccountKeys
from busk8s.master.apiserver.authentication.account_proof import AccountProof
from busk8s.master.apiserver.authentication.front_proxy import FrontProxy
from busk8s.master.apiserver.authentication.peers import Peers
from busk8s.master.apiserver.authentication.static_users import StaticUsers
from busk8s.master.apiserver.authn import (
    Anonymous,
    Authenticator,
    Find,
    FindIssued,
    FindSecret,
    TokenChain,
)
from busk8s.master.apiserver.http_request import KEPT_HEADERS, KEPT_PREFIX, LINE_SEPARATED, Kept
from busk8s.master.apiserver.impersonation import Impersonator
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.pki import PROXY_CA, Pki
from busk8s.master.store.watch import WatchCache


@dataclass(frozen=True, slots=True)
class Identity:
    """`authorities`: files of further CAs; `published`: how others believe our callers."""

    authenticator: Authenticator
    chain: TokenChain
    accounts: AccountTokens
    keys: AccountKeys
    issuer: IssuerSettings
    authorities: tuple[Path, ...]
    published: Json


def build(
    settings: AuthenticationSettings,
    pki: Pki,
    cache: WatchCache,
    authorizer: Authorizer,
    *,
    clock: Clock,
    ids: IdSource,
    outgoing: Outgoing,
) -> Identity:
    """ConfigError for a file that a flag names and that cannot be used."""
    keys = AccountKeys(pki)
    issued_by = issuer_settings(settings)
    proof = AccountProof(
        keys, cache.get, clock, issuers=issued_by.issuers, audiences=issued_by.ours
    )
    chain = TokenChain(
        pki.admin_token(),
        _secrets(cache),
        clock,
        static=_static(settings),
        accounts=proof.find,
        issued=_issued(settings, issued_by, outgoing, clock),
        audiences=issued_by.ours,
    )
    front = front_proxy(settings)
    clients = [pki.certificate("ca"), *_paths(settings.client_ca_file)]
    proxies = _paths(settings.requestheader_client_ca_file) or [pki.certificate(PROXY_CA)]
    peers = Peers(
        [_read("--client-ca-file", path) for path in clients],
        [_read("--requestheader-client-ca-file", path) for path in proxies],
        _kept(front),
    )
    authenticator = Authenticator(
        chain,
        clock,
        peers=peers,
        front=front,
        impersonate=Impersonator(authorizer),
        anonymous=_anonymous(settings),
    )
    accounts = AccountTokens(keys, cache.get, clock, ids, issued_by)
    return Identity(
        authenticator, chain, accounts, keys, issued_by, (*clients[1:], *proxies),
        _published(settings, clients, proxies),
    )  # fmt: skip


def issuer_settings(settings: AuthenticationSettings) -> IssuerSettings:
    return IssuerSettings(
        issuers=settings.service_account_issuer or (ISSUER,),
        audiences=_list(settings.api_audiences),
        max_s=int(settings.service_account_max_token_expiration),
        extend=settings.service_account_extend_token_expiration,
    )


def documents(
    identity: Identity, settings: AuthenticationSettings, url: str
) -> Mapping[str, issuer.Handler]:
    """The issuer's discovery documents, for an API server that is reached at `url`."""
    keys_url = settings.service_account_jwks_uri or f"{url}{issuer.KEYS}"
    return issuer.handlers(identity.issuer.issuers[0], keys_url, identity.keys)


def front_proxy(settings: AuthenticationSettings) -> FrontProxy:
    def headers(text: str) -> tuple[str, ...]:
        return tuple(name.lower() for name in _list(text))

    return FrontProxy(
        names=_list(settings.requestheader_allowed_names),
        user=headers(settings.requestheader_username_headers),
        uid=headers(settings.requestheader_uid_headers),
        group=headers(settings.requestheader_group_headers),
        extra=headers(settings.requestheader_extra_headers_prefix),
    )


def _published(settings: AuthenticationSettings, clients: list[Path], proxies: list[Path]) -> Json:
    """What extension API servers must know to believe us and our clients: upstream's keys."""

    def quoted(text: str) -> str:
        return "[" + ",".join(f'"{name}"' for name in _list(text)) + "]"

    return {
        "client-ca-file": "".join(path.read_text() for path in clients),
        "requestheader-client-ca-file": "".join(path.read_text() for path in proxies),
        "requestheader-allowed-names": quoted(settings.requestheader_allowed_names),
        "requestheader-username-headers": quoted(settings.requestheader_username_headers),
        "requestheader-uid-headers": quoted(settings.requestheader_uid_headers),
        "requestheader-group-headers": quoted(settings.requestheader_group_headers),
        "requestheader-extra-headers-prefix": quoted(settings.requestheader_extra_headers_prefix),
    }


def _kept(front: FrontProxy) -> Kept:
    """On a proxy's connection its headers are kept too, each line of them apart."""
    said = front.singles | front.lists
    return Kept(KEPT_HEADERS | said, (KEPT_PREFIX, *front.extra), LINE_SEPARATED | said)


def _static(settings: AuthenticationSettings) -> Find | None:
    path = settings.token_auth_file
    return StaticUsers.read(Path(path)).find if path else None


def _issued(
    settings: AuthenticationSettings, issued_by: IssuerSettings, outgoing: Outgoing, clock: Clock
) -> FindIssued | None:
    """Tokens of other issuers; nothing of it is imported where no issuer is named."""
    if not settings.oidc_issuer_url and not settings.authentication_config:
        return None
    from busk8s.master.apiserver.authentication.configuration import configured
    from busk8s.master.apiserver.authentication.issued import IssuedTokens

    issuers = configured(settings).issuers
    return IssuedTokens(issuers, issued_by.ours, outgoing, clock).find if issuers else None


def _anonymous(settings: AuthenticationSettings) -> Anonymous:
    if not settings.authentication_config:
        return Anonymous(settings.anonymous_auth)
    from busk8s.master.apiserver.authentication.configuration import configured

    return configured(settings).anonymous


def _secrets(cache: WatchCache) -> FindSecret:
    def find(name: str) -> Json | None:
        found = cache.get("secrets", tokens.NAMESPACE, name)
        return found.data if found else None

    return find


def _read(flag: str, path: Path) -> bytes:
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{flag}: {path}: {error.strerror}") from None
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise ConfigError(f"{flag}: {path} holds no certificate in PEM")
    return pem


def _paths(text: str) -> list[Path]:
    return [Path(text)] if text else []


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
