"""Join URLs, key files, tokens and subnets: what is read back, what is refused."""

from __future__ import annotations

import ipaddress
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.bus.joining import Invitation, parse_invitation
from busk8s.bus.security import KeyFileDamaged, admitter, load_keys
from busk8s.bus.transport import new_keys
from busk8s.bus.z85 import z85_decode, z85_encode
from busk8s.errors import Error
from busk8s.master.apiserver import tokens
from busk8s.master.apiserver.join import free_subnet

KEY = "00" * 32
TOKEN = "abcdef.0123456789abcdef"


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["m1", "10.0.0.1", "fe80::1"]))
def test_an_invitation_reads_as_it_was_written(key: bytes, host: str) -> None:
    made = Invitation("abcdef", "0123456789abcdef", host, 6441, z85_encode(key))
    assert parse_invitation(made.render()) == made
    assert "0123456789abcdef" not in repr(made)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "must begin with busk8s://", id="nothing"),
        pytest.param(f"https://{TOKEN}@h:1/{KEY}", "must begin with", id="another scheme"),
        pytest.param(f"busk8s://{TOKEN}@/{KEY}", "names no host", id="no host"),
        pytest.param(f"busk8s://abc@h:1/{KEY}", "token must be", id="half a token"),
        pytest.param(f"busk8s://h:1/{KEY}", "token must be", id="no token"),
        pytest.param(f"busk8s://{TOKEN}@h:99999/{KEY}", "malformed", id="impossible port"),
        pytest.param(f"busk8s://{TOKEN}@h:1/abc", "server key must be", id="short key"),
        pytest.param(f"busk8s://{TOKEN}@h:1/{'zz' * 32}", "server key must be", id="no hex"),
        pytest.param(f"busk8s://{TOKEN}@[h:1/{KEY}", "malformed", id="broken brackets"),
    ],
)
def test_a_malformed_invitation_says_which_part_is_wrong(text: str, words: str) -> None:
    with pytest.raises(Error, match=words) as caught:
        parse_invitation(text)
    assert caught.value.code == 400


@given(st.binary(max_size=40).filter(lambda data: len(data) % 4 == 0))
def test_z85_reads_as_it_was_written(data: bytes) -> None:
    assert z85_decode(z85_encode(data)) == data


@given(st.text(max_size=20))
def test_z85_refuses_everything_else_with_a_value_error(text: str) -> None:
    try:
        assert len(z85_decode(text)) % 4 == 0
    except ValueError:
        pass


def test_keys_are_made_once_and_are_nobody_elses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "node.key"
    keys = load_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = load_keys(path)
    assert (again.public, again.secret) == (keys.public, keys.secret)
    assert keys.secret not in repr(keys)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 40, b"x" * 41])
def test_a_damaged_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.key"
    path.write_bytes(content)
    with pytest.raises(KeyFileDamaged, match=r"node\.key holds no CURVE secret key"):
        load_keys(path)


def test_strangers_are_let_in_on_requests_only() -> None:
    admit, key = admitter(lambda key: None), new_keys().public
    assert admit("requests", key) == key
    assert admit("feed", key) is None
    assert admit("heartbeats", key) is None


@given(st.integers(1, 2**31), st.text(max_size=20))
def test_a_token_is_good_until_its_secret_expires(ttl_s: int, description: str) -> None:
    token = tokens.generate()
    secret = tokens.to_secret(token, expires_at=float(ttl_s), description=description)
    assert tokens.fields(secret).get("description", "") == description
    assert tokens.why_not(token, secret, ttl_s - 0.5) is None
    assert tokens.why_not(token, secret, float(ttl_s)) is not None


@given(st.lists(st.sampled_from([f"10.244.{n}.0/24" for n in range(6)] + ["10.244.0.0/22", "x"])))
def test_a_free_subnet_overlaps_nothing_taken(taken: list[str]) -> None:
    free = ipaddress.ip_network(free_subnet(taken))
    assert not any(free.overlaps(ipaddress.ip_network(t)) for t in taken if t != "x")


def test_a_full_network_says_so() -> None:
    with pytest.raises(Error, match="no pod subnet is left") as caught:
        free_subnet([f"10.0.{n}.0/24" for n in range(4)], "10.0.0.0/22")
    assert caught.value.code == 507
