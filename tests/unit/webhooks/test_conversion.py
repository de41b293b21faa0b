"""Custom resources that a webhook converts: every verb in every version, over real HTTPS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conversion_world import (
    APPLY,
    CRDS,
    MERGE,
    NAME,
    SERVED,
    TABLE,
    changing,
    converted,
    custom,
    definition,
    events,
    fields,
    honest,
    listening,
    said,
    url,
    world,
)
from hook_server import Certificates, Json, allow, deny, patch

from busk8s.metrics import text

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    path: Path = tmp_path_factory.mktemp("certificates")
    return Certificates(path)


def content(obj: Json) -> Json:
    """All that makes the object its version's, but for what identifies it."""
    return {key: value for key, value in obj.items() if key not in ("metadata", "kind")}


def expected(version: str, num1: int = 1) -> Json:
    return content(custom(version, num1=num1))


@pytest.mark.parametrize("reviews", [("v1", "v1beta1"), ("v1beta1", "v1"), ("v2", "v1")])
@pytest.mark.parametrize("made_in", SERVED)
async def test_an_object_of_one_version_is_kept_in_another_and_shown_in_all(
    certificates: Certificates, made_in: str, reviews: tuple[str, ...]
) -> None:
    async with world(certificates, reviews=reviews) as api:
        made = await api.must("POST", url(made_in), custom(made_in, garbage="x"))
        assert content(made) == expected(made_in)
        assert api.stored() == expected("v1beta1")
        for version in SERVED:
            assert content(await api.must("GET", url(version, "a"))) == expected(version)
            listed = await api.must("GET", url(version))
            assert listed["apiVersion"] == f"stable.example.com/{version}"
            assert [content(each) for each in listed["items"]] == [expected(version)]
        for place in ("a", "a/status"):
            note = {"metadata": {"annotations": {place.replace("/", "."): "true"}}}
            patched = await api.must("PATCH", url(made_in, place), note, MERGE)
            assert content(patched) == expected(made_in)
            assert api.stored() == expected("v1beta1")
        assert api.hooks.asked == [] or api.hooks.asked[0]["apiVersion"] == (
            f"apiextensions.k8s.io/{next(v for v in reviews if v != 'v2')}"
        )


async def test_the_review_says_what_upstream_says(certificates: Certificates) -> None:
    async with world(certificates) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        assert api.calls == 0  # Nothing is converted that lies in the version asked for.
        await api.must("GET", url("v1beta2", "a"))
        [asked] = api.hooks.asked
        assert (asked["kind"], asked["apiVersion"]) == (
            "ConversionReview",
            "apiextensions.k8s.io/v1",
        )
        request = asked["request"]
        assert request.keys() == {"uid", "desiredAPIVersion", "objects"}
        assert request["desiredAPIVersion"] == "stable.example.com/v1beta2"
        [sent] = request["objects"]
        assert content(sent) == expected("v1beta1")
        assert sent["metadata"]["resourceVersion"]
        assert api.hooks.targets == ["/hook?timeout=30s"]


async def test_updates_are_judged_in_the_version_they_are_made_in(
    certificates: Certificates,
) -> None:
    async with world(certificates) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        seen = await api.must("GET", url("v1beta2", "a"))
        seen["numv2"]["num1"] = 7
        after = await api.must("PUT", url("v1beta2", "a"), seen)
        assert (after["numv2"]["num1"], after["metadata"]["generation"]) == (7, 2)
        assert api.stored() == expected("v1beta1", 7)
        same = await api.must("PUT", url("v1beta2", "a"), after)
        assert same["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
        status, error = await api.do("PATCH", url("v1beta2", "a"), {"numv2": {"num1": "x"}}, MERGE)
        assert (status, error["details"]["causes"][0]["field"]) == (422, "numv2.num1")
        status, error = await api.do("PUT", url("v1beta2", "a"), seen)
        assert (status, error["reason"]) == (409, "Conflict")


async def test_defaults_of_the_request_are_kept_and_those_of_the_store_are_shown(
    certificates: Certificates,
) -> None:
    """Upstream's rule: what is written has the defaults of the version it is written in, what is
    read those of the version it lies in, and no other version's."""
    async with world(certificates) as api:
        for version in SERVED:
            body = custom(version, version, defaults={})
            made = await api.must("POST", url(version), body)
            assert made["defaults"] == {version: True, "v1beta1": True}
            assert api.stored(version)["defaults"] == {version: True}
            for other in SERVED:
                shown = await api.must("GET", url(other, version))
                assert shown["defaults"] == {version: True, "v1beta1": True}


async def test_scale_status_and_columns_are_those_of_the_version(
    certificates: Certificates,
) -> None:
    async with world(certificates) as api:
        await api.must("POST", url("v1beta2"), custom("v1beta2", spec={"replicas": 2}))
        assert (await api.must("GET", url("v1beta2", "a/scale")))["spec"] == {"replicas": 2}
        patch = {"spec": {"replicas": 5}}
        scaled = await api.must("PATCH", url("v1beta2", "a/scale"), patch, MERGE)
        assert scaled["spec"] == {"replicas": 5}
        assert api.stored()["spec"] == {"replicas": 5}
        ready = {"status": {"ready": True}, "numv2": {"num1": 9}}
        shown = await api.must("PATCH", url("v1beta2", "a/status"), ready, MERGE)
        assert (shown["status"], shown["numv2"]["num1"]) == ({"ready": True}, 1)
        _, table = await api.do("GET", url("v1beta2"), accept=TABLE)
        assert [row["cells"] for row in table["rows"]] == [["a", 1]]


async def test_a_watch_shows_every_change_in_its_version(certificates: Certificates) -> None:
    async with world(certificates) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        reading = await listening(await api.raw("GET", url("v1beta2") + "?watch=1"), 3)
        await api.must("PATCH", url("v1beta1", "a"), {"num": {"num1": 2}}, MERGE)
        await api.must("DELETE", url("v1beta1", "a"))
        seen = await reading
        assert [event["type"] for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
        assert [content(event["object"]) for event in seen] == [
            expected("v1beta2"),
            expected("v1beta2", 2),
            expected("v1beta2", 2),
        ]
        revisions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
        assert revisions == sorted(set(revisions))


async def test_a_webhook_may_change_labels_and_selectors_see_that(
    certificates: Certificates,
) -> None:
    def mark(obj: Json) -> None:
        version = obj["apiVersion"].rpartition("/")[2]
        obj["metadata"]["labels"] = {"seen-as": version, **obj["metadata"].get("labels", {})}

    async with world(certificates, changing(mark)) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        query = "?labelSelector=seen-as%3Dv1beta2".replace("%3D", "=")
        assert len((await api.must("GET", url("v1beta2") + query))["items"]) == 1
        assert len((await api.must("GET", url("v1beta1") + query))["items"]) == 0
        watch = await api.raw("GET", url("v1beta2") + query + "&watch=1")
        reading = await listening(watch, 2)
        await api.must("PATCH", url("v1beta1", "a"), {"num": {"num1": 2}}, MERGE)
        assert [event["type"] for event in await reading] == ["ADDED", "MODIFIED"]
        await api.must("DELETE", url("v1beta2") + query)
        assert (await api.must("GET", url("v1beta1")))["items"] == []


async def test_many_watchers_cost_one_call_a_change(certificates: Certificates) -> None:
    async with world(certificates) as api:
        watchers = [
            await listening(await api.raw("GET", url("v1beta2") + "?watch=1"), 3) for _ in range(50)
        ]
        for index in range(3):
            await api.must("POST", url("v1beta1"), custom("v1beta1", f"x{index}"))
        for watcher in watchers:
            assert [event["type"] for event in await watcher] == ["ADDED"] * 3
        sent = [
            each["metadata"]["name"] for a in api.hooks.asked for each in a["request"]["objects"]
        ]
        assert sorted(sent) == ["x0", "x1", "x2"]


async def test_a_list_is_converted_together(certificates: Certificates) -> None:
    async with world(certificates) as api:
        for index in range(501):
            await api.must("POST", url("v1beta1"), custom("v1beta1", f"x{index:03}"))
        listed = await api.must("GET", url("v1beta2"))
        assert [each["metadata"]["name"] for each in listed["items"]] == [
            f"x{index:03}" for index in range(501)
        ]
        assert [len(a["request"]["objects"]) for a in api.hooks.asked] == [500, 1]
        await api.must("GET", url("v1beta2"))
        assert api.calls == 2  # Nothing has changed since.
        await api.spec(preserveUnknownFields=False)
        page = await api.must("GET", url("v1alpha1") + "?limit=2")
        assert [content(each) for each in page["items"]] == [expected("v1alpha1")] * 2
        assert len(api.hooks.asked[-1]["request"]["objects"]) == 2  # A page costs a page.


async def test_metadata_is_the_objects_own_but_for_labels_and_annotations(
    certificates: Certificates,
) -> None:
    def meddle(obj: Json) -> None:
        obj["metadata"] |= {
            "generation": 42, "finalizers": ["x/y"], "resourceVersion": "42", "garbage": "x",
            "labels": {"to": obj["apiVersion"].rpartition("/")[2]}, "annotations": {"a": "b"},
        }  # fmt: skip

    async with world(certificates, changing(meddle)) as api:
        made = await api.must("POST", url("v1beta2"), custom("v1beta2"))
        metadata = made["metadata"]
        assert (metadata["labels"], metadata["annotations"]) == ({"to": "v1beta2"}, {"a": "b"})
        assert metadata["generation"] == 1
        assert not {"finalizers", "garbage"} & metadata.keys()
        obj = api.cache.get(NAME, "default", "a")
        assert obj is not None
        assert obj.labels == {"to": "v1beta1"}  # What the webhook says of labels is kept.


def _everything(api: Any, version: str, seen: Json) -> list[tuple[str, tuple[Any, ...]]]:
    where = url(version, "a")
    scale: Json = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 2}}
    scale["metadata"] = {"name": "a"}
    note = {"metadata": {"annotations": {"patch": "true"}}}
    return [
        ("get", ("GET", where)),
        ("list", ("GET", url(version))),
        ("create", ("POST", url(version), custom(version, "b"))),
        ("update", ("PUT", where, seen)),
        ("patch", ("PATCH", where, note, MERGE)),
        ("apply", ("PATCH", f"{where}?fieldManager=m&force=true", custom(version, num1=3), APPLY)),
        ("delete", ("DELETE", where)),
        ("deletecollection", ("DELETE", url(version))),
        ("status get", ("GET", f"{where}/status")),
        ("status update", ("PUT", f"{where}/status", seen)),
        ("status patch", ("PATCH", f"{where}/status", note, MERGE)),
        ("scale get", ("GET", f"{where}/scale")),
        ("scale update", ("PUT", f"{where}/scale", scale)),
        ("scale patch", ("PATCH", f"{where}/scale", {"spec": {"replicas": 3}}, MERGE)),
    ]


def _reviewed(**response: Any) -> Any:
    return lambda asked: said(asked, [], **response)


WRONG: dict[str, tuple[Any, str]] = {
    "no objects": (_reviewed(), " returned 0 objects, expected 1"),
    "objects that are none": (_reviewed(convertedObjects=7), " returned 0 objects, expected 1"),
    "a failure with a message": (
        _reviewed(result={"status": "Failure", "message": "no way"}),
        " failed: no way",
    ),
    "a failure without": (
        _reviewed(result={}),
        " failed: response.result.status was '', not 'Success'",
    ),
    "no response": (lambda asked: {**asked, "response": None}, " failed: no response provided"),
    "another review's uid": (
        lambda asked: said(asked, [], uid="7"),
        " failed: expected response.uid=",
    ),
    "another kind of review": (
        lambda asked: {**honest(asked), "kind": "AdmissionReview"},
        " failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got "
        "apiextensions.k8s.io/v1, Kind=AdmissionReview",
    ),
    "another version": (
        changing(lambda obj: obj.update(apiVersion="stable.example.com/v1")),
        " returned invalid object at index 0: invalid groupVersion (expected "
        "stable.example.com/v1beta2, received stable.example.com/v1)",
    ),
    "another kind": (
        changing(lambda obj: obj.update(kind="Other")),
        " returned invalid object at index 0: invalid kind (expected MultiVersion, received Other)",
    ),
    "no kind": (
        changing(lambda obj: obj.pop("kind")),
        " returned invalid object at index 0: Object 'Kind' is missing in '",
    ),
    "null": (
        lambda asked: said(asked, [None]),
        " returned invalid object at index 0: Object 'Kind' is missing in 'null'",
    ),
    "another uid": (
        changing(lambda obj: obj["metadata"].update(uid="42")),
        " returned invalid object: must have the same UID: ",
    ),
    "another name": (
        changing(lambda obj: obj["metadata"].update(name="z")),
        " returned invalid object: must have the same name: a != z",
    ),
    "another namespace": (
        changing(lambda obj: obj["metadata"].pop("namespace")),
        " returned invalid object: must have the same namespace: default != ",
    ),
    "labels that are none": (
        changing(lambda obj: obj["metadata"].update(labels=[1])),
        " returned invalid metadata: invalid metadata.labels of type []interface {} in converted "
        "object",
    ),
    "a label that is no text": (
        changing(lambda obj: obj["metadata"].update(labels={"a": 1})),
        " returned invalid metadata: metadata.labels[a] must be a string, but is int64 in "
        "converted object",
    ),
    "a label that cannot be": (
        changing(lambda obj: obj["metadata"].update(labels={"a b": "c"})),
        ' returned invalid metadata: metadata.labels: Invalid value: "a b": name part must',
    ),
    "nested too deep": (
        lambda asked: said(asked, [_deep()]),
        " returned invalid object at index 0: the object is nested deeper than 200 levels",
    ),
    "no JSON": (
        lambda asked: b"<html>",
        " failed: couldn't get version/kind; json parse error: invalid character '<' looking for "
        "beginning of value",
    ),
    "nothing": (lambda asked: b"", " failed: 0-length response with status code: 200"),
    "a refusal": (
        lambda asked: (400, b""),
        " failed: the server rejected our request for an unknown reason",
    ),
    "a breakdown": (
        lambda asked: (500, b"oh no"),
        ' failed: an error on the server ("oh no") has prevented the request from succeeding',
    ),
    "too much": (
        lambda asked: b" " * (8 * 1024 * 1024 + 1),
        " the response body is larger than 8388608 bytes",
    ),
}


def _deep() -> Json:
    inner: Any = 1
    for _ in range(250):
        inner = [inner]
    return {"kind": "MultiVersion", "inner": inner}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_with_an_answer_is_told_in_upstreams_words(
    certificates: Certificates, case: str
) -> None:
    answer, message = WRONG[case]
    async with world(certificates, answer) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        status, error = await api.do("GET", url("v1beta2", "a"))
        assert (status, error.get("reason")) == (500, None)
        begin = "conversion webhook for stable.example.com/v1beta1, Kind=MultiVersion"
        assert error["message"].startswith(begin)
        assert message in error["message"]
        assert api.stored() == expected("v1beta1")


async def test_a_failing_webhook_fails_every_verb_of_its_versions_and_none_of_the_stored_one(
    certificates: Certificates,
) -> None:
    answer = _reviewed(result={"status": "Failure", "message": "custom error"})
    async with world(certificates, answer) as api:
        made = await api.must("POST", url("v1beta1"), custom("v1beta1", spec={"replicas": 1}))
        seen = {**converted(made, "stable.example.com/v1beta2")}
        for verb, request in _everything(api, "v1beta2", seen):
            status, error = await api.do(*request)
            assert (verb, status, "custom error" in error["message"]) == (verb, 500, True), error
        [event] = await events(await api.raw("GET", url("v1beta2") + "?watch=1"), 1)
        assert (event["type"], event["object"]["code"]) == ("ERROR", 500)
        assert "custom error" in event["object"]["message"]
        current = await api.must("GET", url("v1beta1", "a"))
        assert current["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        for _, request in _everything(api, "v1beta1", current)[:6]:
            await api.must(*request)
        await api.must("DELETE", url("v1beta1"))


async def test_a_webhook_that_hangs_holds_up_nobody_else(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("busk8s.master.apiserver.conversion.converter.CALL_S", 0.3)
    held = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()

    async with world(certificates) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        api.hooks.raw = hang
        asking = [asyncio.ensure_future(api.do("GET", url("v1beta2", "a"))) for _ in range(40)]
        await api.must("GET", url("v1beta1", "a"))
        for status, error in await asyncio.gather(*asking):
            assert status == 500
            assert error["message"] == (
                "conversion webhook for stable.example.com/v1beta1, Kind=MultiVersion failed: "
                f'Post "{api.hooks.url}?timeout=1s": context deadline exceeded'
            )
        assert api.hooks.connections == 1  # All waited for one call.
        held.set()
        api.hooks.raw = None
        await api.must("GET", url("v1beta2", "a"))


async def test_who_waits_for_a_call_asks_anew_when_its_asker_has_gone(
    certificates: Certificates,
) -> None:
    held = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()

    async with world(certificates) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        api.hooks.raw = hang
        first = asyncio.ensure_future(api.do("GET", url("v1beta2", "a")))
        while not api.calls:
            await asyncio.sleep(0.01)
        second = asyncio.ensure_future(api.do("GET", url("v1beta2", "a")))
        await asyncio.sleep(0.01)
        api.hooks.raw = None
        first.cancel()
        status, shown = await second
        assert (status, content(shown)) == (200, expected("v1beta2"))
        held.set()


async def test_a_dry_run_is_converted_and_forgotten(certificates: Certificates) -> None:
    async with world(certificates) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        await api.must("GET", url("v1beta2", "a"))
        patch = {"numv2": {"num1": 9}}
        tried = await api.must("PATCH", url("v1beta2", "a") + "?dryRun=All", patch, MERGE)
        assert content(tried) == expected("v1beta2", 9)
        assert content(await api.must("GET", url("v1beta2", "a"))) == expected("v1beta2")
        made = await api.must("POST", url("v1beta2") + "?dryRun=All", custom("v1beta2", "b"))
        assert content(made) == expected("v1beta2")
        assert (await api.do("GET", url("v1beta2", "b")))[0] == 404


async def test_appliers_in_two_versions_share_an_object(certificates: Certificates) -> None:
    async with world(certificates) as api:

        async def apply(version: str, manager: str, **body: Any) -> tuple[int, Json]:
            config = {
                "apiVersion": f"stable.example.com/{version}",
                "kind": "MultiVersion",
                "metadata": {"name": "a"},
                **body,
            }
            where = f"{url(version, 'a')}?fieldManager={manager}"
            return await api.do("PATCH", where, config, APPLY)

        assert (await apply("v1beta1", "one", num={"num1": 1}))[0] == 201
        status, after = await apply("v1beta2", "two", contentv2={"key": "x"})
        assert (status, after["numv2"], after["contentv2"]) == (200, {"num1": 1}, {"key": "x"})
        versions = {e["manager"]: e["apiVersion"] for e in after["metadata"]["managedFields"]}
        assert versions == {
            "one": "stable.example.com/v1beta1",
            "two": "stable.example.com/v1beta2",
        }
        status, error = await apply("v1beta2", "two", numv2={"num1": 2})
        assert status == 409
        assert error["details"]["causes"][0]["message"].startswith('conflict with "one"')
        # What one gives up goes, though two has its own view of it.
        status, after = await apply("v1beta1", "one")
        assert (status, "num" in after, after["content"]) == (200, False, {"key": "x"})
        # An update in the other version takes over what it changes.
        await api.must("PATCH", url("v1beta1", "a"), {"content": {"key": "y"}}, MERGE)
        status, error = await apply("v1beta2", "two", contentv2={"key": "x"})
        assert status == 409


async def test_the_storage_version_changes_under_stored_objects(
    certificates: Certificates,
) -> None:
    async with world(certificates) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1", "old"))
        changed = await api.store_as("v1beta2")
        assert changed["status"]["storedVersions"] == ["v1beta1", "v1beta2"]
        await api.must("POST", url("v1beta1"), custom("v1beta1", "new"))
        assert api.stored("new") == expected("v1beta2")
        for version in SERVED:
            listed = await api.must("GET", url(version))
            assert [content(each) for each in listed["items"]] == [expected(version)] * 2
        assert api.stored("old") == expected("v1beta1")
        await api.must("PATCH", url("v1beta1", "old"), {}, MERGE)  # A write of nothing moves it.
        assert api.stored("old") == expected("v1beta2")


async def test_the_strategy_changes_while_the_server_runs(certificates: Certificates) -> None:
    async with world(certificates) as api:
        await api.must("POST", url("v1beta2"), custom("v1beta2"))
        watch = await listening(await api.raw("GET", url("v1beta2") + "?watch=1"), 2)
        await api.spec(conversion={"strategy": "None", "webhook": None})
        assert len(await watch) == 1  # Who watches is sent to look anew.
        shown = await api.must("GET", url("v1beta2", "a"))
        assert not {*fields("v1beta1"), *fields("v1beta2")} & shown.keys()  # Renamed and pruned.
        await api.spec(conversion=api.by_webhook("v1"))
        assert content(await api.must("GET", url("v1beta2", "a"))) == expected("v1beta2")


async def test_a_definition_that_ends_needs_no_webhook(certificates: Certificates) -> None:
    async with world(certificates, lambda asked: (500, b"")) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        await api.must("DELETE", f"{CRDS}/{NAME}")
        while await api.keeper.settle():
            pass
        assert (await api.do("GET", f"{CRDS}/{NAME}"))[0] == 404
        assert api.calls == 0


async def test_a_kind_whose_webhook_has_no_sound_ca_is_not_served(
    certificates: Certificates,
) -> None:
    """Until it has one: a bundle that cannot be read may be written, but not over a sound one."""
    broken = {"url": "https://127.0.0.1:1/", "caBundle": "bm8gY2VydGlmaWNhdGU="}
    async with world(certificates) as api:
        sound = api.by_webhook("v1")
        spec = {"strategy": "Webhook", "webhook": {**sound["webhook"], "clientConfig": broken}}
        change = {"spec": {"conversion": spec}}
        status, error = await api.do("PATCH", f"{CRDS}/{NAME}", change, MERGE)
        assert (status, error["details"]["causes"][0]["field"]) == (
            422,
            "spec.conversion.webhookClientConfig.caBundle",
        )
        await api.must("DELETE", f"{CRDS}/{NAME}")
        while await api.keeper.settle():
            pass
        await api.must("POST", CRDS, definition(spec))
        await api.keeper.settle()
        found = await api.must("GET", f"{CRDS}/{NAME}")
        [state] = [c for c in found["status"]["conditions"] if c["type"] == "Established"]
        assert (state["status"], state["reason"]) == ("False", "InvalidCABundle")
        assert (await api.raw("GET", url("v1beta1"))).status == 404
        await api.spec(conversion=sound)
        await api.must("POST", url("v1beta2"), custom("v1beta2"))
        assert api.stored() == expected("v1beta1")


async def test_a_definition_that_cannot_end_says_why(certificates: Certificates) -> None:
    """An admission webhook refuses the deletes, and then lets them pass."""
    async with world(certificates, deny("not today")) as api:
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        configuration = _configuration("Validating", api.client)
        await api.must("POST", f"{HOOKS}/validatingwebhookconfigurations", configuration)
        api.hooks.answer = _either(deny("not today"))
        await api.must("DELETE", f"{CRDS}/{NAME}")
        for _ in range(4):
            await api.keeper.settle()
        found = await api.must("GET", f"{CRDS}/{NAME}")
        [ending] = [c for c in found["status"]["conditions"] if c["type"] == "Terminating"]
        assert (ending["status"], ending["reason"]) == ("True", "InstanceDeletionFailed")
        assert ending["message"] == (
            'could not issue all deletes: admission webhook "h.example.com" denied the request: '
            "not today"
        )
        api.hooks.answer = _either(allow)
        while await api.keeper.settle():
            pass
        assert (await api.do("GET", f"{CRDS}/{NAME}"))[0] == 404


def _either(admission: Callable[[Json], Any]) -> Callable[[Json], Any]:
    """Converts honestly, and answers admission as it is told."""

    def answer(asked: Json) -> Any:
        return honest(asked) if asked["kind"] == "ConversionReview" else admission(asked)

    return answer


async def test_a_version_that_is_not_served_is_never_asked_for(
    certificates: Certificates,
) -> None:
    async with world(certificates) as api:
        where = f"{url('v1alpha1', 'a')}?fieldManager=old"
        await api.must("PATCH", where, custom("v1alpha1"), APPLY)
        found = await api.must("GET", f"{CRDS}/{NAME}")
        versions = [{**v, "served": v["name"] != "v1alpha1"} for v in found["spec"]["versions"]]
        await api.spec(versions=versions)
        before = api.calls
        where = f"{url('v1beta2', 'a')}?fieldManager=new&force=true"
        await api.must("PATCH", where, custom("v1beta2", num1=3), APPLY)
        desired = {a["request"]["desiredAPIVersion"] for a in api.hooks.asked[before:]}
        assert desired == {"stable.example.com/v1beta1", "stable.example.com/v1beta2"}


HOOKS = "/apis/admissionregistration.k8s.io/v1"
RULES = [
    {
        "operations": ["*"],
        "apiGroups": ["stable.example.com"],
        "apiVersions": ["v1beta2"],
        "resources": ["multiversions"],
    }
]


def _configuration(kind: str, client: Json) -> Json:
    hook = {
        "name": "h.example.com",
        "clientConfig": client,
        "rules": RULES,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "kind": f"{kind}WebhookConfiguration",
        "apiVersion": "admissionregistration.k8s.io/v1",
        "metadata": {"name": "mine"},
        "webhooks": [hook],
    }


async def test_admission_sees_the_version_it_asked_for(certificates: Certificates) -> None:
    seen: list[Json] = []

    def answer(asked: Json) -> Json:
        if asked["kind"] == "ConversionReview":
            return honest(asked)
        seen.append(asked["request"])
        return allow(asked)

    async with world(certificates, answer) as api:
        configuration = _configuration("Validating", api.client)
        await api.must("POST", f"{HOOKS}/validatingwebhookconfigurations", configuration)
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        assert content(seen[-1]["object"]) == expected("v1beta2")
        await api.must("PATCH", url("v1beta1", "a"), {"num": {"num1": 2}}, MERGE)
        assert content(seen[-1]["object"]) == expected("v1beta2", 2)
        assert content(seen[-1]["oldObject"]) == expected("v1beta2")
        await api.must("DELETE", url("v1beta1", "a"))
        assert content(seen[-1]["oldObject"]) == expected("v1beta2", 2)


async def test_what_a_mutating_webhook_changes_in_its_version_is_converted_back(
    certificates: Certificates,
) -> None:
    change = patch({"op": "replace", "path": "/numv2/num1", "value": 5})

    def answer(asked: Json) -> Json:
        return honest(asked) if asked["kind"] == "ConversionReview" else change(asked)

    async with world(certificates, answer) as api:
        configuration = _configuration("Mutating", api.client)
        await api.must("POST", f"{HOOKS}/mutatingwebhookconfigurations", configuration)
        made = await api.must("POST", url("v1beta1"), custom("v1beta1"))
        assert content(made) == expected("v1beta1", 5)
        api.hooks.answer = lambda asked: (500, b"")
        status, error = await api.do("POST", url("v1beta1"), custom("v1beta1", "b"))
        assert (status, error["message"]) == (
            500,
            "Internal error occurred: conversion webhook for stable.example.com/v1beta1, "
            'Kind=MultiVersion failed: an error on the server ("unknown") has prevented the '
            "request from succeeding",
        )


async def test_policies_see_the_version_they_match(certificates: Certificates) -> None:
    async with world(certificates) as api:
        matches = {"matchConstraints": {"resourceRules": RULES}}
        rule = {"expression": "object.numv2.num1 < 5", "message": "too many"}
        await api.bound("Validating", {**matches, "validations": [rule]})
        await api.must("POST", url("v1beta1"), custom("v1beta1"))
        status, error = await api.do("POST", url("v1beta1"), custom("v1beta1", "b", 6))
        assert (status, "too many" in error["message"]) == (422, True)
        expression = "Object{metadata: Object.metadata{labels: {'big': string(object.numv2.num1)}}}"
        mutation = {
            "patchType": "ApplyConfiguration",
            "applyConfiguration": {"expression": expression},
        }
        spec = {**matches, "mutations": [mutation], "reinvocationPolicy": "Never"}
        await api.bound("Mutating", spec)
        made = await api.must("POST", url("v1alpha1"), custom("v1alpha1", "c", 3))
        assert made["metadata"]["labels"] == {"big": "3"}
        assert content(made) == expected("v1alpha1", 3)
        api.hooks.answer = lambda asked: (500, b"")
        status, error = await api.do("PATCH", url("v1beta1", "a"), {"num": {"num1": 2}}, MERGE)
        assert (status, "failed to convert object version" in error["message"]) == (403, True)


async def test_conversions_are_counted_by_how_they_end(certificates: Certificates) -> None:
    async with world(certificates) as api:
        await api.must("POST", url(SERVED[1]), custom(SERVED[1]))
        api.hooks.answer = lambda _: (500, b"no")
        await api.do("POST", url(SERVED[1]), custom(SERVED[1], name="b"))
        page = text(api.server.families()).decode()
    succeeded = f'from_version="{SERVED[1]}",succeeded="true",to_version="v1beta1"'
    counted = "apiserver_crd_conversion_webhook_duration_seconds_count"
    assert f'{counted}{{crd_name="{NAME}",{succeeded}}}' in page
    failed = 'failure_type="conversion_webhook_call_failure",result="failure"'
    assert f"apiserver_conversion_webhook_request_total{{{failed}}} 1\n" in page
