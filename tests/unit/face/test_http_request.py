"""The request reader: same bytes, any split, same requests; every malformed input a 4xx."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s import errors
from busk8s.master.apiserver.http_request import (
    BODY_BYTES_MAX,
    HEAD_BYTES_MAX,
    Incoming,
    RequestReader,
    split_target,
)

CONVERSATION = (
    b"GET /api/v1/pods?limit=5 HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n"
    b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    b"DELETE /y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
)


def told(requests: list[Incoming]) -> list[tuple[str, bytes, bytes, bool]]:
    return [(r.method, r.target, r.body, r.keep_alive) for r in requests]


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
def test_split_points_do_not_matter(points: list[int]) -> None:
    reader, seen = RequestReader(), []
    edges = [0, *sorted(points), len(CONVERSATION)]
    for start, end in itertools.pairwise(edges):
        seen += reader.feed(CONVERSATION[start:end])
    assert told(seen) == told(RequestReader().feed(CONVERSATION))
    assert [r.method for r in seen] == ["GET", "POST", "PUT", "DELETE"]
    assert [r.body for r in seen] == [b"", b"hello", b"abcde", b""]
    assert [r.keep_alive for r in seen] == [True, True, True, False]


@given(st.binary(max_size=300))
def test_any_bytes_give_requests_or_one_refusal(data: bytes) -> None:
    reader = RequestReader()
    seen = reader.feed(data)
    refused = [r for r in seen if r.refusal is not None]
    assert len(refused) <= 1
    assert all(400 <= r.refusal.code < 500 for r in refused if r.refusal)
    if refused:
        assert reader.broken
        assert reader.feed(CONVERSATION) == []


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="not HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, id="a header without a colon"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            id="two framings at once (request smuggling)",
        ),
        pytest.param(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, id="negative length"),
        pytest.param(b"GET / HTTP/1.1\r\nExpect: wonders\r\n\r\n", 417, id="unknown expectation"),
        pytest.param(
            b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_BYTES_MAX + b"\r\n\r\n", 431, id="huge header"
        ),
        pytest.param(
            b"GET /" + b"a" * HEAD_BYTES_MAX + b" HTTP/1.1\r\n\r\n", 431, id="huge target"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1)
            + b"a" * (BODY_BYTES_MAX + 1),
            413,
            id="huge body",
        ),
    ],
)
def test_a_malformed_request_is_refused_with(sent: bytes, code: int) -> None:
    [request] = RequestReader().feed(sent)
    assert request.refusal is not None
    assert request.refusal.code == code
    assert not request.keep_alive


def test_a_head_that_trickles_in_is_refused_at_its_limit() -> None:
    reader = RequestReader()
    assert reader.feed(b"GET / HTTP/1.1\r\nX: ") == []
    sent = 0
    while not reader.broken:
        seen = reader.feed(b"a" * 1000)
        sent += 1000
        assert sent <= HEAD_BYTES_MAX + 2000
    assert seen[0].refusal is not None
    assert seen[0].refusal.code == 431


def test_many_pipelined_requests_in_large_pieces_are_not_taken_for_one_large_head() -> None:
    one = b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n"
    data = one * 10_000
    reader, count = RequestReader(), 0
    for start in range(0, len(data), 100_001):
        count += len(reader.feed(data[start : start + 100_001]))
    assert count == 10_000


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/api/v1/pods", "/api/v1/pods", {}),
        (b"/a%20b?x=1&x=2&y=", "/a b", {"x": ["1", "2"], "y": [""]}),
        (b"/p?labelSelector=a%3Db%2Cc", "/p", {"labelSelector": ["a=b,c"]}),
        (b"http://host:1/api?x=1", "/api", {"x": ["1"]}),
    ],
)
def test_a_target_splits(target: bytes, path: str, query: dict[str, list[str]]) -> None:
    assert split_target(target) == (path, query)


@pytest.mark.parametrize("target", [b"*", b"host:443", b"/%ff", b"/%00", b"/?" + b"a&" * 2000])
def test_a_malformed_target_is_a_bad_request(target: bytes) -> None:
    with pytest.raises(errors.Error) as caught:
        split_target(target)
    assert caught.value.code == 400


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02",
        b"GET / HTTP/1.1\r\nX: " + b"x" * (HEAD_BYTES_MAX + 1) + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
    ids=["no HTTP", "a head too large", "an unknown version"],
)
def test_a_refusal_holds_no_frames_and_by_them_no_connection(data: bytes) -> None:
    """A walk of the heap comes rarely, and each connection holds buffers of hundreds of KB."""
    (incoming,) = RequestReader().feed(data)
    assert incoming.refusal is not None
    assert incoming.refusal.__traceback__ is None
    assert incoming.refusal.__context__ is None
