"""Tokens in Secrets: filled for accounts that are there, and gone with them."""

from __future__ import annotations

import base64
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from api_world import Api
from test_rbac import JO, Secured

from busk8s.api.request import Request
from busk8s.ids import RandomIds
from busk8s.master.apiserver.accounts import ISSUER, AccountTokens
from busk8s.master.apiserver.authentication.account_keys import AccountKeys
from busk8s.master.apiserver.authentication.account_proof import AccountProof
from busk8s.master.apiserver.authentication.credentials import Rejected
from busk8s.master.apiserver.authentication.kept_tokens import NAME, TYPE, UID, KeptTokens
from busk8s.master.apiserver.pki import Pki
from busk8s.tasks import Nursery

Json = dict[str, Any]
SECRETS = "/api/v1/namespaces/default/secrets"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("kept") / "pki").ensure([], 1_800_000_000.0)


@dataclass
class World:
    api: Api
    proof: AccountProof

    async def secret(self) -> Json:
        await self.api.clock.sleep(1)
        return (await self.api.do("GET", f"{SECRETS}/t"))[1]

    async def token(self) -> str:
        return base64.b64decode((await self.secret())["data"]["token"]).decode()

    def knows(self, token: str) -> str:
        try:
            granted = self.proof.find(token, [ISSUER])
        except Rejected:
            return ""
        return granted.user.name if granted else ""


@asynccontextmanager
async def world(pki: Pki, *, account: bool = True) -> AsyncIterator[World]:
    api = await Api().open()
    keys, cache = AccountKeys(pki), api.cache
    accounts = AccountTokens(keys, cache.get, api.clock, RandomIds(random.Random(2)))
    proof = AccountProof(keys, cache.get, api.clock, issuers=[ISSUER], audiences=[ISSUER])
    keeper = KeptTokens(accounts, b"CA", cache, api.server.dispatch, api.clock)
    for collection, body in (
        ("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": "default"}}),
        (ACCOUNTS, {"kind": "ServiceAccount", "metadata": {"name": "robot"}}),
    ):
        if account or collection != ACCOUNTS:
            await api.must("POST", collection, {"apiVersion": "v1", **body})
    async with Nursery() as nursery:
        nursery.spawn(keeper.run())
        secret = {"apiVersion": "v1", "kind": "Secret", "type": TYPE,
                  "metadata": {"name": "t", "annotations": {NAME: "robot"}}}  # fmt: skip
        await api.must("POST", SECRETS, secret)
        yield World(api, proof)
        await nursery.close()


async def test_such_a_secret_is_filled_and_its_token_logs_in(pki: Pki) -> None:
    async with world(pki) as w:
        secret = await w.secret()
        assert base64.b64decode(secret["data"]["ca.crt"]) == b"CA"
        assert base64.b64decode(secret["data"]["namespace"]) == b"default"
        account = await w.api.must("GET", f"{ACCOUNTS}/robot")
        assert secret["metadata"]["annotations"][UID] == account["metadata"]["uid"]
        token = await w.token()
        assert w.knows(token) == "system:serviceaccount:default:robot"
        assert (await w.secret())["metadata"]["resourceVersion"] == secret["metadata"][
            "resourceVersion"
        ]


async def test_its_token_dies_with_the_secret_and_with_a_changed_one(pki: Pki) -> None:
    async with world(pki) as w:
        token = await w.token()
        await w.api.patch(f"{SECRETS}/t", {"data": {"token": None}})
        other = await w.token()  # the same claims, signed anew
        assert w.knows(other)
        assert other == token or not w.knows(token)
        await w.api.must("DELETE", f"{SECRETS}/t")
        assert not w.knows(other)


async def test_the_secret_goes_with_its_account(pki: Pki) -> None:
    async with world(pki) as w:
        token = await w.token()
        await w.api.must("DELETE", f"{ACCOUNTS}/robot")
        assert not w.knows(token)
        assert (await w.secret())["code"] == 404


async def test_a_secret_of_no_account_is_removed(pki: Pki) -> None:
    async with world(pki, account=False) as w:
        assert (await w.secret())["code"] == 404


async def test_what_a_request_brings_as_headers_names_nobody_behind_the_door() -> None:
    """The bus hands headers on as they come: identity is never read from them there."""
    api = await Secured().open()
    smuggled = {"x-remote-user": "root", "impersonate-user": "root", "authorization": "Bearer x"}
    body = b'{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}'
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    api.server.parts.authorizer = type("All", (), {"authorize": lambda self, a: None})()
    response = await api.server.dispatch(Request("POST", path, JO, body=body, headers=smuggled))
    assert b'"jo"' in response.body
    assert b"root" not in response.body
