"""What is counted, under which names and labels, and the text of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from busk8s.api.request import Request, Response
from busk8s.clock import LoopClock
from busk8s.exposition import Page
from busk8s.master.apiserver.attributes import AllowAll
from busk8s.master.apiserver.front import Front
from busk8s.master.apiserver.health import Health
from busk8s.master.apiserver.metrics.access import AccessMetrics
from busk8s.master.apiserver.metrics.requests import RequestMetrics, label
from busk8s.metrics import SERIES_MAX, Counter, Gauge, Histogram, text

SERVED = frozenset({("", "v1", "pods"), ("", "v1", "namespaces"), ("apps", "v1", "deployments"),
                    ("", "v1", "endpoints")})  # fmt: skip
POD = "/api/v1/namespaces/a/pods/b"


def told(families: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels, as Prometheus reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text(families).decode())
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("LIST", "", "", "v1", "pods", "", "cluster")),
        ("GET", "/api/v1/namespaces/a/pods", {}, ("LIST", "", "", "v1", "pods", "", "namespace")),
        ("GET", "/api/v1/pods", {"watch": ["1"]}, ("WATCH", "", "", "v1", "pods", "", "cluster")),
        ("GET", "/api/v1/pods", {"watch": ["0"]}, ("LIST", "", "", "v1", "pods", "", "cluster")),
        ("GET", POD, {}, ("GET", "", "", "v1", "pods", "", "resource")),
        ("HEAD", POD, {}, ("GET", "", "", "v1", "pods", "", "resource")),
        ("PUT", POD + "/status", {}, ("PUT", "", "", "v1", "pods", "status", "resource")),
        ("GET", POD + "/log", {}, ("CONNECT", "", "", "v1", "pods", "log", "resource")),
        ("GET", "/api/v1/namespaces/a", {}, ("GET", "", "", "v1", "namespaces", "", "resource")),
        ("PUT", "/api/v1/namespaces/a/finalize", {}, ("PUT", "", "", "v1", "namespaces", "finalize", "resource")),  # noqa: E501
        ("POST", "/apis/apps/v1/namespaces/a/deployments", {"dryRun": ["All"]}, ("POST", "All", "apps", "v1", "deployments", "", "resource")),  # noqa: E501
        ("DELETE", POD, {"dryRun": ["some"]}, ("DELETE", "invalid", "", "v1", "pods", "", "resource")),  # noqa: E501
        ("BREW", "/api/v1/coffee/pot", {}, ("other", "", "", "", "", "", "")),
        ("GET", "/apis", {}, ("GET", "", "", "", "", "", "")),
        ("GET", "/api/v1/pods/a/strange", {}, ("GET", "", "", "v1", "pods", "", "resource")),
    ],
)  # fmt: skip
def test_a_request_has_upstreams_labels(
    method: str, path: str, query: Any, expected: tuple[str, ...]
) -> None:
    assert label(Request(method, path, query=query), SERVED) == (*expected, "apiserver")


def test_an_apply_is_told_from_other_patches() -> None:
    of = Request("PATCH", POD, content_type="application/apply-patch+yaml")
    assert label(of, SERVED)[0] == "APPLY"
    assert label(Request("PATCH", POD), SERVED)[0] == "PATCH"


@given(st.text(alphabet="/apivpods1-.x", max_size=40), st.sampled_from(["GET", "POST", "X", ""]))
def test_no_request_makes_labels_of_its_own(path: str, method: str) -> None:
    verb, dry_run, *of, _, scope, component = label(Request(method, "/" + path), SERVED)
    assert verb in {"GET", "LIST", "POST", "other"}
    assert dry_run == ""
    assert tuple(of) in {("", "", ""), *SERVED}
    assert scope in {"", "cluster", "namespace", "resource"}
    assert component in {"", "apiserver"}


def front(metrics: RequestMetrics, answer: Any = None) -> Front:
    async def dispatch(request: Request) -> Response:
        return answer(request) if answer is not None else Response(200, b"{}")

    health = Health({"store": lambda: None}, {})
    page = Page(metrics.families(), health.families(), build={"major": "1"})
    return Front(dispatch, AllowAll(), health, metrics, LoopClock(), pages=page)


async def test_metrics_tell_what_was_asked_and_how_it_ended() -> None:
    metrics = RequestMetrics(SERVED)
    given = front(metrics)
    for _ in range(3):
        await given(Request("GET", POD))
    page = (await given(Request("GET", "/metrics"))).body.decode()
    assert (
        'apiserver_request_total{code="200",component="apiserver",dry_run="",group="",'
        'resource="pods",scope="resource",subresource="",verb="GET",version="v1"} 3\n'
    ) in page
    assert "# TYPE apiserver_request_total counter\n" in page
    assert 'kubernetes_build_info{major="1"} 1\n' in page
    assert "process_resident_memory_bytes" in page
    assert "python_info" in page
    values = told(metrics.families())
    at = tuple(sorted({
        "component": "apiserver", "group": "", "resource": "pods", "scope": "resource",
        "subresource": "", "verb": "GET", "version": "v1",
    }.items()))  # fmt: skip
    assert values["apiserver_response_sizes_sum", at] == 6
    assert values["apiserver_request_sli_duration_seconds_count", at] == 3


async def test_indicators_have_a_page_of_their_own() -> None:
    given = front(RequestMetrics(SERVED))
    await given(Request("GET", "/readyz"))
    page = (await given(Request("GET", "/metrics/slis"))).body.decode()
    assert 'kubernetes_healthchecks_total{name="store",status="success",type="readyz"} 1\n' in page
    assert 'kubernetes_healthcheck{name="store",type="livez"} 1\n' in page
    assert "apiserver_request" not in page


async def test_a_watch_is_long_running_until_nobody_reads_it() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{}"

    metrics = RequestMetrics(SERVED)
    given = front(metrics, lambda _: Response(200, stream=endless()))

    def running() -> float:
        return sum(v for (n, _), v in told(metrics.families()).items() if "longrunning" in n)

    response = await given(Request("GET", "/api/v1/pods", query={"watch": ["true"]}))
    assert running() == 1
    del response
    assert running() == 0


async def test_what_is_under_way_is_counted_by_its_kind() -> None:
    metrics = RequestMetrics(SERVED)
    seen: dict[str, tuple[int, int]] = {}

    def look(request: Request) -> Response:
        seen[request.method] = (metrics.reading, metrics.writing)
        return Response(200)

    given = front(metrics, look)
    await given(Request("GET", POD))
    await given(Request("PUT", POD))
    assert seen == {"GET": (1, 0), "PUT": (0, 1)}
    assert (metrics.reading, metrics.writing) == (0, 0)


async def test_deprecated_kinds_and_terminations_are_told() -> None:
    metrics = RequestMetrics(SERVED)
    given = front(metrics, lambda r: Response(429 if r.method == "POST" else 200))
    await given(Request("GET", "/api/v1/endpoints"))
    await given(Request("POST", "/api/v1/namespaces/a/pods"))
    await given(Request("POST", POD + "/eviction"))
    values = told(metrics.families())
    deprecated = [dict(at) for name, at in values if name == "apiserver_requested_deprecated_apis"]
    assert deprecated == [
        {"group": "", "version": "v1", "resource": "endpoints", "subresource": "",
         "removed_release": ""},
    ]  # fmt: skip
    ended = [dict(at) for name, at in values if name == "apiserver_request_terminations_total"]
    assert [at["subresource"] for at in ended] == [""]


def test_names_of_users_do_not_become_labels() -> None:
    metrics = AccessMetrics()
    for name in ("ann", "bob@example.com", "kubelet", "system:node:a"):
        metrics.known(name, 0.001)
    metrics.unknown(0.001, wrong=True)
    page = text(metrics.families()).decode().splitlines()
    said = [line for line in page if line.startswith("authenticat") and "duration" not in line]
    assert sorted(said) == [
        'authenticated_user_requests{username="email_id"} 1',
        'authenticated_user_requests{username="kubelet"} 1',
        'authenticated_user_requests{username="other"} 2',
        'authentication_attempts{result="error"} 1',
        'authentication_attempts{result="success"} 4',
    ]


labels = st.text(max_size=12)


@given(st.dictionaries(labels, st.integers(0, 10**14), max_size=6))
def test_any_label_is_read_back_as_it_was(values: dict[str, int]) -> None:
    counter = Counter("some_things_total", "Help\nwith \\ lines.", ("what",))
    for what, count in values.items():
        counter.inc((what,), count)
    want = {("some_things_total", (("what", what),)): count for what, count in values.items()}
    clean = {k: v for k, v in want.items() if "\r" not in k[1][0][1]}
    if clean == want:  # The parser of the client splits lines at carriage returns, too.
        assert told([counter]) == want


@given(st.lists(st.floats(0, 100), max_size=30))
def test_buckets_are_cumulative(values: list[float]) -> None:
    histogram = Histogram("seconds", "Time.", (1.0, 10.0, 50.0))
    for value in values:
        histogram.observe(value)
    found = told([histogram])
    for edge in (1.0, 10.0, 50.0):
        at = (("le", f"{edge:g}"),)
        assert found["seconds_bucket", at] == sum(value <= edge for value in values)
    assert found["seconds_count", ()] == found["seconds_bucket", (("le", "+Inf"),)] == len(values)
    assert found["seconds_sum", ()] == pytest.approx(sum(values))


def test_a_full_family_counts_what_it_knows() -> None:
    counter = Counter("things", "", ("of",))
    histogram = Histogram("times", "", (1.0,), ("of",))
    for number in range(SERIES_MAX + 5):
        counter.inc((str(number),))
        histogram.observe(0.5, (str(number),))
    counter.inc(("0",))
    assert len(counter.values) == len(histogram.cells) == SERIES_MAX
    assert counter.values[("0",)] == 2


def test_a_gauge_is_asked_when_it_is_told_of() -> None:
    value = [1.0]
    gauge = Gauge("level", "", lambda: value[0])
    assert told([gauge])["level", ()] == 1
    value[0] = 2.5
    assert told([gauge])["level", ()] == 2.5


async def test_more_series_than_there_is_room_for_are_counted_by_their_verb() -> None:
    served = {("g", "v1", f"kind{number}") for number in range(SERIES_MAX + 5)}
    metrics = RequestMetrics(served)
    for group, version, plural in served:
        metrics.count(Request("GET", f"/apis/{group}/{version}/{plural}/a"), Response(200), 0.1)
    page = text(metrics.families()).decode()
    assert page.count("\napiserver_request_total{") == SERIES_MAX + 1
    other = 'code="200",component="apiserver",dry_run="",group="",resource="",scope=""'
    assert f'apiserver_request_total{{{other},subresource="",verb="GET",version=""}} 5\n' in page
