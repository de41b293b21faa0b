"""Issuers and anonymous rules from flags, or from an AuthenticationConfiguration file.

Owns      the file's form, with complaints that name the path; upstream's defaults of the flags.
Leaves    what the results do (issued, authn). The file is read once, at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from busk8s.api.cel import program, types
from busk8s.api.cel.errors import CelError
from busk8s.authentication_settings import AuthenticationSettings
from busk8s.config import ConfigError
from busk8s.master.apiserver.authentication.claims import Claims, Mapped, Rule
from busk8s.master.apiserver.authentication.issued import ALGORITHMS, JwtIssuer
from busk8s.master.apiserver.authentication.remote_keys import Issuer
from busk8s.master.apiserver.authn import Anonymous

FLAG = "--authentication-config"
KIND = "AuthenticationConfiguration"
VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")
FILE_BYTES_MAX = 1024 * 1024
ISSUERS_MAX = 64

Json = dict[str, Any]
_CLAIMS = {"claims": types.map_of(types.DYN)}
_USER = {"user": types.map_of(types.DYN)}


@dataclass(frozen=True, slots=True)
class Configured:
    issuers: tuple[JwtIssuer, ...]
    anonymous: Anonymous


def configured(settings: AuthenticationSettings) -> Configured:
    """ConfigError for files and flags that cannot be used."""
    anonymous = Anonymous(settings.anonymous_auth)
    if settings.authentication_config:
        return _of_file(Path(settings.authentication_config), anonymous)
    issuers = (_of_flags(settings),) if settings.oidc_issuer_url else ()
    return Configured(issuers, anonymous)


def _of_flags(settings: AuthenticationSettings) -> JwtIssuer:
    url, claim, prefix = (
        settings.oidc_issuer_url, settings.oidc_username_claim, settings.oidc_username_prefix,
    )  # fmt: skip
    if prefix == "-":
        prefix = ""
    elif not prefix and claim != "email":
        prefix = f"{url}#"  # Two issuers' users of one name must not be one user.
    algorithms = tuple(part.strip() for part in settings.oidc_signing_algs.split(","))
    for name in algorithms:
        if name not in ALGORITHMS:
            raise ConfigError(f"--oidc-signing-algs: unsupported signing alg: {name!r}")
    ca = b""
    if settings.oidc_ca_file:
        ca = _authority("--oidc-ca-file", Path(settings.oidc_ca_file))
    groups = settings.oidc_groups_claim
    rules = tuple(
        Rule(name, value) for name, _, value in (c.partition("=") for c in
                                                 settings.oidc_required_claim)
    )  # fmt: skip
    claims = Claims(
        Mapped(claim, prefix),
        Mapped(groups, settings.oidc_groups_prefix) if groups else None,
        rules=rules,
    )
    return JwtIssuer(Issuer(url, "", ca), (settings.oidc_client_id,), claims, algorithms)


def _authority(flag: str, path: Path) -> bytes:
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{flag}: {path}: {error.strerror}") from None
    return _pem(flag, pem)


def _pem(where: str, pem: bytes) -> bytes:
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise ConfigError(f"{where}: no certificate in PEM")
    return pem


# The file.


def _of_file(path: Path, anonymous: Anonymous) -> Configured:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(f"{FLAG}: {path} is over {FILE_BYTES_MAX} bytes")
        said = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise ConfigError(f"{FLAG}: {path}: {error.strerror}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{FLAG}: {path} is not YAML: {error}") from None
    top = _part(said, "", "apiVersion kind jwt anonymous")
    if top.get("kind") != KIND or top.get("apiVersion") not in VERSIONS:
        raise ConfigError(f"{FLAG}: {path} must be an {KIND} of {VERSIONS[0]}")
    jwt = _items(top.get("jwt"), "jwt")
    if len(jwt) > ISSUERS_MAX:
        raise ConfigError(f"{FLAG}: jwt: Too many: {len(jwt)}: must have at most {ISSUERS_MAX}")
    issuers = tuple(_issuer(each, f"jwt[{index}]") for index, each in enumerate(jwt))
    urls = [each.issuer.url for each in issuers]
    for url in urls:
        if urls.count(url) > 1:
            raise ConfigError(f"{FLAG}: jwt: Duplicate issuer {url!r}")
    if "anonymous" in top:
        anonymous = _anonymous(top["anonymous"])
    return Configured(issuers, anonymous)


def _anonymous(said: Any) -> Anonymous:
    part = _part(said, "anonymous", "enabled conditions")
    enabled, conditions = bool(part.get("enabled")), _items(part.get("conditions"), "anonymous")
    if conditions and not enabled:
        raise ConfigError(f"{FLAG}: anonymous.conditions: enabled should be set to true")
    paths = [
        _text(_part(c, "anonymous.conditions", "path"), "path", "anonymous") for c in conditions
    ]
    return Anonymous(enabled, frozenset(paths))


def _issuer(said: Any, where: str) -> JwtIssuer:
    part = _part(said, where, "issuer claimValidationRules claimMappings userValidationRules")
    issuer = _part(
        part.get("issuer"),
        f"{where}.issuer",
        "url discoveryURL certificateAuthority audiences audienceMatchPolicy",
    )
    url = _text(issuer, "url", f"{where}.issuer")
    discovery = str(issuer.get("discoveryURL") or "")
    for text in filter(None, (url, discovery)):
        if not text.startswith("https://"):
            raise ConfigError(f"{FLAG}: {where}.issuer: {text!r}: URL scheme must be https")
    audiences = tuple(str(a) for a in _items(issuer.get("audiences"), f"{where}.issuer"))
    if not audiences:
        raise ConfigError(f"{FLAG}: {where}.issuer.audiences: at least one is required")
    if len(audiences) > 1 and issuer.get("audienceMatchPolicy") != "MatchAny":
        raise ConfigError(f"{FLAG}: {where}.issuer.audienceMatchPolicy must be MatchAny")
    ca = str(issuer.get("certificateAuthority") or "").encode()
    if ca:
        _pem(f"{FLAG}: {where}.issuer.certificateAuthority", ca)
    return JwtIssuer(Issuer(url, discovery, ca), audiences, _claims(part, where))


def _claims(part: Json, where: str) -> Claims:
    mappings = _part(
        part.get("claimMappings"), f"{where}.claimMappings", "username groups uid extra"
    )
    at = f"{where}.claimMappings"
    username = _mapped(mappings.get("username"), f"{at}.username")
    if username is None:
        raise ConfigError(f"{FLAG}: {at}.username: claim or expression is required")
    extra = []
    for index, each in enumerate(_items(mappings.get("extra"), f"{at}.extra")):
        here = f"{at}.extra[{index}]"
        pair = _part(each, here, "key valueExpression")
        expression = _compiled(_text(pair, "valueExpression", here), _CLAIMS, here)
        extra.append((_text(pair, "key", here), expression))
    rules = _items(part.get("claimValidationRules"), where)
    of_user = _items(part.get("userValidationRules"), where)
    return Claims(
        username,
        _mapped(mappings.get("groups"), f"{at}.groups"),
        _mapped(mappings.get("uid"), f"{at}.uid"),
        tuple(extra),
        tuple(_rule(r, f"{where}.claimValidationRules[{i}]", _CLAIMS) for i, r in enumerate(rules)),
        tuple(_rule(r, f"{where}.userValidationRules[{i}]", _USER) for i, r in enumerate(of_user)),
    )


def _mapped(said: Any, where: str) -> Mapped | None:
    if said is None:
        return None
    part = _part(said, where, "claim prefix expression")
    claim, expression = str(part.get("claim") or ""), str(part.get("expression") or "")
    if bool(claim) == bool(expression):
        raise ConfigError(f"{FLAG}: {where}: exactly one of claim and expression is required")
    if claim and part.get("prefix") is None and not where.endswith(".uid"):
        raise ConfigError(f"{FLAG}: {where}.prefix is required when claim is set")
    if expression:
        return Mapped(expression=_compiled(expression, _CLAIMS, where))
    return Mapped(claim, str(part.get("prefix") or ""))


def _rule(said: Any, where: str, variables: Mapping[str, types.CelType]) -> Rule:
    part = _part(said, where, "claim requiredValue expression message")
    expression = str(part.get("expression") or "")
    if expression:
        compiled = _compiled(expression, variables, where)
        return Rule(expression=compiled, message=str(part.get("message") or ""))
    return Rule(_text(part, "claim", where), str(part.get("requiredValue") or ""))


def _compiled(text: str, variables: Mapping[str, types.CelType], where: str) -> program.Program:
    try:
        return program.compile(text, variables)
    except CelError as error:
        raise ConfigError(f"{FLAG}: {where}: {error}") from None


def _part(said: Any, where: str, fields: str) -> Json:
    if not isinstance(said, dict):
        raise ConfigError(f"{FLAG}: {where or 'the file'} must be an object")
    unknown = [key for key in said if key not in fields.split()]
    if unknown:
        place = f"{where}." if where else ""
        raise ConfigError(f"{FLAG}: not supported: {place}{unknown[0]}")
    return said


def _items(said: Any, where: str) -> list[Any]:
    if said is None:
        return []
    if not isinstance(said, list):
        raise ConfigError(f"{FLAG}: {where}: a list is needed")
    return said


def _text(part: Json, key: str, where: str) -> str:
    found = part.get(key)
    if not isinstance(found, str) or not found:
        raise ConfigError(f"{FLAG}: {where}.{key} is required")
    return found
