"""Who asks, and what each may do: the whole table of permissions."""

from __future__ import annotations

from typing import Any

import pytest
from shelf import Shelf, default_shelf, obj

from busk8s import errors
from busk8s.api.object import Json
from busk8s.api.request import ANONYMOUS, User
from busk8s.api.scheme import Resource
from busk8s.clock import LoopClock, SystemClock
from busk8s.master.apiserver import tokens
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.authentication.credentials import AUTHENTICATED
from busk8s.master.apiserver.authentication.peers import NOBODY, Peer
from busk8s.master.apiserver.authn import ADMIN, Authenticator, TokenChain
from busk8s.master.apiserver.authz import ClusterAuthorizer
from busk8s.master.apiserver.node_authz import NodeAuthorizer
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.refusals import access_denied
from busk8s.master.store.watch import Event

ADMIN_TOKEN = "a" * 43
TOKEN = tokens.Token("abcdef", "0123456789abcdef")
NOW = 1_800_000_000.0
RBAC = "rbac.authorization.k8s.io"


def resource(plural: str, group: str = "", *, namespaced: bool = True) -> Resource:
    return Resource(group, "v1", plural, plural[:-1].title(), namespaced)


PODS = resource("pods")
POD = obj(
    PODS, "web", "shop",
    spec={
        "nodeName": "n1",
        "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [
            {"secret": {"secretName": "vol"}},
            {"persistentVolumeClaim": {"claimName": "disk"}},
            {"projected": {"sources": [{"configMap": {"name": "proj"}}]}},
        ],
        "containers": [
            {
                "envFrom": [{"configMapRef": {"name": "all"}}],
                "env": [{"valueFrom": {"secretKeyRef": {"name": "one", "key": "k"}}}],
            }
        ],
    },
)  # fmt: skip
LEASE = {"group": "coordination.k8s.io", "ns": "kube-node-lease"}
CLAIM = obj(resource("persistentvolumeclaims"), "disk", "shop", spec={"volumeName": "pv7"})
NODE = User("system:node:n1", ("system:nodes", "system:authenticated"))
STRANGER = User("jo", ("system:authenticated",))


def asks(
    user: User, verb: str, plural: str, *, group: str = "", sub: str = "", ns: str = "shop",
    name: str = "", selector: str = "",
) -> str | None:  # fmt: skip
    shelf = default_shelf(POD, CLAIM)
    authorizer = ClusterAuthorizer(NodeAuthorizer(shelf), RbacAuthorizer(shelf))
    of = resource(plural, group)
    return authorizer.authorize(
        Attributes(user, verb, of, sub, ns, name, "/x", field_selector=selector)
    )


def paths(user: User, path: str) -> str | None:
    shelf = default_shelf()
    authorizer = ClusterAuthorizer(NodeAuthorizer(shelf), RbacAuthorizer(shelf))
    return authorizer.authorize(Attributes(user, "get", None, path=path))


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version"])
def test_anyone_may_ask_for_health_and_version(path: str) -> None:
    assert paths(ANONYMOUS, path) is None


@pytest.mark.parametrize("path", ["/metrics", "/livez/ping", "/api", "/apis/apps/v1", "/healthzz"])
def test_nobody_may_ask_for_more(path: str) -> None:
    assert paths(ANONYMOUS, path) is not None


def test_whoever_is_known_may_discover_but_not_measure() -> None:
    assert paths(STRANGER, "/apis/apps/v1") is None
    assert paths(STRANGER, "/metrics") is not None


def refusal(verb: str, plural: str, ns: str, sub: str = "", name: str = "") -> str:
    why = asks(STRANGER, verb, plural, ns=ns, sub=sub, name=name)
    assert why is not None
    asked = Attributes(STRANGER, verb, resource(plural), sub, ns, name, "/x")
    return access_denied(asked, why).message


def test_a_refusal_has_upstreams_words() -> None:
    assert refusal("list", "pods", "default") == (
        'pods is forbidden: User "jo" cannot list resource "pods" in API group "" '
        'in the namespace "default"'
    )
    assert refusal("patch", "nodes", "", "status", "n") == (
        'nodes "n" is forbidden: User "jo" cannot patch resource "nodes/status" in API group "" '
        "at the cluster scope"
    )


def test_administrators_may_do_everything() -> None:
    assert asks(ADMIN, "deletecollection", "secrets") is None


@pytest.mark.parametrize(
    ("component", "verb", "plural", "more"),
    [
        ("kube-scheduler", "create", "pods", {"sub": "binding", "name": "web"}),
        ("kube-scheduler", "patch", "pods", {"sub": "status", "name": "web"}),
        ("kube-scheduler", "create", "events", {}),
        ("kube-controller-manager", "create", "pods", {}),
        ("kube-controller-manager", "deletecollection", "secrets", {}),
        ("kube-controller-manager", "create", "replicasets", {"group": "apps"}),
    ],
)
def test_the_control_plane_may(
    component: str, verb: str, plural: str, more: dict[str, str]
) -> None:
    assert asks(User(f"system:{component}", (AUTHENTICATED,)), verb, plural, **more) is None


@pytest.mark.parametrize(
    ("component", "verb", "plural", "more"),
    [
        ("kube-scheduler", "get", "secrets", {"name": "vol"}),
        ("kube-scheduler", "create", "pods", {}),
        ("kube-controller-manager", "create", "clusterroles", {"group": RBAC, "ns": ""}),
        ("kube-controller-manager", "bind", "clusterroles", {"group": RBAC, "ns": ""}),
        ("kube-controller-manager", "impersonate", "users", {"ns": ""}),
    ],
)
def test_the_control_plane_may_not(
    component: str, verb: str, plural: str, more: dict[str, str]
) -> None:
    assert asks(User(f"system:{component}", (AUTHENTICATED,)), verb, plural, **more) is not None


@pytest.mark.parametrize(
    ("verb", "plural", "more"),
    [
        ("get", "secrets", {"name": "vol"}),
        ("get", "secrets", {"name": "pull"}),
        ("get", "secrets", {"name": "one"}),
        ("get", "configmaps", {"name": "proj"}),
        ("watch", "configmaps", {"name": "all"}),
        ("get", "persistentvolumeclaims", {"name": "disk"}),
        ("get", "persistentvolumes", {"name": "pv7", "ns": ""}),
        ("create", "serviceaccounts", {"name": "robot", "sub": "token"}),
        ("get", "pods", {"name": "web"}),
        ("patch", "pods", {"name": "web", "sub": "status"}),
        ("delete", "pods", {"name": "web"}),
        ("create", "pods", {"name": "web", "sub": "eviction"}),
        ("list", "pods", {"ns": "", "selector": "spec.nodeName=n1"}),
        ("update", "nodes", {"name": "n1", "ns": ""}),
        ("patch", "nodes", {"name": "n1", "sub": "status", "ns": ""}),
        ("list", "services", {"ns": ""}),
        ("update", "leases", {**LEASE, "name": "n1"}),
    ],
)  # fmt: skip
def test_a_node_may(verb: str, plural: str, more: dict[str, str]) -> None:
    assert asks(NODE, verb, plural, **more) is None


@pytest.mark.parametrize(
    ("verb", "plural", "more"),
    [
        ("get", "secrets", {"name": "other"}),
        ("get", "secrets", {"name": "vol", "ns": "elsewhere"}),
        ("list", "secrets", {}),
        ("update", "secrets", {"name": "vol"}),
        ("get", "pods", {"name": "foreign"}),
        ("list", "pods", {"ns": ""}),
        ("list", "pods", {"ns": "", "selector": "spec.nodeName=n11"}),
        ("update", "pods", {"name": "web"}),
        ("patch", "nodes", {"name": "n2", "sub": "status", "ns": ""}),
        ("delete", "nodes", {"name": "n1", "ns": ""}),
        ("get", "persistentvolumes", {"name": "pv8", "ns": ""}),
        ("create", "serviceaccounts", {"name": "other", "sub": "token"}),
        ("update", "leases", {**LEASE, "name": "n2"}),
        ("update", "leases", {"group": "coordination.k8s.io", "ns": "default", "name": "n1"}),
        ("create", "deployments", {"group": "apps"}),
    ],
)  # fmt: skip
def test_a_node_may_not(verb: str, plural: str, more: dict[str, str]) -> None:
    assert asks(NODE, verb, plural, **more) is not None


def test_a_nodes_reach_follows_its_pods() -> None:
    shelf = Shelf()
    nodes = NodeAuthorizer(shelf)
    wanted = Attributes(NODE, "get", resource("secrets"), "", "shop", "vol")
    assert nodes.authorize("n1", wanted) is not None
    shelf.objects[("pods", "shop", "web")] = POD
    shelf.callbacks[0]([Event("ADDED", POD, None, 2, 0.0)])
    assert nodes.authorize("n1", wanted) is None
    assert nodes.authorize("n2", wanted) is not None
    shelf.callbacks[0]([Event("DELETED", POD, POD, 3, 0.0)])
    assert nodes.authorize("n1", wanted) is not None


# Who asks.


def authenticator(secret: Json | None = None) -> Authenticator:
    clock = LoopClock(NOW)
    return Authenticator(TokenChain(ADMIN_TOKEN, {TOKEN.secret_name: secret}.get, clock), clock)


async def bearer(text: str, secret: Json | None = None) -> User:
    return await authenticator(secret).user(NOBODY, {"authorization": f"Bearer {text}"})


async def test_no_credential_is_anonymous_and_a_certificate_comes_first() -> None:
    assert await authenticator().user(NOBODY, {}) is ANONYMOUS
    peer = Peer(NODE)
    assert await authenticator().user(peer, {"authorization": "Bearer wrong"}) is NODE


async def test_the_admin_token_is_the_admin() -> None:
    assert await bearer(ADMIN_TOKEN) is ADMIN


@pytest.mark.parametrize("text", ["x", ADMIN_TOKEN + "a", str(TOKEN), "ü" * 9, "a" * 99_999])
async def test_a_wrong_token_is_unauthorized_not_anonymous(text: str) -> None:
    with pytest.raises(errors.Error, match="Unauthorized") as caught:
        await bearer(text)
    assert caught.value.code == 401


@pytest.mark.parametrize("header", ["Bearer ", "Bearer", "Basic eDp5", ""], ids=repr)
async def test_what_is_no_token_at_all_is_no_credential_as_upstream(header: str) -> None:
    assert await authenticator().user(NOBODY, {"authorization": header}) is ANONYMOUS


async def test_a_bootstrap_token_is_a_bootstrapper() -> None:
    secret = tokens.to_secret(TOKEN, expires_at=NOW + 1_000)
    user = await bearer(str(TOKEN), secret)
    assert user.name == "system:bootstrap:abcdef"
    assert user.groups[0] == "system:bootstrappers"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"expires_at": NOW - 1}, "expired", id="expired"),
        pytest.param({"token": tokens.Token("abcdef", "x" * 16)}, "unknown", id="other secret"),
    ],
)
def test_a_token_that_is_no_longer_good_says_why(changes: dict[str, Any], why: str) -> None:
    given = {"token": TOKEN, "expires_at": None, **changes}
    secret = tokens.to_secret(given["token"], expires_at=given["expires_at"])
    assert why in (tokens.why_not(TOKEN, secret, NOW) or "")


def test_a_secret_of_another_type_or_use_is_no_token() -> None:
    other_type = tokens.to_secret(TOKEN, expires_at=None) | {"type": "Opaque"}
    assert tokens.why_not(TOKEN, other_type, NOW) is not None
    unused = tokens.to_secret(TOKEN, expires_at=None)
    unused["data"].pop("usage-bootstrap-authentication")
    assert tokens.why_not(TOKEN, unused, NOW) == "the token is not meant for authentication"
    assert tokens.why_not(TOKEN, None, NOW) is not None


def test_generated_tokens_have_their_form_and_differ() -> None:
    first, second = tokens.generate(), tokens.generate()
    assert tokens.parse(str(first)) == first != second
    assert SystemClock().now() > 0
