"""Views: what is built event by event is what is there; and only what is referenced is in it."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.object import Object
from busk8s.api.scheme import Resource
from busk8s.master.apiserver.views import Views, needs
from busk8s.master.store.watch import Event
from busk8s.protocol import PUT, Entry

KINDS = {
    "pods": Resource("", "v1", "pods", "Pod", True),
    "nodes": Resource("", "v1", "nodes", "Node", False),
    "services": Resource("", "v1", "services", "Service", True),
    "configmaps": Resource("", "v1", "configmaps", "ConfigMap", True),
    "secrets": Resource("", "v1", "secrets", "Secret", True),
    "serviceaccounts": Resource("", "v1", "serviceaccounts", "ServiceAccount", True),
    "persistentvolumeclaims": Resource(
        "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True
    ),
    "persistentvolumes": Resource("", "v1", "persistentvolumes", "PersistentVolume", False),
    "runtimeclasses": Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", False),
    "endpointslices": Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True),
}

NAME = st.sampled_from(["a", "b", "kubernetes"])
SPACE = st.sampled_from(["default", "other"])
NODE = st.sampled_from(["n1", "n2"])


def make(kind: str, namespace: str, name: str, revision: int, spec: dict[str, Any]) -> Object:
    resource = KINDS[kind]
    data = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": str(revision)},
        "spec": spec,
    }
    namespace = namespace if resource.namespaced else ""
    return Object(resource, namespace, name, revision=revision, body=orjson.dumps(data))


def optional(key: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.none().map(lambda _: {}) | value.map(lambda found: {key: found})


VOLUME = st.one_of(
    NAME.map(lambda n: {"name": "v", "configMap": {"name": n}}),
    NAME.map(lambda n: {"name": "v", "secret": {"secretName": n}}),
    NAME.map(lambda n: {"name": "v", "projected": {"sources": [{"secret": {"name": n}}]}}),
    NAME.map(lambda n: {"name": "v", "persistentVolumeClaim": {"claimName": n}}),
    st.just({"name": "v", "emptyDir": {}}),
)
ENV = st.one_of(
    NAME.map(lambda n: {"env": [{"valueFrom": {"configMapKeyRef": {"name": n, "key": "k"}}}]}),
    NAME.map(lambda n: {"envFrom": [{"secretRef": {"name": n}}]}),
)
POD = st.builds(
    lambda *parts: {key: value for part in parts for key, value in part.items()},
    optional("nodeName", NODE),
    optional("volumes", st.lists(VOLUME, max_size=2)),
    optional("containers", st.lists(ENV, max_size=2)),
    optional("runtimeClassName", NAME),
    optional("serviceAccountName", NAME),
)
SPEC = {
    "pods": POD,
    "nodes": optional("podCIDR", st.sampled_from(["10.0.0.0/24", "10.0.1.0/24"])),
    "persistentvolumeclaims": optional("volumeName", NAME),
}
STEP = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        SPACE,
        NODE if kind == "nodes" else NAME,
        st.none() | SPEC.get(kind, st.just({})),
    )
)


def run(steps: list[tuple[str, str, str, dict[str, Any] | None]]) -> tuple[Views, Any, Any]:
    """Apply the steps (None: delete); the views, what is there, and the copies followers hold."""
    views = Views()
    there: dict[tuple[str, str, str], Object] = {}
    copies: dict[str, dict[tuple[str, str, str], Entry]] = {}
    for revision, (kind, namespace, name, spec) in enumerate(steps, 1):
        key = (kind, namespace if KINDS[kind].namespaced else "", name)
        old = there.get(key)
        if spec is None and old is None:
            continue
        obj = make(kind, namespace, name, revision, spec or {})
        if spec is None:
            event = Event("DELETED", obj, old, revision, 0.0)
            del there[key]
        else:
            event = Event("MODIFIED" if old else "ADDED", obj, old, revision, 0.0)
            there[key] = obj
        for topic, made in views.apply([event]).items():
            for entry in made:
                copy = copies.setdefault(topic, {})
                if entry[0] == PUT:
                    copy[entry[1:4]] = entry
                else:
                    assert entry[1:4] in copy, "gone without ever having been there"
                    del copy[entry[1:4]]
    return views, there, copies


@given(st.lists(STEP, max_size=40))
def test_built_event_by_event_is_what_is_there(steps: list[Any]) -> None:
    views, there, copies = run(steps)
    fresh = Views()
    fresh.load(there.values())
    for topic in ("node/n1", "node/n2", "net"):
        built = {entry[1:4]: entry[5] for entry in views.contents(topic)}
        assert built.keys() == {entry[1:4]: 0 for entry in fresh.contents(topic)}.keys()
        followed = {key: entry[5] for key, entry in copies.get(topic, {}).items()}
        assert followed == built


@given(st.lists(STEP, max_size=40))
def test_a_node_sees_what_its_pods_reference_and_nothing_else(steps: list[Any]) -> None:
    views, there, _ = run(steps)
    by_ref = {(o.resource.key, o.namespace, o.name): o for o in there.values()}
    for node in ("n1", "n2"):
        roots = [
            obj
            for obj in there.values()
            if (obj.resource.key == "pods" and obj.data["spec"].get("nodeName") == node)
            or (obj.resource.key == "nodes" and obj.name == node)
        ]
        wanted = {(o.resource.key, o.namespace, o.name) for o in roots}
        queue = list(roots)
        while queue:
            for ref in needs(queue.pop()):
                for found in by_ref if ref[2] == "*" else (ref,):
                    named = found[:2] == ref[:2] and ref[2] in ("*", found[2])
                    if named and found in by_ref and found not in wanted:
                        wanted.add(found)
                        queue.append(by_ref[found])
        assert {entry[1:4] for entry in views.contents(f"node/{node}")} == wanted


def test_a_secret_leaves_with_the_last_pod_that_uses_it() -> None:
    spec = {"nodeName": "n1", "volumes": [{"name": "v", "secret": {"secretName": "s"}}]}
    steps: list[Any] = [
        ("secrets", "default", "s", {}),
        ("pods", "default", "a", spec),
        ("pods", "default", "b", spec),
        ("pods", "default", "a", None),
    ]
    _, _, copies = run(steps)
    assert ("secrets", "default", "s") in copies["node/n1"]
    _, _, copies = run([*steps, ("pods", "default", "b", None)])
    assert copies["node/n1"] == {}


def test_a_beat_of_status_does_not_wake_the_other_nodes() -> None:
    views = Views()
    first = make("nodes", "", "n1", 1, {"podCIDR": "10.0.0.0/24"})
    again = make("nodes", "", "n1", 2, {"podCIDR": "10.0.0.0/24", "unschedulable": True})
    assert "net" in views.apply([Event("ADDED", first, None, 1, 0.0)])
    deltas = views.apply([Event("MODIFIED", again, first, 2, 0.0)])
    assert sorted(deltas) == ["kind/nodes", "node/n1"]
