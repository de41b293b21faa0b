"""Flags that say who may log in, and how: upstream's names, one field each.

Owns      the flags, and which of them cannot be together.
Leaves    reading the files they name (master/apiserver/authentication).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationSettings:
    """`()`, "" and 0: not given."""

    anonymous_auth: bool = True
    token_auth_file: str = ""
    client_ca_file: str = ""
    authentication_config: str = ""

    oidc_issuer_url: str = ""
    oidc_client_id: str = ""
    oidc_username_claim: str = "sub"
    oidc_username_prefix: str = ""
    oidc_groups_claim: str = ""
    oidc_groups_prefix: str = ""
    oidc_required_claim: tuple[str, ...] = ()
    oidc_signing_algs: str = "RS256"
    oidc_ca_file: str = ""

    requestheader_client_ca_file: str = ""
    requestheader_allowed_names: str = "front-proxy-client"
    requestheader_username_headers: str = "X-Remote-User"
    requestheader_uid_headers: str = "X-Remote-Uid"
    requestheader_group_headers: str = "X-Remote-Group"
    requestheader_extra_headers_prefix: str = "X-Remote-Extra-"

    service_account_issuer: tuple[str, ...] = ()
    service_account_jwks_uri: str = ""
    service_account_max_token_expiration: float = 0.0
    service_account_extend_token_expiration: bool = True
    api_audiences: str = ""

    def wrong(self) -> str:
        """What cannot be right, naming the flag; "" when nothing is wrong."""
        oidc = (self.oidc_issuer_url, self.oidc_client_id)
        if any(oidc) and not all(oidc):
            return "--oidc-issuer-url and --oidc-client-id must be specified together"
        if self.oidc_issuer_url and not self.oidc_issuer_url.startswith("https://"):
            return f"--oidc-issuer-url: {self.oidc_issuer_url!r} must be an https URL"
        if self.authentication_config and any(oidc):
            return "--authentication-config and --oidc-* flags are mutually exclusive"
        for pair in self.oidc_required_claim:
            if not pair.partition("=")[0] or "=" not in pair:
                return f"--oidc-required-claim: {pair!r} is not key=value"
        return self._tokens_wrong()

    def _tokens_wrong(self) -> str:
        longest = self.service_account_max_token_expiration
        if longest and not 3_600 <= longest <= 1 << 32:
            return "--service-account-max-token-expiration must be between 1 hour and 2^32 seconds"
        return self._keys_wrong()

    def _keys_wrong(self) -> str:
        for issuer in self.service_account_issuer:
            if ":" in issuer and "://" not in issuer:
                return f"--service-account-issuer: {issuer!r} is neither a name nor a URL"
        uri = self.service_account_jwks_uri
        if uri and not uri.startswith("https://"):
            return f"--service-account-jwks-uri: {uri!r} must be an https URL"
        return ""


HELP = {
    "anonymous_auth": "Whether requests without a credential may be made at all.",
    "token_auth_file": "Users: a line each of token,user,uid,\"group1,group2\".",
    "client_ca_file": "More authorities whose client certificates are believed (PEM).",
    "authentication_config": "An AuthenticationConfiguration: JWT issuers and anonymous paths.",
    "oidc_issuer_url": "Issuer of OpenID Connect tokens that are accepted.",
    "oidc_client_id": "The audience such tokens must have.",
    "oidc_username_claim": "The claim that is the user's name.",
    "oidc_username_prefix": "Put before names; `-`: nothing. Default: the issuer's URL and `#`.",
    "oidc_groups_claim": "The claim that lists groups.",
    "oidc_groups_prefix": "Put before groups.",
    "oidc_required_claim": "key=value that a token must say.",
    "oidc_signing_algs": "Comma-separated algorithms of signatures.",
    "oidc_ca_file": "Authorities for the issuer's own certificate; default: the system's.",
    "requestheader_client_ca_file": "Authorities of front proxies; default: the cluster's own.",
    "requestheader_allowed_names": "Common names of front proxies, comma-separated; empty: any.",
    "requestheader_username_headers": "Headers that hold the user's name.",
    "requestheader_uid_headers": "Headers that hold the user's uid.",
    "requestheader_group_headers": "Headers that hold groups.",
    "requestheader_extra_headers_prefix": "Prefixes of headers that hold extra values.",
    "service_account_issuer": "Issuer of ServiceAccount tokens; the first signs, all are believed.",
    "service_account_jwks_uri": "Where the issuer's keys are, if not at this API server.",
    "service_account_max_token_expiration": "Seconds a ServiceAccount token may be good for.",
    "service_account_extend_token_expiration": "Whether pods' own tokens hold a year.",
    "api_audiences": "Comma-separated audiences that mean this API server; default: the issuer.",
}  # fmt: skip
