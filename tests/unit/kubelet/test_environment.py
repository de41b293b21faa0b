"""Environment, expansion and the downward API."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pod_cases import make_pod

from busk8s.api.object import Object
from busk8s.api.scheme import RESOURCES
from busk8s.worker.kubelet.downward import DownwardError, Facts, field_value, resource_value
from busk8s.worker.kubelet.env import EnvError, environment, expand

FACTS = Facts("n1", "10.0.0.1", "10.1.0.2", cpu_millis=4_000, memory_bytes=8 << 30)


def thing(kind: str, name: str, namespace: str = "default", **data: Any) -> Object:
    body = orjson.dumps({"metadata": {"name": name, "namespace": namespace}, **data})
    return Object(RESOURCES[kind], namespace, name, revision=1, body=body)


OBJECTS = {
    ("configmaps", "conf"): thing("configmaps", "conf", data={"k": "v", "URL": "http://x"}),
    ("secrets", "pass"): thing("secrets", "pass", data={"p": base64.b64encode(b"pw").decode()}),
}


def lookup(kind: str, namespace: str, name: str) -> Object | None:
    return OBJECTS.get((kind, name)) if namespace == "default" else None


def env_of(container: dict[str, Any], services: tuple[Object, ...] = (), **spec: Any) -> Any:
    container = {"name": "c", **container}
    pod = make_pod({"containers": [container], **spec}, labels={"app": "web"})
    return environment(pod, container, FACTS, lookup, services)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(A", "$(A"),
        ("a$", "a$"),
        ("$A", "$A"),
        ("$()", "$()"),
    ],
)
def test_expansion_is_upstreams(text: str, wanted: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == wanted


@given(st.text(alphabet="ab()x "))
def test_text_without_dollars_is_never_changed(text: str) -> None:
    assert expand(text, {"a": "1"}) == text


@given(st.text())
def test_doubled_dollars_protect_any_text(text: str) -> None:
    assert expand(text.replace("$", "$$"), {"a": "1"}) == text


def test_later_variables_see_earlier_ones() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}]
    assert env_of({"env": env}) == {"A": "1", "B": "12"}


def test_env_from_takes_all_keys_with_the_prefix_and_env_wins() -> None:
    container = {
        "envFrom": [
            {"prefix": "C_", "configMapRef": {"name": "conf"}},
            {"secretRef": {"name": "pass"}},
            {"configMapRef": {"name": "none", "optional": True}},
        ],
        "env": [{"name": "p", "value": "own"}],
    }
    assert env_of(container) == {"C_k": "v", "C_URL": "http://x", "p": "own"}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        (
            {"configMapKeyRef": {"name": "conf", "key": "x"}},
            "couldn't find key x in ConfigMap default/conf",
        ),
        (
            {"secretKeyRef": {"name": "pass", "key": "x"}},
            "couldn't find key x in Secret default/pass",
        ),
        ({"fileKeyRef": {"path": "x"}}, "env A: valueFrom fileKeyRef is not supported"),
    ],
)
def test_what_is_missing_is_said_in_upstreams_words(source: dict[str, Any], wanted: str) -> None:
    with pytest.raises(EnvError) as raised:
        env_of({"env": [{"name": "A", "valueFrom": source}]})
    assert str(raised.value) == wanted


def test_optional_references_that_lead_nowhere_are_left_out() -> None:
    sources = [
        {"configMapKeyRef": {"name": "none", "key": "k", "optional": True}},
        {"secretKeyRef": {"name": "pass", "key": "x", "optional": True}},
    ]
    env = [{"name": f"V{i}", "valueFrom": source} for i, source in enumerate(sources)]
    assert env_of({"env": env}) == {}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app.kubernetes.io/name']", "web"),
        ("metadata.annotations['none']", ""),
        ("metadata.annotations", 'a="x\\ny"\nb="2"'),
        ("spec.nodeName", "n1"),
        ("spec.serviceAccountName", "sa"),
        ("status.hostIP", "10.0.0.1"),
        ("status.podIP", "10.1.0.2"),
        ("status.podIPs", "10.1.0.2"),
    ],
)
def test_fields_of_the_downward_api(path: str, wanted: str) -> None:
    pod = make_pod(
        {"containers": [], "serviceAccountName": "sa"},
        labels={"app.kubernetes.io/name": "web"},
        annotations={"b": "2", "a": "x\ny"},
    )
    assert field_value(pod, path, FACTS) == wanted


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(DownwardError, match=r"spec\.hostname"):
        field_value(make_pod({"containers": []}), "spec.hostname", FACTS)


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "500"),
        ({"resource": "limits.memory"}, str(64 << 20)),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "requests.memory", "divisor": "1Mi"}, "0"),
        ({"resource": "limits.ephemeral-storage"}, "0"),
    ],
    ids=lambda case: str(case),
)
def test_resources_are_rounded_up_to_the_divisor(reference: dict[str, Any], wanted: str) -> None:
    container = {"name": "c", "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}}
    pod = make_pod({"containers": [container]})
    assert resource_value(pod, container, reference, FACTS) == wanted


def test_a_limit_that_is_not_set_is_the_nodes() -> None:
    pod = make_pod({"containers": [{"name": "c"}]})
    assert resource_value(pod, {"name": "c"}, {"resource": "limits.cpu"}, FACTS) == "4"


def test_service_links() -> None:
    spec = {"clusterIP": "10.96.0.9", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
    services = (
        thing("services", "my-db", spec=spec),
        thing("services", "kubernetes", spec={**spec, "clusterIP": "10.96.0.1"}),
        thing("services", "headless", spec={**spec, "clusterIP": "None"}),
        thing("services", "far", "other", spec=spec),
    )
    found = env_of({}, services)
    assert found["MY_DB_SERVICE_HOST"] == "10.96.0.9"
    assert found["MY_DB_SERVICE_PORT"] == found["MY_DB_SERVICE_PORT_HTTP"] == "80"
    assert found["MY_DB_PORT"] == found["MY_DB_PORT_80_TCP"] == "tcp://10.96.0.9:80"
    assert found["MY_DB_PORT_80_TCP_ADDR"] == "10.96.0.9"
    assert not [name for name in found if name.startswith(("HEADLESS", "FAR"))]
    without = env_of({}, services, enableServiceLinks=False)
    assert without["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert not [name for name in without if name.startswith("MY_DB")]
