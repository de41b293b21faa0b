"""Tokens of ServiceAccounts: good while signature, end and what they are bound to are."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from shelf import Shelf, obj
from test_identity import POD, resource

from busk8s import errors
from busk8s.api.object import Json
from busk8s.api.request import User
from busk8s.ids import RandomIds
from busk8s.master.apiserver.accounts import ISSUER, AccountTokens, IssuerSettings
from busk8s.master.apiserver.authentication.account_keys import AccountKeys
from busk8s.master.apiserver.authentication.account_proof import AccountProof
from busk8s.master.apiserver.authentication.credentials import Rejected
from busk8s.master.apiserver.authn import TokenChain
from busk8s.master.apiserver.pki import Pki

NOW = 1_800_000_000.0
ACCOUNT = obj(resource("serviceaccounts"), "robot", "shop")
KEY = ("serviceaccounts", "shop", "robot")
POD_KEY = ("pods", "shop", "web")


class StoppedClock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("accounts") / "pki").ensure([], NOW)


class World:
    def __init__(self, pki: Pki) -> None:
        self.shelf = Shelf(ACCOUNT, POD)
        self.clock = StoppedClock()
        keys, ids = AccountKeys(pki), RandomIds(random.Random(1))
        self.settings = IssuerSettings()
        self.tokens = AccountTokens(keys, self.shelf.get, self.clock, ids, self.settings)
        self.proof = AccountProof(
            keys, self.shelf.get, self.clock, issuers=[ISSUER], audiences=[ISSUER]
        )
        self.warnings: list[str] = []

    def issue(self, **spec: Any) -> Json:
        return self.tokens.request("shop", ACCOUNT.data, spec, self.warnings)

    def verify(self, token: str) -> User | None:
        try:
            granted = self.proof.find(token, [ISSUER])
        except Rejected:
            return None
        return granted.user if granted else None

    def review(self, spec: Json) -> Json:
        chain = TokenChain(
            "x" * 20,
            lambda name: None,
            self.clock,
            accounts=self.proof.find,
            audiences=[ISSUER],
        )
        return asyncio.run(chain.review(spec))


@pytest.fixture
def world(pki: Pki) -> World:
    return World(pki)


def test_a_token_is_its_account(world: World) -> None:
    user = world.verify(world.issue()["token"])
    assert user is not None
    assert user.name == "system:serviceaccount:shop:robot"
    assert user.groups[:2] == ("system:serviceaccounts", "system:serviceaccounts:shop")


def test_a_token_ends(world: World) -> None:
    given = world.issue(expirationSeconds=700)
    assert world.verify(given["token"]) is not None
    world.clock.at += 700
    assert world.verify(given["token"]) is None
    assert given["expirationTimestamp"] == "2027-01-15T08:11:40Z"


@pytest.mark.parametrize(("gone", "spec"), [
    pytest.param(KEY, {}, id="its account"),
    pytest.param(POD_KEY, {"boundObjectRef": {"kind": "Pod", "name": "web"}}, id="its pod"),
])  # fmt: skip
def test_a_token_dies_with(world: World, gone: tuple[str, str, str], spec: Json) -> None:
    token = world.issue(**spec)["token"]
    assert world.verify(token) is not None
    del world.shelf.objects[gone]
    assert world.verify(token) is None


def test_an_account_of_the_same_name_is_another(world: World) -> None:
    token = world.issue()["token"]
    other = obj(resource("serviceaccounts"), "robot", "shop")
    other.data["metadata"]["uid"] = "another"
    world.shelf.objects[KEY] = other
    assert world.verify(token) is None


def test_a_token_for_others_is_not_for_us_but_can_be_reviewed(world: World) -> None:
    token = world.issue(audiences=["vault"])["token"]
    assert world.verify(token) is None
    asked = {"token": token, "audiences": ["vault"]}
    assert world.review(asked)["authenticated"] is True
    assert "authenticated" not in world.review({"token": token})


@pytest.mark.parametrize("spoil", ["", "a.b.c", "x" * 5_000])
def test_rubbish_is_no_token(world: World, spoil: str) -> None:
    assert world.verify(spoil) is None


def test_a_changed_token_is_no_token(world: World) -> None:
    head, body, signature = world.issue()["token"].split(".")
    assert world.verify(f"{head}.{body[:-2]}AA.{signature}") is None
    unsigned = "eyJhbGciOiJub25lIn0." + body + "."
    assert world.verify(unsigned) is None


def test_a_key_of_another_cluster_signs_nothing_here(world: World, tmp_path: Path) -> None:
    other = World(Pki(tmp_path / "pki").ensure([], NOW))
    assert world.verify(other.issue()["token"]) is None


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ({"kind": "Pod", "name": "lost"}, "not found"),
        ({"kind": "Pod", "name": "web", "uid": "old"}, "does not match"),
        (
            {"kind": "Deployment", "name": "web"},
            "object of type /, Kind=Deployment",
        ),
    ],
)
def test_a_token_is_bound_to_what_is_there(world: World, bound: Json, said: str) -> None:
    with pytest.raises(errors.Error, match=said):
        world.issue(boundObjectRef=bound)
    assert ISSUER.startswith("https://")
