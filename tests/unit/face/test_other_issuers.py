"""Tokens of OpenID Connect issuers, by a real issuer over HTTPS on loopback."""

from __future__ import annotations

import base64
import hmac
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from shelf import Shelf
from test_accounts import StoppedClock
from test_http_face import Nobody

from busk8s import errors
from busk8s.api.request import Request, Response, User
from busk8s.authentication_settings import AuthenticationSettings
from busk8s.clock import SystemClock
from busk8s.config import ConfigError
from busk8s.master.apiserver.authentication.configuration import configured
from busk8s.master.apiserver.authentication.issued import IssuedTokens
from busk8s.master.apiserver.authentication.peers import NOBODY
from busk8s.master.apiserver.authentication.remote_keys import KEYS_MAX, LOOK_AGAIN_S
from busk8s.master.apiserver.authn import Authenticator, TokenChain
from busk8s.master.apiserver.http import HttpServer
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.pki import Pki

pytestmark = pytest.mark.realtime
Json = dict[str, Any]
NOW = SystemClock().now()
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("issuer") / "pki").ensure(["localhost", "127.0.0.1"], NOW)


def jwk(key: Any, kid: str = "k1", **more: Any) -> Json:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else None
    kind = kind or jwt.algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


@dataclass
class World:
    """An issuer, and an API server's authenticator that believes it."""

    pki: Pki
    url: str = ""
    keys: list[Json] = field(default_factory=lambda: [jwk(RSA)])
    document: Json = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    clock: StoppedClock = field(default_factory=StoppedClock)
    authenticator: Authenticator | None = None
    flood: bool = False

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request.path)
        if self.flood:
            return Response(body=b"[" + b"0," * 2_000_000 + b"0]")
        if request.path == "/.well-known/openid-configuration":
            said = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.document}
            return Response(body=orjson.dumps(said))
        return Response(body=orjson.dumps({"keys": self.keys}))

    def believe(self, outgoing: Outgoing, **flags: Any) -> None:
        if "authentication_config" not in flags:
            flags = {"oidc_issuer_url": self.url, "oidc_client_id": "kubectl",
                     "oidc_ca_file": str(self.pki.certificate("ca")), **flags}  # fmt: skip
        config = configured(AuthenticationSettings(**flags))
        issued = IssuedTokens(config.issuers, ["us"], outgoing, self.clock)
        chain = TokenChain(
            "t" * 32, lambda n: None, self.clock, issued=issued.find, audiences=["us"]
        )
        self.authenticator = Authenticator(chain, self.clock, anonymous=config.anonymous)

    def token(self, key: Any = RSA, algorithm: str = "RS256", kid: str = "k1", **more: Any) -> str:
        claims = {"iss": self.url, "aud": "kubectl", "sub": "ann", "exp": self.clock.at + 60}
        claims |= more
        headers = {"kid": kid} if kid else {}
        return jwt.encode(
            {k: v for k, v in claims.items() if v is not None}, key, algorithm, headers=headers
        )

    async def user(self, token: str) -> User:
        assert self.authenticator is not None
        return await self.authenticator.user(NOBODY, {"authorization": f"Bearer {token}"})

    async def refused(self, token: str) -> None:
        with pytest.raises(errors.Error, match="Unauthorized"):
            await self.user(token)


@asynccontextmanager
async def world(pki: Pki, **flags: Any) -> AsyncIterator[World]:
    made = World(pki)
    server = HttpServer(made, Nobody(), clock=SystemClock())
    bound = socket.create_server(("127.0.0.1", 0))
    made.url = f"https://127.0.0.1:{bound.getsockname()[1]}"
    await server.open([bound], pki.server_context())
    outgoing = Outgoing(Shelf(), SystemClock())
    try:
        if "file" in flags:
            path = pki.path / "authentication.yaml"
            said = flags.pop("file")
            issuer = said["jwt"][0]["issuer"]
            issuer |= {"url": made.url, "certificateAuthority": pki.ca_pem.decode()}
            path.write_text(json.dumps(said))
            flags["authentication_config"] = str(path)
        made.believe(outgoing, **flags)
        yield made
    finally:
        outgoing.close()
        await server.close()


async def test_a_users_name_carries_its_issuer(pki: Pki) -> None:
    async with world(pki, oidc_groups_claim="teams", oidc_groups_prefix="oidc:") as w:
        user = await w.user(w.token(teams=["dev", "ops"]))
        assert user == User(f"{w.url}#ann", ("oidc:dev", "oidc:ops", "system:authenticated"), "")
        assert (await w.user(w.token(teams="one"))).groups[0] == "oidc:one"
        assert len(w.asked) == 2  # the document and the keys, once


async def test_prefixes_are_as_the_flags_say(pki: Pki) -> None:
    async with world(pki, oidc_username_prefix="-") as w:
        assert (await w.user(w.token())).name == "ann"
    async with world(pki, oidc_username_claim="email") as w:
        said: Json = {"email": "a@x.example", "email_verified": True}
        assert (await w.user(w.token(**said))).name == "a@x.example"
        await w.refused(w.token(**{**said, "email_verified": False}))
        await w.refused(w.token())


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": "other"}, id="for another audience"),
        pytest.param({"aud": None}, id="for no audience"),
        pytest.param({"exp": 1}, id="that has ended"),
        pytest.param({"exp": None}, id="without an end"),
        pytest.param({"exp": float("nan")}, id="whose end is no number"),
        pytest.param({"nbf": 9e9}, id="that has not begun"),
        pytest.param({"sub": 7}, id="whose name is a number"),
        pytest.param({"sub": ""}, id="without a name"),
        pytest.param({"level": "low"}, id="without the required claim"),
    ],
)
async def test_no_login_by_a_token(pki: Pki, claims: Json) -> None:
    async with world(pki, oidc_required_claim=("level=high",)) as w:
        assert await w.user(w.token(level="high"))
        await w.refused(w.token(**{"level": "high", **claims}))


def encoded(part: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_signatures_that_prove_nothing(pki: Pki) -> None:
    async with world(pki) as w:
        head, body, signature = w.token().split(".")
        public = RSA.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        confused = f"{encoded({'alg': 'HS256', 'kid': 'k1'})}.{body}"
        digest = base64.urlsafe_b64encode(hmac.digest(public, confused.encode(), "sha256"))
        for token in (
            f"{encoded({'alg': 'none'})}.{body}.",
            f"{confused}.{digest.rstrip(b'=').decode()}",  # the public key as a shared secret
            f"{head}.{encoded({'iss': w.url, 'sub': 'root', 'aud': 'kubectl'})}.{signature}",
            w.token(OTHER),  # another key under our key's id
            w.token(RSA, kid="k2"),  # our key under an id that is not there
            w.token(CURVE, "ES256"),  # an algorithm that was not allowed
            "[" * 5_000 + "." + ".",
            f"{head}.{base64.urlsafe_b64encode(b'[' * 9_000).decode()}.x",
        ):
            await w.refused(token)


async def test_a_key_of_one_issuer_proves_nothing_of_another(pki: Pki) -> None:
    async with world(pki) as one, world(pki) as two:
        two.keys = [jwk(OTHER)]
        await two.refused(two.token(RSA))
        await one.refused(two.token(OTHER))  # an issuer that is not believed


async def test_new_keys_are_found_and_asked_for_in_moderation(pki: Pki) -> None:
    async with world(pki) as w:
        assert await w.user(w.token())
        w.keys = [jwk(OTHER, "k2")]
        for _ in range(20):
            await w.refused(w.token(OTHER, kid="k2"))
        assert len(w.asked) == 2
        w.clock.at += LOOK_AGAIN_S
        assert await w.user(w.token(OTHER, kid="k2"))
        assert len(w.asked) == 4


async def test_an_issuer_that_is_away_costs_known_keys_nothing(pki: Pki) -> None:
    async with world(pki) as w:
        assert await w.user(w.token())
        w.document = {"issuer": "https://elsewhere.example"}
        w.clock.at += 4_000
        assert await w.user(w.token())


@pytest.mark.parametrize(
    ("keys", "document"),
    [
        pytest.param([jwk(OTHER, f"x{i}") for i in range(KEYS_MAX)] + [jwk(RSA)], {}, id="many"),
        pytest.param([{"kty": "oct", "k": "AAAA", "kid": "k1"}, 7, {"kty": "RSA", "kid": "k1"}],
                     {}, id="that are none"),
        pytest.param([jwk(RSA, use="enc")], {}, id="for other uses"),
        pytest.param([jwk(RSA)], {"issuer": "https://other.example"}, id="of another issuer"),
        pytest.param([jwk(RSA)], {"jwks_uri": "http://127.0.0.1/keys"}, id="over plain HTTP"),
        pytest.param([jwk(RSA)], {"jwks_uri": "file:///etc/passwd"}, id="in a file"),
    ],
)  # fmt: skip
async def test_no_login_by_keys(pki: Pki, keys: list[Json], document: Json) -> None:
    async with world(pki) as w:
        w.keys, w.document = keys, document
        await w.refused(w.token())


async def test_an_issuer_that_floods_is_cut_off(pki: Pki) -> None:
    async with world(pki) as w:
        w.flood = True
        await w.refused(w.token())


def file(**jwt_part: Any) -> Json:
    issuer = {"audiences": ["kubectl", "other"], "audienceMatchPolicy": "MatchAny"}
    mapping = {"username": {"claim": "sub", "prefix": "x:"}}
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, "claimMappings": mapping, **jwt_part}],
    }


async def test_a_file_maps_claims_by_expressions(pki: Pki) -> None:
    mappings = {
        "username": {"expression": "'x:' + claims.sub"},
        "groups": {"expression": "claims.roles.filter(r, r != 'admin')"},
        "uid": {"claim": "id"},
        "extra": [{"key": "example.com/team", "valueExpression": "claims.team"}],
    }
    rules = [{"expression": "claims.level == 'high'", "message": "too low"},
             {"claim": "kind", "requiredValue": "person"}]  # fmt: skip
    of_user = [{"expression": "!user.username.startsWith('x:system:')", "message": "no"}]
    said = file(claimMappings=mappings, claimValidationRules=rules, userValidationRules=of_user)
    good: Json = {
        "roles": ["dev", "admin"],
        "id": "7",
        "team": "a",
        "level": "high",
        "kind": "person",
    }
    async with world(pki, file=said) as w:
        user = await w.user(w.token(**good))
        assert user == User(
            "x:ann", ("dev", "system:authenticated"), "7", {"example.com/team": ("a",)}
        )
        assert await w.user(w.token(**good, aud=["third", "other"]))
        for bad in ({"level": "low"}, {"kind": "robot"}, {"sub": "system:x"}, {"roles": None}):
            await w.refused(w.token(**{**good, **bad}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "Other"}, "must be an AuthenticationConfiguration"),
        ({"webhook": {}}, "not supported: webhook"),
        ({"anonymous": {"enabled": False, "conditions": [{"path": "/x"}]}}, "enabled should be"),
        (file(claimMappings={}), "username: claim or expression is required"),
        (file(claimMappings={"username": {"claim": "sub"}}), "prefix is required"),
        (file(claimMappings={"username": {"expression": "claims."}}), "compilation failed"),
        (file(issuer={"url": "http://x", "audiences": ["a"]}), "must be https"),
        (file(issuer={"url": "https://x"}), "audiences: at least one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_right_is_named(tmp_path: Path, change: Json, said: str) -> None:
    base = file()
    base["jwt"][0]["issuer"]["url"] = "https://x.example"
    path = tmp_path / "authentication.yaml"
    path.write_text(json.dumps({**base, **change} if "jwt" not in change else change))
    if "jwt" in change and "url" not in change["jwt"][0]["issuer"]:
        change["jwt"][0]["issuer"]["url"] = "https://x.example"
        path.write_text(json.dumps(change))
    with pytest.raises(ConfigError, match=said):
        configured(AuthenticationSettings(authentication_config=str(path)))


def test_anonymous_rules_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    rule = {"enabled": True, "conditions": [{"path": "/livez"}]}
    said = {**file(), "jwt": [], "anonymous": rule}
    path.write_text(json.dumps(said))
    anonymous = configured(AuthenticationSettings(authentication_config=str(path))).anonymous
    assert anonymous.may("/livez")
    assert not anonymous.may("/version")
