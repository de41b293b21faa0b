"""The audit log: who, what, how it ended; how much of it by policy; and where it goes."""

from __future__ import annotations

import asyncio
import gc
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from busk8s.api import scheme
from busk8s.api.object import Json
from busk8s.api.request import Request, Response, User
from busk8s.clock import LoopClock
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.audit.auditor import Auditor
from busk8s.master.apiserver.audit.log import LINES_MAX, AuditLog
from busk8s.master.apiserver.audit.policy import AuditPolicy, BadPolicy, read
from busk8s.master.apiserver.refusals import forbidden_by
from busk8s.master.apiserver.route import parse

ANN = User("ann", ("dev", "system:authenticated"))
NODE = User("system:node:n1", ("system:nodes",))
MAPS = "/api/v1/namespaces/default/configmaps"


WHY = 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "ann"'


class Lines:
    def __init__(self) -> None:
        self.events: list[Json] = []

    def add(self, line: bytes) -> None:
        self.events.append(orjson.loads(line))


def auditor(lines: Any, *rules: Json, **policy: Any) -> Auditor:
    made = AuditPolicy({"rules": list(rules), **policy}) if rules else AuditPolicy()
    return Auditor(made, lines, parse, lambda: "made-id", LoopClock(), why=lambda _: WHY)


def request(method: str = "POST", path: str = MAPS, user: User = ANN, **more: Any) -> Request:
    return Request(method, path, user, **more)


async def test_an_event_says_who_what_and_how_it_ended() -> None:
    lines = Lines()
    asked = request(
        headers={"audit-id": "given", "user-agent": "kubectl/v1"},
        query={"dryRun": ["All"]},
        source="10.0.0.9",
    )
    asked.notes["note.example.com/a"] = "b"
    made = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"1","name":"a"}}'
    auditor(lines).note(asked, Response(201, made), 0.5)
    (event,) = lines.events
    assert event.pop("requestReceivedTimestamp") < event.pop("stageTimestamp")
    assert event == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "given",
        "stage": "ResponseComplete",
        "requestURI": f"{MAPS}?dryRun=All",
        "verb": "create",
        "user": {"username": "ann", "groups": ["dev", "system:authenticated"]},
        "sourceIPs": ["10.0.0.9"],
        "userAgent": "kubectl/v1",
        "objectRef": {
            "resource": "configmaps",
            "namespace": "default",
            "name": "a",
            "apiVersion": "v1",
        },
        "responseStatus": {"metadata": {}, "code": 201},
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": WHY,
            "note.example.com/a": "b",
        },
    }


async def test_a_refusal_says_why() -> None:
    lines = Lines()
    status = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": "no"}
    asked = request()
    asked.notes |= forbidden_by("no role")
    auditor(lines).note(asked, Response(403, orjson.dumps(status)), 0.0)
    (event,) = lines.events
    assert event["responseStatus"] == {
        "metadata": {},
        "code": 403,
        "status": "Failure",
        "reason": "Forbidden",
        "message": "no",
    }
    assert event["annotations"] == {
        "authorization.k8s.io/decision": "forbid",
        "authorization.k8s.io/reason": "no role",
    }


async def test_what_admission_refuses_was_allowed() -> None:
    lines = Lines()
    auditor(lines).note(request(), Response(403, b"{}"), 0.0)
    (event,) = lines.events
    assert event["annotations"]["authorization.k8s.io/decision"] == "allow"


async def test_who_acts_as_another_is_named_beside_him() -> None:
    lines = Lines()
    auditor(lines).note(request(user=User("bob", real=ANN)), Response(201), 0.0)
    (event,) = lines.events
    assert event["user"]["username"] == "ann"
    assert event["impersonatedUser"]["username"] == "bob"


async def test_a_body_is_never_in_an_event_of_metadata() -> None:
    lines = Lines()
    secret = request(path="/api/v1/namespaces/default/secrets", body=b'{"data":{"k":"cGFzcw=="}}')
    auditor(lines).note(secret, Response(201, b'{"data":{"k":"cGFzcw=="}}'), 0.0)
    assert "cGFzcw" not in orjson.dumps(lines.events).decode()


async def test_a_watch_is_told_of_at_its_start_and_its_end() -> None:
    lines = Lines()

    async def stream() -> AsyncIterator[bytes]:
        yield b"x"

    watching = request("GET", query={"watch": ["1"]})
    response = Response(200, stream=stream())
    auditor(lines).note(watching, response, 0.0)
    assert [event["stage"] for event in lines.events] == ["ResponseStarted"]
    assert response.stream is not None
    async for _ in response.stream:
        pass
    response.stream = None
    gc.collect()
    assert [event["stage"] for event in lines.events] == ["ResponseStarted", "ResponseComplete"]
    assert {event["verb"] for event in lines.events} == {"watch"}


async def test_levels_say_how_much() -> None:
    lines = Lines()
    body = b'{"metadata":{"name":"a","managedFields":[{}]},"data":{"k":"v"}}'
    rules = ({"level": "RequestResponse"},)
    made = auditor(lines, *rules, omitManagedFields=True)
    made.note(request(body=body), Response(201, body), 0.0)
    received, complete = lines.events
    assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
    assert complete["requestObject"] == {"metadata": {"name": "a"}, "data": {"k": "v"}}
    assert complete["responseObject"] == complete["requestObject"]


def attributes(verb: str, key: str = "configmaps", user: User = ANN, **more: Any) -> Attributes:
    return Attributes(user, verb, scheme.RESOURCES[key], **more)


DECISIONS: list[tuple[str, Json, Attributes, bool]] = [
    ("user", {"users": ["ann"]}, attributes("get"), True),
    ("other user", {"users": ["bob"]}, attributes("get"), False),
    ("group", {"userGroups": ["dev"]}, attributes("get"), True),
    ("verb", {"verbs": ["list"]}, attributes("get"), False),
    ("namespace", {"namespaces": ["a"]}, attributes("get", namespace="a"), True),
    ("other namespace", {"namespaces": ["a"]}, attributes("get", namespace="b"), False),
    (
        "resource",
        {"resources": [{"group": "", "resources": ["configmaps"]}]},
        attributes("get"),
        True,
    ),
    ("group of resource", {"resources": [{"group": "apps"}]}, attributes("get"), False),
    (
        "name",
        {"resources": [{"group": "", "resources": ["configmaps"], "resourceNames": ["x"]}]},
        attributes("get", name="y"),
        False,
    ),
    (
        "subresource is its own",
        {"resources": [{"group": "", "resources": ["pods"]}]},
        attributes("update", "pods", subresource="status"),
        False,
    ),
    (
        "subresources of all",
        {"resources": [{"group": "", "resources": ["*/status"]}]},
        attributes("update", "pods", subresource="status"),
        True,
    ),
    ("url", {"nonResourceURLs": ["/logs*"]}, Attributes(ANN, "get", path="/logs/x"), True),
    ("url is no resource", {"nonResourceURLs": ["*"]}, attributes("get"), False),
    ("resource is no url", {"resources": [{}]}, Attributes(ANN, "get", path="/x"), False),
]


@pytest.mark.parametrize(
    ("rule", "asked", "matches"), [row[1:] for row in DECISIONS], ids=[row[0] for row in DECISIONS]
)
def test_the_first_rule_that_matches_decides(rule: Json, asked: Attributes, matches: bool) -> None:
    policy = AuditPolicy({"rules": [{"level": "Request", **rule}, {"level": "Metadata"}]})
    assert policy.decide(asked).level == ("Request" if matches else "Metadata")


@pytest.mark.parametrize(
    ("asked", "level"),
    [
        pytest.param(attributes("create"), "Metadata", id="a change"),
        pytest.param(attributes("get", "secrets"), "Metadata", id="a person reads a secret"),
        pytest.param(attributes("get", user=NODE), "None", id="a node reads"),
        pytest.param(
            attributes("patch", "nodes", user=NODE, subresource="status"), "None", id="a beat"
        ),
        pytest.param(attributes("create", "pods", user=NODE), "Metadata", id="a node writes"),
        pytest.param(Attributes(ANN, "get", path="/healthz"), "None", id="health"),
        pytest.param(attributes("create", "events"), "None", id="events"),
    ],
)
def test_what_is_told_of_by_default(asked: Attributes, level: str) -> None:
    assert AuditPolicy().decide(asked).level == level


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("kind: Policy", "apiVersion", id="version"),
        pytest.param("[]", "not an audit", id="list"),
        pytest.param("{apiVersion: audit.k8s.io/v1, kind: Policy}", "rules", id="no rules"),
        pytest.param(
            "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: All}]}",
            "'All' is not one of",
            id="level",
        ),
        pytest.param(
            "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None, users: 3}]}",
            "users",
            id="users",
        ),
    ],
)
def test_a_file_that_is_no_policy_is_named(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(BadPolicy, match=why):
        read(file)
    with pytest.raises(BadPolicy, match="No such file"):
        read(tmp_path / "absent")


@pytest.mark.realtime
async def test_the_file_is_private_and_begins_anew_when_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(str(path), bytes_max=1_000, backups=2, clock=LoopClock())
    for number in range(8):
        log.add(b"%d" % number * 600)
        await log.flush()
    assert stat.S_IMODE((tmp_path / "audit.log.1").stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["audit.log.1", "audit.log.2"]
    log.add(b"last")
    log.close()
    assert path.read_bytes() == b"last\n"


async def test_what_cannot_be_kept_is_counted() -> None:
    log = AuditLog("-", bytes_max=1, backups=0, clock=LoopClock())
    for _ in range(LINES_MAX + 3):
        log.add(b"")
    assert log.dropped == 3
    await asyncio.sleep(0)
