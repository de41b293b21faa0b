"""The CA and its certificates: made once, private, renewed, and damage told by name."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from busk8s.api.request import Request, Response, User
from busk8s.clock import SystemClock
from busk8s.config import ConfigError, DataDir, MasterSettings
from busk8s.ids import RandomIds
from busk8s.master.apiserver.authn import Authenticator, TokenChain
from busk8s.master.apiserver.http import HttpServer
from busk8s.master.apiserver.pki import Pki, host_names

NOW = SystemClock().now()
NAMES = host_names("127.0.0.1", "192.0.2.7", ("cluster.example",), "10.96.0.1")
DAY = 86_400


def made(path: Path, *, now: float = NOW) -> Pki:
    return Pki(path / "pki").ensure(NAMES, now)


def test_keys_are_private_and_a_second_start_changes_nothing(tmp_path: Path) -> None:
    pki = made(tmp_path)
    before = {p.name: p.read_bytes() for p in pki.path.iterdir()}
    made(tmp_path)
    assert {p.name: p.read_bytes() for p in pki.path.iterdir()} == before
    assert {stat.S_IMODE(p.stat().st_mode) for p in pki.path.iterdir()} == {0o600}
    assert stat.S_IMODE(pki.path.stat().st_mode) == 0o700


def test_old_leaves_are_renewed_and_the_ca_stays(tmp_path: Path) -> None:
    pki = made(tmp_path)
    ca, serving = pki.ca_pem, pki.certificate("serving").read_bytes()
    made(tmp_path, now=NOW + 340 * DAY)
    assert pki.ca_pem == ca
    assert pki.certificate("serving").read_bytes() != serving


def test_a_new_name_makes_a_new_serving_certificate_only(tmp_path: Path) -> None:
    pki = made(tmp_path)
    admin = pki.certificate("admin").read_bytes()
    Pki(tmp_path / "pki").ensure([*NAMES, "other.example"], NOW)
    assert "other.example" in json.loads((pki.path / "state.json").read_text())["serving"]["names"]
    assert pki.certificate("admin").read_bytes() == admin


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        pytest.param(lambda p: (p / "ca.key").unlink(), "ca.key is missing", id="lost CA key"),
        pytest.param(
            lambda p: (p / "serving.crt").write_text("x"), "was changed", id="edited certificate"
        ),
        pytest.param(lambda p: (p / "state.json").write_text("{"), "damaged", id="damaged state"),
        pytest.param(lambda p: (p / "state.json").unlink(), "not made by busk8s", id="strange CA"),
        pytest.param(lambda p: (p / "admin.token").unlink(), "admin.token", id="lost token"),
    ],
)
def test_damage_is_told(tmp_path: Path, harm: object, said: str) -> None:
    pki = made(tmp_path)
    harm(pki.path)  # type: ignore[operator] # a callable from the table
    with pytest.raises(ConfigError, match=said):
        made(tmp_path).admin_token()


@pytest.mark.realtime
async def test_a_client_certificate_names_its_user_over_tls(tmp_path: Path) -> None:
    pki = made(tmp_path)
    seen: list[User] = []

    async def handler(request: Request) -> Response:
        seen.append(request.user)
        return Response()

    chain = TokenChain("t" * 32, lambda name: None, SystemClock())
    identify = Authenticator(chain, SystemClock())
    server = HttpServer(handler, identify, clock=SystemClock())
    bound = socket.create_server(("127.0.0.1", 0))
    await server.open([bound], pki.server_context())
    context = ssl.create_default_context(cadata=pki.ca_pem.decode())
    context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
    reader, writer = await asyncio.open_connection(
        *bound.getsockname(), ssl=context, server_hostname="kubernetes.default.svc"
    )
    writer.write(b"GET /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    await server.close()
    assert seen[0].name == "kubernetes-admin"
    assert "system:masters" in seen[0].groups


def opened(path: Path) -> DataDir:
    return DataDir(path).open(RandomIds(random.Random(1)))


def test_a_data_directory_in_use_is_refused_with_its_holder(tmp_path: Path) -> None:
    first = opened(tmp_path).lock()
    with pytest.raises(ConfigError, match="in use by process"):
        opened(tmp_path).lock()
    first.unlock()
    opened(tmp_path).lock().unlock()


def test_a_data_directory_keeps_its_cluster_id(tmp_path: Path) -> None:
    assert opened(tmp_path / "a").cluster_id == opened(tmp_path / "a").cluster_id


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        pytest.param("notes.txt", "mine", "not a busk8s data directory", id="someone's files"),
        pytest.param("cluster.json", "{", "damaged", id="damaged marker"),
        pytest.param("cluster.json", '{"id": "a", "layout": 99}', "layout 99", id="newer layout"),
        pytest.param("cluster.json", '{"id": "../x", "layout": 1}', "not a cluster id", id="path"),
    ],
)
def test_a_foreign_data_directory_is_refused(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"https_port": 70_000}, "--https-port: 70000 is not a port"),
        ({"feed_port": 6440}, "each port may be used once"),
        ({"bind": "somewhere"}, "--bind-address: 'somewhere' is not an IP address"),
        ({"beat_s": 0.0}, "--beat"),
        ({"grace_s": 1.0}, "--node-grace"),
    ],
)
def test_settings_that_cannot_be_right_are_named(change: Mapping[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MasterSettings(Path("/nowhere"), **change).check()  # type: ignore[arg-type]  # some are wrong on purpose
