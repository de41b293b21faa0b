"""RBAC over a whole API server: roles decide, nobody grants more than he holds, defaults stand."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import pytest
from api_world import Api, world

from busk8s.api import scheme
from busk8s.api.request import Request, User
from busk8s.ids import RandomIds
from busk8s.master.apiserver.admission.chain import AdmissionChain
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.authz import ClusterAuthorizer
from busk8s.master.apiserver.node_authz import NodeAuthorizer
from busk8s.master.apiserver.rbac.access import ANSWERS_MAX
from busk8s.master.apiserver.rbac.authorizer import RbacAuthorizer
from busk8s.master.apiserver.rbac.bootstrap import bootstrap_roles
from busk8s.master.apiserver.rbac.escalation import EscalationCheck, Guarded
from busk8s.metrics import text

Json = dict[str, Any]
JO = User("jo", ("dev", "system:authenticated"))
ROOT = "/apis/rbac.authorization.k8s.io/v1"
IN_DEFAULT = f"{ROOT}/namespaces/default"
PODS = "/api/v1/namespaces/default/pods"


class Secured(Api):
    """An API server as `assembly` wires it: roles, the check of escalation, default objects."""

    def __init__(self) -> None:
        super().__init__()
        rbac = RbacAuthorizer(self.cache)
        self.authorizer = ClusterAuthorizer(NodeAuthorizer(self.cache), rbac)
        self.server.parts.authorizer = self.authorizer
        check = EscalationCheck(rbac, self.authorizer)
        chain = AdmissionChain(self.cache, ids=RandomIds(random.Random(1)))
        self.server.parts.admission = Guarded(chain, check)


async def secured() -> Secured:
    api = Secured()
    await api.open()
    for name in ("default", "kube-system", "kube-public", "other"):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await api.must("POST", "/api/v1/namespaces", body)
    await bootstrap_roles(api.server.dispatch)
    return api


def role(name: str, *rules: Json, kind: str = "Role") -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "rules": list(rules),
    }


def rule(verbs: str, resources: str, groups: tuple[str, ...] = ("",), **more: Any) -> Json:
    return {
        "verbs": verbs.split(),
        "apiGroups": list(groups),
        "resources": resources.split(),
        **more,
    }


def binding(name: str, to: str, kind: str = "RoleBinding", role_kind: str = "ClusterRole") -> Json:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": role_kind, "name": to},
        "subjects": [{"kind": "User", "name": "jo", "apiGroup": group}],
    }


async def test_a_role_counts_from_the_write_on_and_until_it_is_gone() -> None:
    api = await secured()
    assert (await api.do("GET", PODS, user=JO))[0] == 403
    await api.must("POST", f"{IN_DEFAULT}/roles", role("r", rule("list", "pods")))
    bound = binding("b", "r", role_kind="Role")
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", bound)
    assert (await api.do("GET", PODS, user=JO))[0] == 200
    assert (await api.do("GET", "/api/v1/namespaces/other/pods", user=JO))[0] == 403
    assert (await api.do("GET", "/api/v1/pods", user=JO))[0] == 403
    await api.must("PUT", f"{IN_DEFAULT}/roles/r", role("r", rule("get", "pods")))
    assert (await api.do("GET", PODS, user=JO))[0] == 403
    assert (await api.do("GET", f"{PODS}/none", user=JO))[0] == 404
    await api.must("DELETE", f"{IN_DEFAULT}/rolebindings/b")
    assert (await api.do("GET", f"{PODS}/none", user=JO))[0] == 403


async def test_who_allows_a_request_is_known_by_name_and_forgotten_with_the_binding() -> None:
    api = await secured()
    asked = Attributes(JO, "get", scheme.RESOURCES["pods"], namespace="default", name="a")
    named = rule("get", "pods", resourceNames=["a"])
    await api.must("POST", f"{IN_DEFAULT}/roles", role("named", named))
    await api.must("POST", f"{IN_DEFAULT}/roles", role("all", rule("get", "pods")))
    for name in ("named", "all"):
        bound = binding(f"z-{name}", name, role_kind="Role")
        await api.must("POST", f"{IN_DEFAULT}/rolebindings", bound)

    def why(name: str) -> str:
        return api.authorizer.granted_by(replace(asked, name=name))

    said = 'RBAC: allowed by RoleBinding "z-{0}/default" of Role "{0}" to User "jo"'
    for _ in range(2):  # Remembered the second time.
        assert why("b") == said.format("all")
        assert why("a") in (said.format("all"), said.format("named"))
    await api.must("DELETE", f"{IN_DEFAULT}/rolebindings/z-all")
    assert (why("a"), why("b")) == (said.format("named"), "")


async def test_a_refusal_is_noted_for_the_audit_log_and_counted() -> None:
    api = await secured()
    request = Request("GET", PODS, JO)
    assert (await api.server.dispatch(request)).status == 403
    assert request.notes == {
        "authorization.k8s.io/decision": "forbid",
        "authorization.k8s.io/reason": "",
    }
    page = text(api.server.families()).decode()
    assert 'authorization_attempts_total{result="no-opinion"} 1\n' in page


async def test_a_missing_role_is_named_in_the_refusal() -> None:
    api = await secured()
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("b", "nothing"))
    status, said = await api.do("GET", PODS, user=JO)
    assert status == 403
    assert said["message"] == (
        'pods is forbidden: User "jo" cannot list resource "pods" in API group "" in the namespace '
        '"default": RBAC: clusterrole.rbac.authorization.k8s.io "nothing" not found'
    )


async def test_a_list_selected_by_name_needs_that_name_only() -> None:
    api = await secured()
    one = role("r", rule("list watch", "configmaps", resourceNames=["mine"]))
    await api.must("POST", f"{IN_DEFAULT}/roles", one)
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("b", "r", role_kind="Role"))
    where = "/api/v1/namespaces/default/configmaps"
    assert (await api.do("GET", f"{where}?fieldSelector=metadata.name=mine", user=JO))[0] == 200
    assert (await api.do("GET", f"{where}?fieldSelector=metadata.name=other", user=JO))[0] == 403
    assert (await api.do("GET", where, user=JO))[0] == 403


async def test_who_may_view_a_namespace_may_get_it() -> None:
    api = await secured()
    reader = role("see", rule("get", "namespaces"), kind="ClusterRole")
    await api.must("POST", f"{ROOT}/clusterroles", reader)
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("b", "see"))
    assert (await api.do("GET", "/api/v1/namespaces/default", user=JO))[0] == 200
    status, said = await api.do("GET", "/api/v1/namespaces/other", user=JO)
    assert status == 403
    assert said["message"].endswith(
        'resource "namespaces" in API group "" in the namespace "other"'
    )


# Escalation.


async def manager(api: Secured, *more: Json) -> None:
    """Jo may write roles and bindings in the namespace, and read pods."""
    group = ("rbac.authorization.k8s.io",)
    rules = (rule("*", "roles rolebindings", group), rule("get list", "pods"), *more)
    await api.must("POST", f"{IN_DEFAULT}/roles", role("manager", *rules))
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("m", "manager", role_kind="Role"))


def but(verbs: str, resources: str) -> Json:
    group = "rbac.authorization.k8s.io"
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}


WRITER = but("create update patch delete get list", "roles rolebindings")


async def writer(api: Secured, *more: Json) -> None:
    """As manager, but without the verbs escalate and bind."""
    rules = (WRITER, rule("get list", "pods"), *more)
    await api.must("POST", f"{IN_DEFAULT}/roles", role("writer", *rules))
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("w", "writer", role_kind="Role"))


async def test_one_may_grant_what_one_holds() -> None:
    api = await secured()
    await writer(api)
    new = role("pods", rule("get", "pods"))
    assert (await api.do("POST", f"{IN_DEFAULT}/roles", new, user=JO))[0] == 201
    bound = binding("pods", "pods", role_kind="Role")
    assert (await api.do("POST", f"{IN_DEFAULT}/rolebindings", bound, user=JO))[0] == 201


async def test_what_one_does_not_hold_is_refused_in_upstreams_words() -> None:
    api = await secured()
    await writer(api)
    more = role("more", rule("get delete watch", "pods"), rule("get", "secrets"))
    status, said = await api.do("POST", f"{IN_DEFAULT}/roles", more, user=JO)
    assert status == 403
    assert said["message"] == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "jo" (groups=["dev" '
        '"system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )
    assert said["details"] == {
        "name": "more", "group": "rbac.authorization.k8s.io", "kind": "roles",
    }  # fmt: skip


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_role_cannot_be_widened_by_a_change_either(method: str) -> None:
    api = await secured()
    await writer(api)
    await api.must("POST", f"{IN_DEFAULT}/roles", role("mine", rule("get", "pods")))
    wider = role("mine", rule("get", "secrets"))
    kind = "application/json" if method == "PUT" else "application/merge-patch+json"
    path = f"{IN_DEFAULT}/roles/mine"
    assert (await api.do(method, path, wider, user=JO, content_type=kind))[0] == 403
    assert (await api.must("GET", path))["rules"] == [rule("get", "pods")]


async def test_a_greater_role_may_be_relieved_of_its_finalizers_but_not_relabelled() -> None:
    api = await secured()
    await writer(api)
    great = role("great", rule("*", "*"))
    great["metadata"]["finalizers"] = ["example.com/f"]
    await api.must("POST", f"{IN_DEFAULT}/roles", great)
    path, kind = f"{IN_DEFAULT}/roles/great", "application/merge-patch+json"
    label: Json = {"metadata": {"labels": {"a": "b"}}}
    assert (await api.do("PATCH", path, label, user=JO, content_type=kind))[0] == 403
    bare: Json = {"metadata": {"finalizers": None}}
    assert (await api.do("PATCH", path, bare, user=JO, content_type=kind))[0] == 200


async def test_binding_a_role_needs_its_permissions_or_the_verb_bind() -> None:
    api = await secured()
    await writer(api)
    path = f"{IN_DEFAULT}/rolebindings"
    status, said = await api.do("POST", path, binding("b", "system:kube-dns"), user=JO)
    assert status == 403
    assert 'rolebindings.rbac.authorization.k8s.io "b" is forbidden: user "jo"' in said["message"]
    assert said["message"].endswith(
        '{APIGroups:[""], Resources:["endpoints"], Verbs:["list" "watch"]}\n'
        '{APIGroups:[""], Resources:["services"], Verbs:["list" "watch"]}'
    )
    may = role("may", but("bind", "clusterroles") | {"resourceNames": ["system:kube-dns"]})
    await api.must("POST", f"{IN_DEFAULT}/roles", may)
    await api.must("POST", path, binding("may", "may", role_kind="Role"))
    assert (await api.do("POST", path, binding("b", "system:kube-dns"), user=JO))[0] == 201
    assert (await api.do("POST", path, binding("c", "cluster-admin"), user=JO))[0] == 403


async def test_binding_a_role_that_is_not_there_is_not_found() -> None:
    api = await secured()
    await writer(api)
    status, said = await api.do("POST", f"{IN_DEFAULT}/rolebindings", binding("b", "no"), user=JO)
    assert (status, said["reason"]) == (404, "NotFound")
    assert said["message"] == 'clusterrole.rbac.authorization.k8s.io "no" not found'


async def test_the_verb_escalate_lifts_the_check() -> None:
    api = await secured()
    await manager(api)
    new = role("all", rule("*", "*"))
    assert (await api.do("POST", f"{IN_DEFAULT}/roles", new, user=JO))[0] == 201


async def test_only_who_holds_everything_may_gather() -> None:
    api = await secured()
    group = ("rbac.authorization.k8s.io",)
    may = role("may", rule("create", "clusterroles", group), kind="ClusterRole")
    await api.must("POST", f"{ROOT}/clusterroles", may)
    bound = binding("may", "may", kind="ClusterRoleBinding")
    await api.must("POST", f"{ROOT}/clusterrolebindings", bound)
    gather = role("g", kind="ClusterRole")
    gather["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    status, said = await api.do("POST", f"{ROOT}/clusterroles", gather, user=JO)
    assert status == 403
    assert said["message"].endswith("must have cluster-admin privileges to use an aggregationRule")


async def test_a_binding_never_changes_its_role() -> None:
    api = await secured()
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("b", "view"))
    status, said = await api.do("PUT", f"{IN_DEFAULT}/rolebindings/b", binding("b", "admin"))
    assert status == 422
    assert "cannot change roleRef" in said["message"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("roles", role("r", {"verbs": [], "apiGroups": [""], "resources": ["pods"]}),
         "rules[0].verbs: Required value: verbs must contain at least one value"),
        ("roles", role("r", {"verbs": ["get"], "nonResourceURLs": ["/x"]}),
         'rules[0].nonResourceURLs: Invalid value: ["/x"]: '
         "namespaced rules cannot apply to non-resource URLs"),
        ("roles", role("r", {"verbs": ["get"], "resources": ["pods"]}),
         "rules[0].apiGroups: Required value: resource rules must supply at least one api group"),
        ("rolebindings", binding("b", "x", role_kind="Thing"),
         'roleRef.kind: Unsupported value: "Thing": supported values: "Role", "ClusterRole"'),
        ("rolebindings", binding("b", ".."), 'roleRef.name: Invalid value: "..": may not be'),
    ],
    ids=["no verbs", "paths in a namespace", "no groups", "strange kind", "strange name"],
)  # fmt: skip
async def test_an_object_of_no_meaning_is_invalid(path: str, body: Json, said: str) -> None:
    api = await secured()
    status, answer = await api.do("POST", f"{IN_DEFAULT}/{path}", body)
    assert status == 422
    assert said in answer["message"]


async def test_more_questions_than_are_remembered_are_answered_all_the_same() -> None:
    api = await secured()
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("b", "system:kube-dns"))
    for turn in range(2):
        for number in range(ANSWERS_MAX + 50):
            odd = Attributes(JO, f"verb{number}", scheme.SERVICES, "", "default")
            assert api.authorizer.authorize(odd) == "", turn
            assert api.authorizer.authorize(Attributes(JO, "get", path=f"/x/{number}")) == ""
        good = Attributes(JO, "list", scheme.SERVICES, "", "default")
        assert api.authorizer.authorize(good) is None
    grants = api.authorizer._rbac.access(JO).cluster
    assert len(grants._answers) <= ANSWERS_MAX


# Default roles.


async def test_default_roles_are_made_once_and_mended_not_reset() -> None:
    api = await secured()
    before = api.cache.revision
    await bootstrap_roles(api.server.dispatch)
    assert api.cache.revision == before
    path = f"{ROOT}/clusterroles/system:kube-dns"
    mine = rule("get", "widgets")
    await api.must("PUT", path, role("system:kube-dns", mine, kind="ClusterRole"))
    await bootstrap_roles(api.server.dispatch)
    found = await api.must("GET", path)
    assert found["rules"][0] == mine
    assert len(found["rules"]) == 5
    assert found["metadata"]["labels"] == {"kubernetes.io/bootstrapping": "rbac-defaults"}


async def test_a_role_marked_so_is_left_alone() -> None:
    api = await secured()
    own = role("system:kube-dns", kind="ClusterRole")
    own["metadata"]["annotations"] = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    await api.must("PUT", f"{ROOT}/clusterroles/system:kube-dns", own)
    await bootstrap_roles(api.server.dispatch)
    assert not (await api.must("GET", f"{ROOT}/clusterroles/system:kube-dns")).get("rules")


async def test_a_default_binding_of_another_role_is_made_anew() -> None:
    api = await secured()
    path = f"{ROOT}/clusterrolebindings/system:discovery"
    await api.must("DELETE", path)
    wrong = binding("system:discovery", "view", kind="ClusterRoleBinding")
    await api.must("POST", f"{ROOT}/clusterrolebindings", wrong)
    await bootstrap_roles(api.server.dispatch)
    assert (await api.must("GET", path))["roleRef"]["name"] == "system:discovery"


# Reviews.

REVIEW = "/apis/authorization.k8s.io/v1"


def review(kind: str, **spec: Any) -> Json:
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}


async def test_a_review_says_by_what_it_is_allowed() -> None:
    api = await secured()
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("b", "system:kube-dns"))
    asked = {"verb": "list", "resource": "services", "namespace": "default"}
    body = review("SelfSubjectAccessReview", resourceAttributes=asked)
    answer = await api.must("POST", f"{REVIEW}/selfsubjectaccessreviews", body, user=JO)
    why = 'RBAC: allowed by RoleBinding "b/default" of ClusterRole "system:kube-dns" to User "jo"'
    assert answer["status"] == {"allowed": True, "reason": why}
    body = review("SubjectAccessReview", user="jo", resourceAttributes={**asked, "verb": "get"})
    answer = await api.must("POST", f"{REVIEW}/subjectaccessreviews", body)
    assert answer["status"] == {"allowed": False}


async def test_the_rules_of_oneself_are_listed() -> None:
    api = await secured()
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", binding("b", "system:kube-dns"))
    body = review("SelfSubjectRulesReview", namespace="default")
    answer = await api.must("POST", f"{REVIEW}/selfsubjectrulesreviews", body, user=JO)
    status = answer["status"]
    dns = {"verbs": ["list", "watch"], "apiGroups": [""], "resources": ["endpoints", "services"]}
    assert dns in status["resourceRules"]
    assert any("/api" in each["nonResourceURLs"] for each in status["nonResourceRules"])
    assert status["incomplete"] is False


READER = binding("reader", "system:kube-dns")


@pytest.mark.parametrize(
    ("path", "kind", "spec", "allowed"),
    [
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview", {}, True),
        ("subjectaccessreviews", "SubjectAccessReview", {"user": "jo"}, True),
        ("subjectaccessreviews", "SubjectAccessReview", {"user": "al"}, False),
        ("subjectaccessreviews", "SubjectAccessReview", {"groups": ["system:masters"]}, True),
        ("namespaces/default/localsubjectaccessreviews", "LocalSubjectAccessReview",
         {"user": "jo"}, True),
        ("namespaces/default/localsubjectaccessreviews", "LocalSubjectAccessReview",
         {"user": "al"}, False),
    ],
    ids=["oneself", "a user", "another", "a group", "in a namespace", "another there"],
)  # fmt: skip
async def test_every_form_of_review_asks_the_roles(
    path: str, kind: str, spec: Json, allowed: bool
) -> None:
    api = await secured()
    await api.must("POST", f"{IN_DEFAULT}/rolebindings", READER)
    may = role("may", rule("create", "*", ("authorization.k8s.io",)), kind="ClusterRole")
    await api.must("POST", f"{ROOT}/clusterroles", may)
    bound = binding("may", "may", kind="ClusterRoleBinding")
    await api.must("POST", f"{ROOT}/clusterrolebindings", bound)
    asked = {"verb": "list", "resource": "services", "namespace": "default"}
    body = review(kind, **spec, resourceAttributes=asked)
    if kind.startswith("Local"):
        body["metadata"] = {"namespace": "default"}
    answer = await api.must("POST", f"{REVIEW}/{path}", body, user=JO)
    assert answer["status"]["allowed"] is allowed


async def test_a_review_may_ask_about_a_path_and_about_a_selection() -> None:
    api = await secured()
    path = review("SelfSubjectAccessReview", nonResourceAttributes={"path": "/api", "verb": "get"})
    answer = await api.must("POST", f"{REVIEW}/selfsubjectaccessreviews", path, user=JO)
    assert answer["status"]["allowed"] is True
    groups = ["system:nodes", "system:authenticated"]
    own = {"key": "spec.nodeName", "operator": "In", "values": ["n1"]}
    for selector, allowed in (({"requirements": [own]}, True), ({}, False)):
        asked = {"verb": "list", "resource": "pods", "fieldSelector": selector}
        body = review(
            "SubjectAccessReview", user="system:node:n1", groups=groups, resourceAttributes=asked
        )
        answer = await api.must("POST", f"{REVIEW}/subjectaccessreviews", body)
        assert answer["status"]["allowed"] is allowed


async def test_an_apply_is_checked_as_any_write() -> None:
    api = await secured()
    await writer(api)
    path, kind = f"{IN_DEFAULT}/roles/applied?fieldManager=jo", "application/apply-patch+yaml"
    for wanted, status in ((rule("get", "pods"), 201), (rule("get", "secrets"), 403)):
        new = role("applied", wanted)
        assert (await api.do("PATCH", path, new, user=JO, content_type=kind))[0] == status


# Speed.


async def test_asking_is_quick() -> None:
    api = await secured()
    manager = User("system:kube-controller-manager", ("system:authenticated",))
    admin = User("root", ("system:masters",))
    for user, limit_s in ((admin, 3e-6), (manager, 15e-6), (JO, 15e-6)):
        asked = Attributes(user, "create", scheme.PODS, "", "default", "a", "/x")
        api.authorizer.authorize(asked)
        best = 1.0
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(2_000):
                api.authorizer.authorize(asked)
            best = min(best, (time.perf_counter() - began) / 2_000)
        assert best < limit_s, user.name


async def test_the_world_without_roles_allows_all() -> None:
    assert (await (await world()).do("GET", PODS, user=JO))[0] == 200
