"""Ways to log in beside tokens of ours: users of a file, front proxies, and nobody at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from busk8s import errors
from busk8s.api.request import ANONYMOUS, User
from busk8s.authentication_settings import AuthenticationSettings
from busk8s.clock import LoopClock
from busk8s.config import ConfigError
from busk8s.master.apiserver.authentication.front_proxy import FrontProxy
from busk8s.master.apiserver.authentication.peers import NOBODY, Peer
from busk8s.master.apiserver.authentication.static_users import StaticUsers
from busk8s.master.apiserver.authn import Anonymous, Authenticator, TokenChain
from busk8s.master.apiserver.http_request import KEPT_HEADERS, Kept, RequestReader

NOW = 1_800_000_000.0
PROXY = Peer(proxy="front-proxy-client")
SAID = {
    "x-remote-user": "ann",
    "x-remote-uid": "7",
    "x-remote-group": "dev\nops",
    "x-remote-extra-acme.com%2fproject": "one\ntwo",
}


def authenticator(users: StaticUsers | None = None, **more: object) -> Authenticator:
    clock = LoopClock(NOW)
    chain = TokenChain(
        "t" * 32, lambda name: None, clock, static=users.find if users else None, audiences=["us"]
    )
    return Authenticator(chain, clock, **more)  # type: ignore[arg-type] # parts by name


def users_file(tmp_path: Path, text: str) -> StaticUsers:
    path = tmp_path / "users.csv"
    path.write_text(text)
    return StaticUsers.read(path)


async def test_a_user_of_the_file_has_name_uid_and_groups(tmp_path: Path) -> None:
    users = users_file(tmp_path, 's3cret,ann,7,"dev,ops"\nother,bob,8\n')
    ann = await authenticator(users).user(NOBODY, {"authorization": "Bearer s3cret"})
    assert ann == User("ann", ("dev", "ops", "system:authenticated"), "7")
    bob = await authenticator(users).user(NOBODY, {"authorization": "bearer other"})
    assert bob.groups == ("system:authenticated",)
    with pytest.raises(errors.Error, match="Unauthorized"):
        await authenticator(users).user(NOBODY, {"authorization": "Bearer s3cre"})


def test_an_empty_token_opens_nothing_and_the_last_of_two_counts(tmp_path: Path) -> None:
    users = users_file(tmp_path, ",nobody,0\n\nx,old,1\nx,new,2\n")
    assert users.find("") is None
    found = users.find("x")
    assert found is not None
    assert found.name == "new"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a,b\n", "must have at least 3 columns", id="two columns"),
        pytest.param('a,b,"c\n', "--token-auth-file", id="an open quote"),
    ],
)
def test_a_file_that_is_none_is_told_at_the_start(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        users_file(tmp_path, text)
    with pytest.raises(ConfigError, match="No such file"):
        StaticUsers.read(tmp_path / "lost")


async def test_a_front_proxy_speaks_for_its_user() -> None:
    user = await authenticator().user(PROXY, SAID)
    assert (user.name, user.uid) == ("ann", "7")
    assert user.groups == ("dev", "ops", "system:authenticated")
    assert user.extra == {"acme.com/project": ("one", "two")}


async def test_the_same_headers_from_anyone_else_are_nothing() -> None:
    assert await authenticator().user(NOBODY, SAID) is ANONYMOUS
    jo = User("jo")
    assert await authenticator().user(Peer(jo), SAID) is jo


async def test_a_proxy_of_a_name_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(errors.Error, match="Unauthorized"):
        await authenticator().user(Peer(proxy="intruder"), SAID)
    anyone = authenticator(front=FrontProxy(names=()))
    assert (await anyone.user(Peer(proxy="intruder"), SAID)).name == "ann"


async def test_a_proxy_that_names_nobody_is_nobody() -> None:
    assert await authenticator().user(PROXY, {}) is ANONYMOUS


async def test_a_certificate_ends_in_the_middle_of_a_connection() -> None:
    with pytest.raises(errors.Error, match="Unauthorized"):
        await authenticator().user(Peer(User("jo"), until=NOW), {})


def kept(kept: Kept | None = None) -> dict[str, str]:
    reader = RequestReader(kept) if kept else RequestReader()
    sent = (
        b"GET / HTTP/1.1\r\nX-Remote-User: root\r\nX-Remote-User: other\r\n"
        b"x-remote-GROUP: system:masters,x\r\nX-Remote-Extra-A: 1\r\nX_Remote_User: under\r\n\r\n"
    )
    (request,) = reader.feed(sent)
    return request.headers


def test_headers_of_proxies_are_not_even_read_on_other_connections() -> None:
    assert kept() == {}


def test_on_a_proxys_connection_every_line_stays_apart() -> None:
    said = frozenset({"x-remote-user", "x-remote-group"})
    headers = kept(Kept(KEPT_HEADERS | said, ("x-remote-extra-",), said))
    user = FrontProxy().read("front-proxy-client", headers)
    assert user == User("root", ("system:masters,x",), "", {"a": ("1",)})


@pytest.mark.parametrize(
    ("rule", "path", "may"),
    [
        pytest.param(Anonymous(), "/api", True, id="by default anyone"),
        pytest.param(Anonymous(enabled=False), "/healthz", False, id="not at all"),
        pytest.param(Anonymous(paths=frozenset({"/livez"})), "/livez", True, id="a listed path"),
        pytest.param(Anonymous(paths=frozenset({"/livez"})), "/livez/x", False, id="another"),
    ],
)
async def test_nobody_may_ask_where_the_rule_says_so(rule: Anonymous, path: str, may: bool) -> None:
    asked = authenticator(anonymous=rule).user(NOBODY, {}, path)
    if may:
        assert await asked is ANONYMOUS
    else:
        with pytest.raises(errors.Error, match="Unauthorized"):
            await asked


async def test_a_browsers_socket_brings_its_token_as_a_protocol(tmp_path: Path) -> None:
    users = users_file(tmp_path, "s3cret,ann,7\n")
    offered = "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.czNjcmV0"
    user = await authenticator(users).user(NOBODY, {"sec-websocket-protocol": offered})
    assert user.name == "ann"


async def test_a_review_names_users_of_every_kind_for_our_own_audience(tmp_path: Path) -> None:
    users = users_file(tmp_path, "s3cret,ann,7\n")
    chain = TokenChain(
        "t" * 32, lambda n: None, LoopClock(NOW), static=users.find, audiences=["us"]
    )
    said = await chain.review({"token": "s3cret"})
    assert said == {
        "authenticated": True,
        "user": {"username": "ann", "uid": "7", "groups": ["system:authenticated"]},
        "audiences": ["us"],
    }
    assert (await chain.review({"token": "s3cret", "audiences": ["vault"]}))["user"] == {}
    both = await chain.review({"token": "s3cret", "audiences": ["vault", "us"]})
    assert both["audiences"] == ["us"]
    assert (await chain.review({"token": "x" * 20_000}))["error"] == "invalid bearer token"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"service_account_max_token_expiration": 60.0}, "1 hour"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_flags_that_cannot_be_right_are_named(given: dict[str, object], said: str) -> None:
    assert said in AuthenticationSettings(**given).wrong()  # type: ignore[arg-type] # from a table
