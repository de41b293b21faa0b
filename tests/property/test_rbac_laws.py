"""RBAC: compiled answers equal a brute-force reading of the objects; coverage holds its word."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from busk8s.api.request import User
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.rules import Rule, atoms, compact, not_covered, parse, render
from tests.unit.face.shelf import Shelf

Json = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"

VERBS = st.sampled_from(["get", "list", "create", "*"])
GROUPS = st.sampled_from(["", "apps", "*"])
THINGS = st.sampled_from(["pods", "pods/log", "*/scale", "deployments/scale", "*", "secrets"])
NAMES = st.sampled_from(["a", "b"])
URLS = st.sampled_from(["/api", "/api/*", "/healthz", "*", "/a*"])
SPACES = st.sampled_from(["default", "other"])
ROLE_NAMES = st.sampled_from(["r1", "r2", "r3"])


def some(of: st.SearchStrategy[str], least: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(of, min_size=least, max_size=2, unique=True)


RULES = st.one_of(
    st.fixed_dictionaries(
        {"verbs": some(VERBS), "apiGroups": some(GROUPS), "resources": some(THINGS)},
        optional={"resourceNames": some(NAMES)},
    ),
    st.fixed_dictionaries({"verbs": some(VERBS), "nonResourceURLs": some(URLS)}),
)
SUBJECTS = st.one_of(
    st.sampled_from(["jo", "al", "system:serviceaccount:other:robot"]).map(
        lambda name: {"kind": "User", "name": name}
    ),
    st.sampled_from(["dev", "ops"]).map(lambda name: {"kind": "Group", "name": name}),
    st.builds(
        lambda where: {"kind": "ServiceAccount", "name": "robot", **where},
        st.sampled_from([{}, {"namespace": "other"}]),
    ),
)


@st.composite
def objects(draw: st.DrawFn) -> Json:
    """A role or a binding of any kind."""
    kind = draw(st.sampled_from(["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"]))
    metadata = {"name": draw(ROLE_NAMES)}
    if not kind.startswith("Cluster"):
        metadata["namespace"] = draw(SPACES)
    made: Json = {"kind": kind, "metadata": metadata}
    if kind.endswith("Role"):
        return made | {"rules": draw(st.lists(RULES, max_size=2))}
    of = (
        "ClusterRole"
        if kind.startswith("Cluster")
        else draw(st.sampled_from(["Role", "ClusterRole"]))
    )
    made["roleRef"] = {"apiGroup": GROUP, "kind": of, "name": draw(ROLE_NAMES)}
    return made | {"subjects": draw(st.lists(SUBJECTS, max_size=2))}


STEPS = st.lists(st.tuples(st.booleans(), objects()), max_size=14)
USERS = st.sampled_from(
    [
        User("jo", ("dev",)),
        User("al", ("dev", "ops")),
        User("bo"),
        User("system:serviceaccount:other:robot", ("system:serviceaccounts",)),
    ]
)
PLURALS = st.sampled_from(
    [("pods", ""), ("pods", "log"), ("deployments", "scale"), ("secrets", "")]
)
QUESTIONS = st.builds(
    lambda user, verb, group, thing, name, namespace: Attributes(
        user, verb, Resource(group, "v1", thing[0], "", True), thing[1], namespace, name
    ),
    USERS,
    st.sampled_from(["get", "list", "delete"]),
    st.sampled_from(["", "apps"]),
    PLURALS,
    st.sampled_from(["", "a", "c"]),
    st.sampled_from(["", "default", "other"]),
)
PATHS = st.builds(
    lambda user, path: Attributes(user, "get", None, path=path),
    USERS,
    st.sampled_from(["/api", "/api/v1", "/healthz", "/healthz/x", "/abc", "/"]),
)


# The brute force: straight from the objects, with words from the reference and nothing compiled.


def allowed(world: list[Json], asked: Attributes) -> bool:
    return any(
        names(subject, binding, asked.user) and any(permits(rule, asked) for rule in rules)
        for binding in world
        if "roleRef" in binding and counts(binding, asked)
        for rules in [rules_of(world, binding)]
        for subject in binding["subjects"]
    )


def counts(binding: Json, asked: Attributes) -> bool:
    if binding["kind"] == "ClusterRoleBinding":
        return True
    inside = asked.resource is not None and asked.namespace != ""
    return inside and binding["metadata"]["namespace"] == asked.namespace


def names(subject: Json, binding: Json, user: User) -> bool:
    if subject["kind"] == "User":
        return bool(subject["name"] == user.name)
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    where = subject.get("namespace") or binding["metadata"].get("namespace", "")
    return where != "" and user.name == f"system:serviceaccount:{where}:{subject['name']}"


def rules_of(world: list[Json], binding: Json) -> list[Json]:
    wanted = binding["roleRef"]
    for role in world:
        if role["kind"] != wanted["kind"] or role["metadata"]["name"] != wanted["name"]:
            continue
        where = role["metadata"].get("namespace")
        if where is None or where == binding["metadata"].get("namespace"):
            return list(role["rules"])
    return []


def permits(rule: Json, asked: Attributes) -> bool:
    if "*" not in rule["verbs"] and asked.verb not in rule["verbs"]:
        return False
    if asked.resource is None:
        return any(
            url == asked.path or (url[-1] == "*" and asked.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs", ())
        )
    group, plural, part = asked.resource.group, asked.resource.plural, asked.subresource
    if not {"*", group} & set(rule.get("apiGroups", ())):
        return False
    fits = {"*", f"{plural}/{part}" if part else plural}
    if part:
        fits.add(f"*/{part}")
    if not fits & set(rule.get("resources", ())):
        return False
    return "resourceNames" not in rule or asked.name in rule["resourceNames"]


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, asked=st.lists(st.one_of(QUESTIONS, PATHS), min_size=1, max_size=12))
def test_answers_equal_those_of_a_brute_force_reading(
    steps: list[tuple[bool, Json]], asked: list[Attributes]
) -> None:
    """At every moment of a history of writes and deletions, whatever was asked before."""
    shelf = Shelf()
    rbac = RbacAuthorizer(shelf)
    world: dict[tuple[str, str, str], Json] = {}
    for keep, obj in steps:
        metadata = obj["metadata"]
        key = (obj["kind"], metadata.get("namespace", ""), metadata["name"])
        if keep:
            world[key] = obj
            shelf.put(obj)
        elif key in world:
            shelf.delete(world.pop(key))
        for question in asked[:3]:
            rbac.authorize(question)
    for question in asked:
        expected = allowed(list(world.values()), question)
        assert (rbac.authorize(question) is None) == expected
        assert bool(rbac.granter(question)) == expected
    fresh = RbacAuthorizer(shelf)
    assert [fresh.authorize(each) for each in asked] == [rbac.authorize(each) for each in asked]


@settings(max_examples=150, deadline=None)
@given(
    held=st.lists(RULES, max_size=3),
    wanted=st.lists(RULES, max_size=2),
    asked=st.lists(st.one_of(QUESTIONS, PATHS), max_size=10),
)
def test_who_holds_what_covers_may_do_all_of_it(
    held: list[Json], wanted: list[Json], asked: list[Attributes]
) -> None:
    if not_covered(parse(held), parse(wanted)):
        return
    for question in asked:
        if any(permits(rule, question) for rule in wanted):
            assert any(permits(rule, question) for rule in held)


@given(rules=st.lists(RULES, max_size=3))
def test_every_rule_covers_itself_and_survives_being_written(rules: list[Json]) -> None:
    read = parse(rules)
    assert not_covered(read, read) == []
    assert parse(map(render, read)) == read


@given(rules=st.lists(RULES, max_size=3), asked=st.lists(st.one_of(QUESTIONS, PATHS), max_size=10))
def test_atoms_and_their_compact_form_mean_the_same(
    rules: list[Json], asked: list[Attributes]
) -> None:
    small = [atom for rule in parse(rules) for atom in atoms(rule)]
    for form in (small, compact(small)):
        for question in asked:
            expected = any(permits(rule, question) for rule in rules)
            assert any(permits(render(rule), question) for rule in form) == expected


def test_everything_covers_everything() -> None:
    everything = [Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",))]
    assert not_covered(everything, everything) == []
    assert len(not_covered(everything[:1], everything)) == 1
