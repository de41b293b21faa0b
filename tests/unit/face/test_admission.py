"""Each admission plug-in by its rule: what goes in, what comes out, what is refused."""

from __future__ import annotations

import asyncio
import random
from copy import deepcopy
from typing import Any

import pytest
from shelf import Shelf, obj
from test_identity import NODE, POD, resource

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.api.request import User
from busk8s.ids import RandomIds
from busk8s.master.apiserver.admission.chain import AdmissionChain
from busk8s.master.apiserver.attributes import Attributes, Operation, OperationKind
from busk8s.master.apiserver.authn import ADMIN

CLASSES = resource("priorityclasses", "scheduling.k8s.io", namespaced=False)
NAMESPACES = resource("namespaces", namespaced=False)
NODES = resource("nodes", namespaced=False)
WORLD = [
    obj(NAMESPACES, "shop"),
    Object(NAMESPACES, "", "ending", revision=1,
           body=b'{"metadata":{"name":"ending","deletionTimestamp":"2027-01-01T00:00:00Z"}}'),
    obj(resource("serviceaccounts"), "default", "shop", imagePullSecrets=[{"name": "pull"}]),
    obj(resource("serviceaccounts"), "default", "ending"),
    obj(CLASSES, "high", value=1000, preemptionPolicy="Never"),
    POD,
]  # fmt: skip


def admit(
    plural: str, body: Json | None, *, user: User = ADMIN, kind: OperationKind = "CREATE",
    old: Object | None = None, sub: str = "", ns: str = "shop", group: str = "", name: str = "",
    world: list[Object] | None = None,
) -> Json:  # fmt: skip
    """The object after mutation and validation."""
    of = resource(plural, group, namespaced=bool(ns))
    operation = Operation(
        Attributes(user, kind.lower(), of, sub, ns, name), kind, deepcopy(body), old
    )
    chain = AdmissionChain(
        Shelf(*(world if world is not None else WORLD)), ids=RandomIds(random.Random(1))
    )

    async def run() -> None:
        await chain.mutate(operation)
        await chain.validate(operation)

    asyncio.run(run())
    return operation.object or {}


def refused(match: str, *args: Any, **kwargs: Any) -> errors.Error:
    with pytest.raises(errors.Error, match=match) as caught:
        admit(*args, **kwargs)
    return caught.value


def pod(**spec: Any) -> Json:
    return {"metadata": {"name": "p"}, "spec": spec}


def test_a_missing_namespace_is_not_found() -> None:
    assert refused('namespaces "nope" not found', "configmaps", pod(), ns="nope").code == 404


def test_a_terminating_namespace_takes_nothing_new() -> None:
    error = refused("because it is being terminated", "pods", pod(), ns="ending")
    assert (error.code, error.causes[0].reason) == (403, "NamespaceTerminating")


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_some_namespaces_are_never_deleted(name: str) -> None:
    refused("may not be deleted", "namespaces", None, kind="DELETE", ns="", name=name)


def test_a_pod_gets_its_account_priority_and_tolerations() -> None:
    spec = admit("pods", pod())["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert [(t["key"], t["tolerationSeconds"]) for t in spec["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]


def test_a_pod_that_tolerates_all_gets_no_more_tolerations() -> None:
    tolerations = [{"operator": "Exists"}]
    assert admit("pods", pod(tolerations=tolerations))["spec"]["tolerations"] == tolerations


def test_a_pod_needs_an_account_that_exists() -> None:
    refused('error looking up service account shop/robot: serviceaccount "robot" not found',
            "pods", pod(serviceAccountName="robot"))  # fmt: skip


async def test_a_pod_waits_for_the_default_account_of_its_new_namespace() -> None:
    account = WORLD[2]
    shelf = Shelf(WORLD[0])
    chain = AdmissionChain(shelf, ids=RandomIds(random.Random(1)))
    attributes = Attributes(ADMIN, "create", resource("pods"), "", "shop", "")
    operation = Operation(attributes, "CREATE", pod(), None)
    loop = asyncio.get_running_loop()
    loop.call_later(0.3, shelf.objects.update, {("serviceaccounts", "shop", "default"): account})
    await chain.mutate(operation)
    assert 0.3 <= loop.time() < 0.4
    assert (operation.object or {})["spec"]["serviceAccountName"] == "default"


async def test_a_default_account_that_does_not_come_is_waited_for_a_second() -> None:
    chain = AdmissionChain(Shelf(WORLD[0]), ids=RandomIds(random.Random(1)))
    attributes = Attributes(ADMIN, "create", resource("pods"), "", "shop", "")
    with pytest.raises(errors.Error, match='serviceaccount "default" not found') as caught:
        await chain.mutate(Operation(attributes, "CREATE", pod(), None))
    assert caught.value.code == 403
    assert 0.9 < asyncio.get_running_loop().time() < 1.1


def test_a_priority_class_gives_its_number_and_policy() -> None:
    spec = admit("pods", pod(priorityClassName="high"))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")


def test_priorities_are_not_for_users_to_write() -> None:
    refused("no PriorityClass with name lost was found", "pods", pod(priorityClassName="lost"))
    refused("must not be provided in pod spec", "pods", pod(priority=7))


def test_there_is_one_default_priority_class() -> None:
    world = [*WORLD, obj(CLASSES, "std", value=5, globalDefault=True)]
    assert admit("pods", pod(), world=world)["spec"]["priority"] == 5
    body = {"metadata": {"name": "two"}, "value": 1, "globalDefault": True}
    refused("std is already marked as default", "priorityclasses", body,
            group="scheduling.k8s.io", ns="", world=world)  # fmt: skip


def test_a_new_node_takes_no_pods_yet() -> None:
    taints = admit("nodes", {"metadata": {"name": "n"}}, ns="")["spec"]["taints"]
    assert taints == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


# NodeRestriction: `NODE` is n1, `POD` is bound to it.


def node_object(name: str = "n1", labels: Json | None = None, **spec: Any) -> Json:
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def as_object(data: Json) -> Object:
    return obj(NODES, data["metadata"]["name"], spec=data["spec"])


def test_a_node_registers_itself_with_its_own_labels() -> None:
    admit(
        "nodes", node_object(labels={"kubernetes.io/hostname": "h", "mine": "x"}), user=NODE, ns=""
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(node_object("n2"), 'not allowed to modify node "n2"', id="another's name"),
        pytest.param(
            node_object(labels={"node-restriction.kubernetes.io/safe": "1"}),
            "not allowed to modify labels",
            id="restricted label",
        ),
        pytest.param(
            node_object(labels={"node-role.kubernetes.io/master": ""}),
            "not allowed to modify labels",
            id="a role",
        ),
    ],
)
def test_a_node_may_not_register(body: Json, said: str) -> None:
    refused(said, "nodes", body, user=NODE, ns="")


def test_a_node_may_not_change_its_taints_after_creation() -> None:
    old = as_object(node_object(taints=[{"key": "a", "effect": "NoSchedule"}]))
    refused("modify taints", "nodes", node_object(), old=old, kind="UPDATE", user=NODE, ns="",
            name="n1")  # fmt: skip


def test_a_node_reports_the_status_of_its_own_pods_only() -> None:
    report = POD.copy()
    admit("pods", report, old=POD, kind="UPDATE", sub="status", user=NODE, name="web")
    foreign = User("system:node:n2", NODE.groups)
    refused("spec.nodeName set to itself", "pods", report, old=POD, kind="UPDATE", sub="status",
            user=foreign, name="web")  # fmt: skip
    report["metadata"]["labels"] = {"app": "other"}
    refused("cannot update labels through pod status", "pods", report, old=POD, kind="UPDATE",
            sub="status", user=NODE, name="web")  # fmt: skip


def mirror(**spec: Any) -> Json:
    body = pod(nodeName="n1", **spec)
    body["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    return body


def test_a_node_creates_mirror_pods_only() -> None:
    admit("pods", mirror(), user=NODE)
    refused("can only create mirror pods", "pods", pod(nodeName="n1"), user=NODE)
    refused("reference a service account", "pods", mirror(serviceAccountName="default"), user=NODE)
    volumes = [{"secret": {"secretName": "s"}}]
    refused("reference secrets", "pods", mirror(volumes=volumes), user=NODE)


def test_a_node_gets_tokens_bound_to_its_own_pods_only() -> None:
    def spec(**ref: str) -> Json:
        return {"spec": {"boundObjectRef": {"kind": "Pod", **ref}}}

    admit("serviceaccounts", spec(name="web", uid="uid-web"), sub="token", user=NODE, name="robot")
    refused("different node", "serviceaccounts", spec(name="web", uid="old"), sub="token",
            user=NODE, name="robot")  # fmt: skip
