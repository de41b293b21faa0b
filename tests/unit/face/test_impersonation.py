"""Acting as others: what the headers ask for, what must be allowed, whom they make."""

from __future__ import annotations

from typing import Any

import pytest
from shelf import default_shelf

from busk8s import errors
from busk8s.api.request import User
from busk8s.master.apiserver.authz import ClusterAuthorizer
from busk8s.master.apiserver.http_request import RequestReader
from busk8s.master.apiserver.impersonation import Impersonator
from busk8s.master.apiserver.node_authz import NodeAuthorizer
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.cluster_policy import binding

ADMIN = User("root", ("system:masters", "system:authenticated"))
JO = User("jo", ("system:authenticated",))
ACCOUNT = "system:serviceaccount:shop:robot"
AUTHENTICATION = "authentication.k8s.io"


def rule(resource: str, *names: str, group: str = "") -> dict[str, Any]:
    found = {"verbs": ["impersonate"], "apiGroups": [group], "resources": [resource]}
    return {**found, "resourceNames": list(names)} if names else found


def act(who: User, headers: dict[str, str], *rules: dict[str, Any]) -> User:
    shelf = default_shelf()
    authorizer = ClusterAuthorizer(NodeAuthorizer(shelf), RbacAuthorizer(shelf))
    shelf.put({"kind": "ClusterRole", "metadata": {"name": "act"}, "rules": list(rules)})
    shelf.put(binding("act", "act", "user jo"))
    return Impersonator(authorizer)(who, headers)


def test_without_headers_one_is_oneself() -> None:
    assert act(JO, {"accept": "*/*"}) is JO


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        ({"impersonate-user": "al"}, User("al", ("system:authenticated",))),
        (
            {"impersonate-user": "al", "impersonate-group": "dev\nops"},
            User("al", ("dev", "ops", "system:authenticated")),
        ),
        (
            {"impersonate-user": "system:anonymous"},
            User("system:anonymous", ("system:unauthenticated",)),
        ),
        (
            {"impersonate-user": ACCOUNT},
            User(
                ACCOUNT,
                (
                    "system:serviceaccounts",
                    "system:serviceaccounts:shop",
                    "system:authenticated",
                ),
            ),
        ),
        (
            {
                "impersonate-user": "al",
                "impersonate-uid": "7",
                "impersonate-extra-example.com%2fscope": "a\nb",
            },
            User("al", ("system:authenticated",), "7", {"example.com/scope": ("a", "b")}),
        ),
    ],
    ids=["a user", "with groups", "nobody", "an account", "with uid and extra"],
)
def test_an_administrator_becomes_whom_he_asks_for(headers: dict[str, str], user: User) -> None:
    assert act(ADMIN, headers) == user


@pytest.mark.parametrize(
    ("headers", "rules", "refused"),
    [
        ({"impersonate-user": "al"}, [], 'users "al" is forbidden: User "jo" cannot impersonate'
         ' resource "users" in API group "" at the cluster scope'),
        ({"impersonate-user": "al"}, [rule("users", "al")], None),
        ({"impersonate-user": "bo"}, [rule("users", "al")], 'users "bo" is forbidden'),
        ({"impersonate-user": "al", "impersonate-group": "dev"}, [rule("users")],
         'groups "dev" is forbidden'),
        ({"impersonate-user": "al", "impersonate-group": "dev"},
         [rule("users"), rule("groups", "dev")], None),
        ({"impersonate-user": ACCOUNT}, [rule("users")], 'serviceaccounts "robot" is forbidden'),
        ({"impersonate-user": ACCOUNT}, [rule("serviceaccounts", "robot")], None),
        ({"impersonate-user": "al", "impersonate-uid": "7"}, [rule("users")],
         'uids.authentication.k8s.io "7" is forbidden'),
        ({"impersonate-user": "al", "impersonate-extra-scope": "x"}, [rule("users")],
         'resource "userextras/scope" in API group "authentication.k8s.io"'),
        ({"impersonate-user": "al", "impersonate-extra-scope": "x"},
         [rule("users"), rule("userextras/scope", "x", group=AUTHENTICATION)], None),
    ],
    ids=[
        "nothing", "that user", "another user", "a group not", "the group", "an account not",
        "the account", "a uid not", "an extra not", "the extra",
    ],
)  # fmt: skip
def test_roles_say_whom_one_may_act_as(
    headers: dict[str, str], rules: list[dict[str, Any]], refused: str | None
) -> None:
    if refused is None:
        assert act(JO, headers, *rules).name == headers["impersonate-user"]
        return
    with pytest.raises(errors.Error) as caught:
        act(JO, headers, *rules)
    assert caught.value.code == 403
    assert refused in caught.value.message


def test_half_an_identity_is_refused() -> None:
    with pytest.raises(errors.Error, match="without impersonating a user"):
        act(ADMIN, {"impersonate-group": "dev"})


def test_extra_headers_reach_here_with_all_their_values() -> None:
    reader = RequestReader()
    lines = [b"GET /api HTTP/1.1", b"Host: x", b"Impersonate-User: al"]
    lines += [b"Impersonate-Extra-Scope: a,b", b"Impersonate-Extra-Scope: c", b"", b""]
    (incoming,) = reader.feed(b"\r\n".join(lines))
    assert act(ADMIN, incoming.headers).extra == {"scope": ("a,b", "c")}
