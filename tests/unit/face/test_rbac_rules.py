"""Policy rules by table: what one allows, what covers what, and what the default roles hold."""

from __future__ import annotations

import pytest
from shelf import default_shelf

from busk8s.api import scheme
from busk8s.api.request import User
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.cluster_policy import binding
from busk8s.master.apiserver.rbac.reconcile import Recreate, Replace, default_objects, plan
from busk8s.master.apiserver.rbac.rules import Rule, compact, not_covered


def rule(verbs: str, resources: str, groups: str = "core", names: str = "") -> Rule:
    of = tuple("" if group == "core" else group for group in groups.split())
    return Rule(tuple(verbs.split()), of, tuple(resources.split()), tuple(names.split()))


@pytest.mark.parametrize(
    ("held", "verb", "group", "resource", "part", "name", "allowed"),
    [
        (rule("get", "pods"), "get", "", "pods", "", "a", True),
        (rule("get", "pods"), "list", "", "pods", "", "", False),
        (rule("get", "pods"), "get", "apps", "pods", "", "a", False),
        (rule("get", "pods"), "get", "", "pods", "log", "a", False),
        (rule("get", "pods/log"), "get", "", "pods", "log", "a", True),
        (rule("get", "pods/log"), "get", "", "pods", "", "a", False),
        (rule("get", "pods/*"), "get", "", "pods", "log", "a", False),
        (rule("get", "*/log"), "get", "", "pods", "log", "a", True),
        (rule("get", "*/log"), "get", "", "pods", "status", "a", False),
        (rule("get", "*"), "get", "", "pods", "log", "a", True),
        (rule("*", "pods"), "impersonate", "", "pods", "", "a", True),
        (rule("get", "pods", "*"), "get", "metrics.k8s.io", "pods", "", "a", True),
        (rule("get", "pods", names="a b"), "get", "", "pods", "", "b", True),
        (rule("get", "pods", names="a b"), "get", "", "pods", "", "c", False),
        (rule("create", "pods", names="a"), "create", "", "pods", "", "", False),
    ],
)
def test_a_rule_allows(
    held: Rule, verb: str, group: str, resource: str, part: str, name: str, allowed: bool
) -> None:
    assert held.allows(verb, group, resource, part, name) is allowed


@pytest.mark.parametrize(
    ("url", "path", "allowed"),
    [
        ("/api", "/api", True),
        ("/api", "/api/", False),
        ("/api/*", "/api", False),
        ("/api/*", "/api/v1", True),
        ("/api*", "/apis", True),
        ("*", "/anything", True),
        ("/a*b", "/axb", False),
    ],
)
def test_a_rule_allows_a_path(url: str, path: str, allowed: bool) -> None:
    assert Rule(("get",), urls=(url,)).allows_path("get", path) is allowed
    assert not Rule(("post",), urls=(url,)).allows_path("get", path)


@pytest.mark.parametrize(
    ("held", "wanted", "missing"),
    [
        (rule("*", "*", "*"), rule("get list", "pods nodes"), 0),
        (rule("get", "pods"), rule("get list", "pods nodes"), 3),
        (rule("get", "pods", names="a"), rule("get", "pods"), 1),
        (rule("get", "pods"), rule("get", "pods", names="a b"), 0),
        (rule("get", "*/scale"), rule("get", "deployments/scale"), 0),
        (rule("get", "*/scale"), rule("get", "*/scale"), 0),
        (rule("get", "*/scale"), rule("get", "deployments"), 1),
        (rule("get", "pods"), rule("get", "*"), 1),
        (Rule(("get",), urls=("/a*",)), Rule(("get",), urls=("/a/b", "/c")), 1),
        (Rule(("get",), urls=("/a*",)), Rule(("get",), urls=("*",)), 1),
    ],
    ids=[
        "everything", "three of four", "a name is not all", "all is any name", "any scale",
        "the same", "a part is not the whole", "one is not every", "paths", "every path",
    ],
)  # fmt: skip
def test_one_rule_covers_another(held: Rule, wanted: Rule, missing: int) -> None:
    assert len(not_covered([held], [wanted])) == missing


def test_missing_atoms_are_told_together() -> None:
    missing = not_covered([], [rule("get list", "pods", names="a"), Rule(("get",), urls=("/x",))])
    assert [str(each) for each in compact(missing)] == [
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["a"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/x"], Verbs:["get"]}',
    ]


# The default roles.


def may(user: User, verb: str, resource: Resource, part: str = "", namespace: str = "shop") -> bool:
    shelf = default_shelf()
    for name in ("admin", "edit", "view"):  # as the aggregation controller leaves them
        below = {"admin": ("admin", "edit", "view"), "edit": ("edit", "view"), "view": ("view",)}
        rules = [
            each
            for source in below[name]
            for obj in [shelf.get(CLUSTER_ROLES, "", f"system:aggregate-to-{source}")]
            if obj is not None
            for each in obj.data["rules"]
        ]
        shelf.put({"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
    for who in ("admin", "edit", "view"):
        bound = binding("b-" + who, who, f"user {who}")
        bound["kind"] = "RoleBinding"
        bound["metadata"]["namespace"] = "shop"
        shelf.put(bound)
    asked = Attributes(user, verb, resource, part, namespace, "x")
    return RbacAuthorizer(shelf).authorize(asked) is None


CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("verb", "resource", "part", "holders"),
    [
        ("get", scheme.PODS, "", "view edit admin"),
        ("get", scheme.PODS, "log", "view edit admin"),
        ("get", scheme.SECRETS, "", "edit admin"),
        ("create", scheme.PODS, "", "edit admin"),
        ("create", scheme.PODS, "exec", "edit admin"),
        ("create", scheme.PODS, "eviction", "edit admin"),
        ("update", scheme.DEPLOYMENTS, "scale", "edit admin"),
        ("update", scheme.DEPLOYMENTS, "status", ""),
        ("create", scheme.SERVICEACCOUNTS, "token", "edit admin"),
        ("impersonate", scheme.SERVICEACCOUNTS, "", "edit admin"),
        ("create", scheme.ROLEBINDINGS, "", "admin"),
        ("escalate", scheme.ROLES, "", ""),
        ("create", scheme.RESOURCEQUOTAS, "", ""),
        ("get", scheme.RESOURCEQUOTAS, "", "view edit admin"),
        ("get", scheme.NODES, "", ""),
        ("create", scheme.ENDPOINTSLICES, "", ""),
    ],
    ids=lambda value: value.plural if isinstance(value, Resource) else str(value),
)
def test_viewers_editors_and_admins(verb: str, resource: Resource, part: str, holders: str) -> None:
    for who in ("view", "edit", "admin"):
        assert may(User(who), verb, resource, part) is (who in holders.split()), who
        assert not may(User(who), verb, resource, part, namespace="elsewhere"), who


def test_default_objects_are_each_there_once_and_name_roles_that_are_there() -> None:
    objects = list(default_objects())
    keys = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(set(keys)) == len(keys)
    for obj in objects:
        if "roleRef" in obj:
            role = obj["roleRef"]
            where = obj["metadata"].get("namespace") if role["kind"] == "Role" else None
            assert (role["kind"], where, role["name"]) in keys


@pytest.mark.parametrize(
    ("role", "verb", "group", "resource", "holds"),
    [
        ("system:kube-scheduler", "patch", "resource.k8s.io", "resourceclaims", True),
        ("system:kube-scheduler", "patch", "resource.k8s.io", "resourceclaims/binding", True),
        ("system:kube-scheduler", "create", "resource.k8s.io", "resourceclaims/status", False),
        ("system:aggregate-to-edit", "delete", "events.k8s.io", "events", True),
        ("system:node", "deletecollection", "resource.k8s.io", "resourceslices", True),
        ("system:node", "create", "resource.k8s.io", "resourceslices", False),
        ("system:kubelet-api-admin", "get", "", "nodes/pods", True),
        ("system:controller:endpoint-controller", "create", "", "endpoints/restricted", True),
        (
            "system:controller:endpointslice-controller",
            "create",
            "discovery.k8s.io",
            "endpointslices/restricted",
            False,
        ),
        ("system:controller:device-taint-eviction-controller", "delete", "", "pods", True),
        ("system:controller:selinux-warning-controller", "list", "", "pods", True),
        ("system:controller:selinux-warning-controller", "delete", "", "pods", False),
    ],
)
def test_what_a_default_role_holds(
    role: str, verb: str, group: str, resource: str, holds: bool
) -> None:
    found = default_shelf().get(CLUSTER_ROLES, "", role)
    assert found is not None
    assert holds is any(
        verb in each["verbs"] or "*" in each["verbs"]
        for each in found.data["rules"]
        if group in each.get("apiGroups", ()) and resource in each.get("resources", ())
    )


def test_every_controller_role_is_held_by_its_own_account() -> None:
    objects = list(default_objects())
    bound = {o["metadata"]["name"]: o for o in objects if o["kind"] == "ClusterRoleBinding"}
    prefix = "system:controller:"
    roles = [
        o["metadata"]["name"]
        for o in objects
        if o["kind"] == "ClusterRole" and o["metadata"]["name"].startswith(prefix)
    ]
    assert len(roles) == 41
    for role in roles:
        account = {"kind": "ServiceAccount", "name": role.removeprefix(prefix)}
        assert bound[role]["subjects"] == [account | {"namespace": "kube-system"}]


def test_what_is_missing_is_added_and_what_is_more_stays() -> None:
    wanted = binding("b", "r", "user jo")
    found = binding("b", "r", "user al")
    found["metadata"]["labels"] = {"mine": "yes"}
    todo = plan(found, wanted)
    assert isinstance(todo, Replace)
    assert [each["name"] for each in todo.object["subjects"]] == ["al", "jo"]
    assert todo.object["metadata"]["labels"]["mine"] == "yes"
    assert plan(todo.object, wanted) is None
    assert plan(binding("b", "other", "user jo"), wanted) == Recreate(wanted)
