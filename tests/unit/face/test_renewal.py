"""Certificates renew themselves: while the server runs, with connections open, before their end."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from shelf import Shelf
from test_accounts import ACCOUNT, StoppedClock

from busk8s.api.request import Request, Response
from busk8s.clock import SystemClock
from busk8s.config import ConfigError
from busk8s.ids import RandomIds
from busk8s.master.apiserver.accounts import ISSUER, AccountTokens
from busk8s.master.apiserver.authentication.account_keys import AccountKeys
from busk8s.master.apiserver.authentication.account_proof import AccountProof
from busk8s.master.apiserver.authn import Authenticator, TokenChain
from busk8s.master.apiserver.certificates.renewal import Renewal
from busk8s.master.apiserver.http import HttpServer
from busk8s.master.apiserver.pki import CA_DAYS, DAY_S, Pki

NOW = SystemClock().now()
NAMES = ("localhost",)


class World:
    def __init__(self, path: Path) -> None:
        self.clock = StoppedClock()
        self.clock.at = NOW
        self.pki = Pki(path / "pki").ensure(NAMES, NOW)
        self.renewal = Renewal(self.pki, NAMES, self.clock)
        self.told: list[str] = []
        self.renewal.on_renewed(self.told.extend)

    def after(self, days: float) -> Sequence[str]:
        self.clock.at = NOW + days * DAY_S
        self.told.clear()
        self.renewal.look()
        return self.told


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_renewed_before_its_time(world: World) -> None:
    before = {p.name: p.read_bytes() for p in world.pki.path.iterdir()}
    assert world.after(300) == []
    assert {p.name: p.read_bytes() for p in world.pki.path.iterdir()} == before


def test_every_certificate_is_renewed_in_time_and_no_authority_is(world: World) -> None:
    authority = world.pki.ca_pem
    renewed = world.after(340)
    assert renewed == [
        "serving", "admin", "controller-manager", "scheduler", "front-proxy-client",
    ]  # fmt: skip
    assert world.pki.ca_pem == authority
    assert world.after(341) == []
    assert "serving" in world.after(680)


@asynccontextmanager
async def served(world: World) -> AsyncIterator[tuple[str, int]]:
    async def handler(request: Request) -> Response:
        return Response()

    chain = TokenChain("t" * 32, lambda name: None, world.clock)
    server = HttpServer(handler, Authenticator(chain, world.clock), clock=SystemClock())
    bound = socket.create_server(("127.0.0.1", 0))
    await server.open([bound], world.renewal.follow(world.pki.server_context()))
    try:
        yield bound.getsockname()
    finally:
        await server.close()


async def shown(where: tuple[str, int]) -> tuple[bytes, asyncio.StreamWriter]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(*where, ssl=context)
    return writer.get_extra_info("ssl_object").getpeercert(binary_form=True), writer


@pytest.mark.realtime
async def test_new_connections_get_the_new_certificate_without_a_restart(world: World) -> None:
    async with served(world) as where:
        before, kept = await shown(where)
        world.after(340)
        after, other = await shown(where)
        assert before != after
        kept.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # the old connection goes on
        assert not kept.is_closing()
        for writer in (kept, other):
            writer.close()


def test_a_new_key_signs_and_the_old_one_still_proves(world: World) -> None:
    keys, shelf = AccountKeys(world.pki), Shelf(ACCOUNT)
    world.renewal.on_renewed(keys.follow)
    tokens = AccountTokens(keys, shelf.get, world.clock, RandomIds(random.Random(1)))
    proof = AccountProof(keys, shelf.get, world.clock, issuers=[ISSUER], audiences=[ISSUER])
    days = CA_DAYS - 20
    world.clock.at = NOW + days * DAY_S
    old = tokens.request("shop", ACCOUNT.data, {}, [])["token"]
    assert "sa" in world.after(days)
    new = tokens.request("shop", ACCOUNT.data, {}, [])["token"]
    assert len(keys.published()) == 2
    for token in (old, new):
        assert proof.find(token, [ISSUER]) is not None


def test_the_end_of_an_authority_is_told_and_makes_the_server_unready(world: World) -> None:
    assert world.renewal.check() is None
    world.after(CA_DAYS + 1)
    assert world.renewal.check() == "an authority has ended"


def test_damage_is_told_and_mended_by_the_next_look(world: World) -> None:
    serving = world.pki.certificate("serving")
    good = serving.read_bytes()
    serving.write_bytes(b"x")
    with pytest.raises(ConfigError, match="was changed"):
        world.after(340)
    serving.write_bytes(good)
    assert world.after(340)
