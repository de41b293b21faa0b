"""Taints, evictions, and what the garbage collector makes of owners: tables."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.placement import tolerates
from busk8s.api.scheme import CONFIGMAPS, NODES, REPLICASETS
from busk8s.master.controllers import garbage, node_lifecycle
from busk8s.master.controllers.actions import Delete, Emit, Patch
from busk8s.master.controllers.garbage import Owner
from busk8s.master.controllers.taint_eviction import leaves_at
from tests.unit.controllers.build import NOW, pod, thing


def taint(key: str = "k", value: str = "", since_s: float = 0) -> Json:
    added = format_time(NOW - since_s)
    return {"key": key, "value": value, "effect": "NoExecute", "timeAdded": added}


def toleration(seconds: int | None = None, **more: str) -> Json:
    entry: Json = {"key": "k", "operator": "Exists", "effect": "NoExecute"} | more
    return entry if seconds is None else entry | {"tolerationSeconds": seconds}


@pytest.mark.parametrize(
    ("tolerations", "taints", "want"),
    [
        pytest.param([], [], None, id="no taints"),
        pytest.param([], [taint()], 0, id="not tolerated"),
        pytest.param([toleration()], [taint()], None, id="tolerated for ever"),
        pytest.param([toleration(300)], [taint()], 300, id="tolerated for a while"),
        pytest.param([toleration(300)], [taint(since_s=100)], 200, id="counted from the taint"),
        pytest.param([toleration(300)], [taint(since_s=900)], -600, id="long over"),
        pytest.param([toleration(-1)], [taint()], 0, id="negative is at once"),
        pytest.param([toleration(9), toleration(300)], [taint()], 9, id="the shortest counts"),
        pytest.param([toleration(300)], [taint(), taint("other")], 0, id="one of two untolerated"),
        pytest.param([toleration(), toleration(60)], [taint()], 60, id="a time counts"),
    ],
)
def test_when_a_pod_leaves(tolerations: list[Json], taints: list[Json], want: float | None) -> None:
    at = leaves_at(tolerations, taints, NOW)
    assert at == (None if want is None else NOW + want)


@pytest.mark.parametrize(
    ("entry", "against", "want"),
    [
        pytest.param({"operator": "Exists"}, taint(), True, id="everything"),
        pytest.param({"key": "k", "operator": "Exists"}, taint("x"), False, id="another key"),
        pytest.param({"key": "k", "value": "v"}, taint(value="v"), True, id="equal value"),
        pytest.param({"key": "k", "value": "v"}, taint(value="w"), False, id="another value"),
        pytest.param(
            {"key": "k", "operator": "Exists", "effect": "NoSchedule"},
            taint(),
            False,
            id="another effect",
        ),
    ],
)
def test_tolerates(entry: Json, against: Json, want: bool) -> None:
    assert tolerates(entry, against) is want


def node(ready: str | None = "True", taints: list[Json] | None = None, **spec: Any) -> Object:
    conditions = [] if ready is None else [{"type": "Ready", "status": ready}]
    status = {"conditions": conditions}
    return thing(NODES, "n1", spec={"taints": taints or [], **spec}, status=status)


def taints_after(found: Object) -> list[tuple[str, str]] | None:
    seen = node_lifecycle.Observed(found, False, ())
    actions = node_lifecycle.plan(seen, NOW).actions
    if not actions:
        return None
    (patch,) = actions
    assert isinstance(patch, Patch)
    assert isinstance(patch.patch, dict)
    taints = patch.patch["spec"]["taints"] or []
    return [(entry["key"].rpartition("/")[2], entry["effect"]) for entry in taints]


OTHERS = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("found", "want"),
    [
        pytest.param(node(), None, id="a ready node stays as it is"),
        pytest.param(
            node("False"), [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")], id="unwell"
        ),
        pytest.param(
            node("Unknown"),
            [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")],
            id="unknown",
        ),
        pytest.param(node("True", [NOT_READY]), [], id="well again"),
        pytest.param(node(None, [NOT_READY]), None, id="not yet reported keeps its taint"),
        pytest.param(
            node("True", [OTHERS], unschedulable=True),
            [("dedicated", "NoSchedule"), ("unschedulable", "NoSchedule")],
            id="cordoned, beside another's taint",
        ),
    ],
)
def test_taints_follow_conditions(found: Object, want: list[tuple[str, str]] | None) -> None:
    assert taints_after(found) == want


def test_a_silent_node_vouches_for_nothing() -> None:
    seen = node_lifecycle.Observed(node(), True, (pod("a"),))
    patch, _event = node_lifecycle.plan(seen, NOW).actions
    assert isinstance(patch, Patch)
    assert isinstance(patch.patch, dict)
    said = {c["type"]: (c["status"], c["reason"]) for c in patch.patch["status"]["conditions"]}
    assert said["Ready"] == ("Unknown", "NodeStatusUnknown")
    assert said["DiskPressure"] == ("Unknown", "NodeStatusNeverUpdated")


def child(**metadata: Any) -> Object:
    owners = metadata.pop("owners", ("a",))
    references = [
        {"kind": "ConfigMap", "name": uid, "uid": uid, "blockOwnerDeletion": True} for uid in owners
    ]
    return thing(REPLICASETS, "child", metadata={"ownerReferences": references, **metadata})


def owners_of(obj: Object, *states: garbage.State) -> tuple[Owner, ...]:
    references = obj.metadata["ownerReferences"]
    return tuple(Owner(r, s, CONFIGMAPS) for r, s in zip(references, states, strict=True))


def decided(obj: Object, *states: garbage.State, dependents: tuple[Object, ...] = ()) -> Any:
    return garbage.plan(garbage.Observed(obj, owners_of(obj, *states), dependents)).actions


def test_a_living_owner_keeps_its_own() -> None:
    assert decided(child(), "solid") == ()


def test_without_any_owner_left_it_goes() -> None:
    (delete,) = decided(child(), "absent")
    assert isinstance(delete, Delete)
    assert delete.propagation == "Background"


def test_one_of_two_owners_is_only_taken_off() -> None:
    (patch,) = decided(child(owners=("a", "b")), "absent", "solid")
    assert [ref["uid"] for ref in patch.patch["metadata"]["ownerReferences"]] == ["b"]
    assert patch.patch["metadata"]["resourceVersion"] == "7"


def test_what_a_waiting_owner_waits_for_waits_for_its_own() -> None:
    (delete,) = decided(child(), "waiting", dependents=(pod("grandchild"),))
    assert delete.propagation == "Foreground"
    (delete,) = decided(child(), "waiting")
    assert delete.propagation == "Background"


DELETING = {"deletionTimestamp": format_time(NOW)}


def test_a_foreground_owner_waits_while_something_blocks_it() -> None:
    owner = child(owners=(), finalizers=["foregroundDeletion", "x/y"], **DELETING)
    blocker = thing(
        CONFIGMAPS,
        "blocker",
        metadata={"ownerReferences": [{"uid": owner.uid, "blockOwnerDeletion": True}]},
    )
    assert decided(owner, dependents=(blocker,)) == ()
    (patch,) = decided(owner)
    assert patch.patch["metadata"]["finalizers"] == ["x/y"]


def test_an_orphaning_owner_lets_go_of_each_before_it_goes() -> None:
    owner = child(owners=(), finalizers=["orphan"], **DELETING)
    one = thing(CONFIGMAPS, "one", metadata={"ownerReferences": [{"uid": owner.uid}]})
    free, finish = decided(owner, dependents=(one,))
    assert free.object is one
    assert free.patch["metadata"]["ownerReferences"] is None
    assert finish.patch["metadata"]["finalizers"] == []


def test_a_node_is_announced_when_it_is_seen_first() -> None:
    told, *_ = node_lifecycle.plan(node_lifecycle.Observed(node(), False, (), True), NOW).actions
    assert isinstance(told, Emit)
    assert (told.reason, told.message) == (
        "RegisteredNode",
        f"Node {node().name} event: Registered Node {node().name} in Controller",
    )
    again = node_lifecycle.plan(node_lifecycle.Observed(node(), False, ()), NOW).actions
    assert not any(isinstance(action, Emit) for action in again)


def test_a_node_that_is_gone_is_said_farewell() -> None:
    (told,) = node_lifecycle.plan(node_lifecycle.Observed(node(), True, (), gone=True), NOW).actions
    assert isinstance(told, Emit)
    assert (told.reason, told.message) == (
        "RemovingNode",
        f"Node {node().name} event: Removing Node {node().name} from Controller",
    )
