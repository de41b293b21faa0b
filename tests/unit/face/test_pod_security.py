"""Pod Security Standards: each check with upstream's words, and what namespaces make of them."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.object import Json, Object, encode
from busk8s.master.apiserver.admission.pod_security.levels import Policy, violations
from busk8s.master.apiserver.admission.pod_security.plugin import PodSecurity
from busk8s.master.apiserver.attributes import Attributes, Operation

GOOD: Json = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(context: Json | None = None, *, container: Json | None = None, **spec: Any) -> Json:
    made = {"name": "c", "image": "i", **(container or {})}
    if context is not None:
        made["securityContext"] = context
    return {"metadata": {"name": "p"}, "spec": {"containers": [made], **spec}}


def said(data: Json, level: str, version: str = "latest") -> list[str]:
    return [str(each) for each in violations(data, Policy(level, version))]


BASELINE: list[tuple[str, Json, str]] = [
    ("privileged", pod({"privileged": True}),
     'privileged (container "c" must not set securityContext.privileged=true)'),
    ("host namespaces", pod(hostNetwork=True, hostPID=True),
     "host namespaces (hostNetwork=true, hostPID=true)"),
    ("capability", pod({"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}}),
     'non-default capabilities (container "c" must not include "NET_ADMIN" in '
     "securityContext.capabilities.add)"),
    ("host path", pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
     'hostPath volumes (volume "v")'),
    ("host port", pod(container={"ports": [{"containerPort": 80, "hostPort": 80}]}),
     'hostPort (container "c" uses hostPort 80)'),
    ("selinux", pod({"seLinuxOptions": {"type": "spc_t", "user": "u"}}),
     'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; '
     "user may not be set)"),
    ("proc mount", pod({"procMount": "Unmasked"}),
     'procMount (container "c" must not set securityContext.procMount to "Unmasked")'),
    ("seccomp", pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
     'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")'),
    ("sysctl", pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
     "forbidden sysctls (kernel.msgmax)"),
    ("host process", pod({"windowsOptions": {"hostProcess": True}}),
     'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)'),
    ("app armor", pod({"appArmorProfile": {"type": "Unconfined"}}),
     'forbidden AppArmor profile (container "c" must not set AppArmor profile type to '
     '"Unconfined")'),
    ("probe host", pod(container={"livenessProbe": {"httpGet": {"host": "h", "port": 1}}}),
     'probe or lifecycle host (container "c" uses probe or lifecycle host "h")'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "want"), [row[1:] for row in BASELINE], ids=[row[0] for row in BASELINE]
)
def test_checks_of_baseline(data: Json, want: str) -> None:
    assert said(data, "baseline") == [want]
    assert said(data, "privileged") == []


RESTRICTED: list[tuple[str, Json, str]] = [
    ("escalation", pod({**GOOD, "allowPrivilegeEscalation": None}),
     'allowPrivilegeEscalation != false (container "c" must set '
     "securityContext.allowPrivilegeEscalation=false)"),
    ("capabilities", pod({**GOOD, "capabilities": {}}),
     'unrestricted capabilities (container "c" must set '
     'securityContext.capabilities.drop=["ALL"])'),
    ("volumes", pod(GOOD, volumes=[{"name": "v", "nfs": {}}]),
     'restricted volume types (volume "v" uses restricted volume type "nfs")'),
    ("root allowed", pod({**GOOD, "runAsNonRoot": False}),
     'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)'),
    ("root", pod({**GOOD, "runAsUser": 0}),
     'runAsUser=0 (container "c" must not set runAsUser=0)'),
    ("seccomp", pod({**GOOD, "seccompProfile": {"type": "Unconfined"}}),
     'seccompProfile (container "c" must not set securityContext.seccompProfile.type to '
     '"Unconfined")'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "want"), [row[1:] for row in RESTRICTED], ids=[row[0] for row in RESTRICTED]
)
def test_checks_of_restricted(data: Json, want: str) -> None:
    assert said(data, "restricted") == [want]


def test_a_plain_pod_is_told_all_it_lacks_in_upstreams_order() -> None:
    assert ", ".join(said(pod(), "restricted")) == (
        'allowPrivilegeEscalation != false (container "c" must set '
        "securityContext.allowPrivilegeEscalation=false), "
        'unrestricted capabilities (container "c" must set '
        'securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to '
        '"RuntimeDefault" or "Localhost")'
    )
    assert said(pod(GOOD), "restricted") == []


def test_a_pod_may_say_for_all_its_containers() -> None:
    whole = {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert said(pod(own, securityContext=whole), "restricted") == []


def test_a_version_has_the_checks_of_its_time() -> None:
    sysctl = pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]})
    assert said(sysctl, "baseline") == []
    assert said(sysctl, "baseline", "v1.31") == ["forbidden sysctls (net.ipv4.tcp_rmem)"]
    assert "unrestricted" not in " ".join(said(pod(), "restricted", "v1.21"))


class Cluster:
    """A namespace with labels, and the pods in it."""

    def __init__(self, labels: dict[str, str], *pods: Json) -> None:
        self.namespace = stored(scheme.NAMESPACES, {"metadata": {"name": "n", "labels": labels}})
        self.pods = [stored(scheme.PODS, each) for each in pods]

    def get(self, resource_key: str, namespace: str, name: str) -> Object | None:
        return self.namespace if resource_key == "namespaces" else None

    def list(self, resource_key: str, namespace: str | None = None) -> list[Object]:
        return self.pods


def stored(resource: scheme.Resource, data: Json) -> Object:
    whole = {"kind": resource.kind, "apiVersion": resource.api_version, **data}
    name = data["metadata"]["name"]
    return Object(resource, "n", name, revision=1, body=encode(whole), data=whole)


def operation(data: Json, resource: scheme.Resource = scheme.PODS) -> Operation:
    return Operation(Attributes(verb="create", resource=resource, namespace="n"), "CREATE", data)


def labels(**modes: str) -> dict[str, str]:
    return {
        f"pod-security.kubernetes.io/{mode.replace('_', '-')}": level
        for mode, level in modes.items()
    }


def test_a_pod_is_refused_where_its_namespace_enforces() -> None:
    asked = operation(pod({"privileged": True}))
    with pytest.raises(errors.Error) as refused:
        PodSecurity(Cluster(labels(enforce="baseline", enforce_version="v1.30"))).admit(asked)
    assert (refused.value.code, refused.value.message) == (
        403,
        'pods "p" is forbidden: violates PodSecurity "baseline:v1.30": privileged (container "c" '
        "must not set securityContext.privileged=true)",
    )


def test_a_pod_is_let_pass_with_a_warning_and_a_note() -> None:
    asked = operation(pod(hostNetwork=True))
    PodSecurity(Cluster(labels(warn="baseline", audit="baseline"))).admit(asked)
    text = 'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    assert asked.warnings == [text]
    assert asked.annotations["pod-security.kubernetes.io/audit-violations"] == text


def test_what_makes_pods_is_warned_of_and_never_refused() -> None:
    made = {"metadata": {"name": "d"}, "spec": {"template": pod(hostNetwork=True)}}
    asked = operation(made, scheme.DEPLOYMENTS)
    PodSecurity(Cluster(labels(enforce="baseline", warn="baseline"))).admit(asked)
    assert asked.warnings


def test_without_labels_nothing_happens() -> None:
    asked = operation(pod({"privileged": True}))
    PodSecurity(Cluster({})).admit(asked)
    assert (asked.warnings, asked.annotations) == ([], {})


def test_a_namespace_that_becomes_stricter_tells_of_the_pods_it_has() -> None:
    cluster = Cluster({}, pod(hostNetwork=True))
    new = {"metadata": {"name": "n", "labels": labels(enforce="baseline")}}
    attributes = Attributes(verb="update", resource=scheme.NAMESPACES, name="n")
    asked = Operation(attributes, "UPDATE", new, cluster.namespace)
    PodSecurity(cluster).admit(asked)
    assert asked.warnings == [
        'existing pods in namespace "n" violate the new PodSecurity enforce level '
        '"baseline:latest"',
        "p: host namespaces",
    ]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (labels(enforce="strict"), "must be one of privileged, baseline, restricted"),
        (labels(warn_version="1.2"), 'must be "latest" or "v1.x"'),
    ],
    ids=["level", "version"],
)
def test_labels_that_make_no_sense_are_refused(given: dict[str, str], why: str) -> None:
    asked = operation({"metadata": {"name": "n", "labels": given}}, scheme.NAMESPACES)
    with pytest.raises(errors.Error) as refused:
        PodSecurity(Cluster({})).admit(asked)
    assert refused.value.code == 422
    assert why in refused.value.message
