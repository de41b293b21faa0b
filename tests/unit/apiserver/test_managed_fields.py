"""Who owns what from an object's creation on, as upstream's clients see it in managedFields."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from api_world import ADMIN, MERGE, PODS, Api, config_map, deployment, pod, world

from busk8s.api.decode import OBJECT_BYTES_MAX
from busk8s.api.request import Request, User
from busk8s.master.apiserver.attributes import Operation

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
BASE = {
    "Service": "/api/v1/namespaces/default/services",
    "PersistentVolumeClaim": "/api/v1/namespaces/default/persistentvolumeclaims",
    "CronJob": "/apis/batch/v1/namespaces/default/cronjobs",
    "Namespace": "/api/v1/namespaces",
    "Pod": PODS,
}
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
Json = dict[str, Any]


def entries(obj: Json) -> list[Json]:
    found: list[Json] = obj["metadata"].get("managedFields", [])
    return found


def owners(obj: Json) -> dict[tuple[str, str], Json]:
    return {(e["manager"], e.get("subresource", "")): e["fieldsV1"] for e in entries(obj)}


def keyed(key: str, *names: str, **fields: Json) -> Json:
    return {key: {".": {}, **{f"f:{name}": {} for name in names}, **fields}}


def plain(*names: str) -> Json:
    return {f"f:{name}": {} for name in names}


CONTAINER = ("image", "imagePullPolicy", "name", "resources", "terminationMessagePath")
CONTAINER += ("terminationMessagePolicy",)
POD_SPEC = plain("dnsPolicy", "restartPolicy", "schedulerName", "securityContext")
POD_SPEC |= plain("terminationGracePeriodSeconds")
LABELS = {"f:labels": {".": {}, "f:app": {}}}


async def test_a_created_deployment_is_its_creators_with_the_defaults_but_not_the_status() -> None:
    api = await world()
    body = {**deployment(replicas=3), "status": {"replicas": 7}}
    body["metadata"]["labels"] = {"app": "x"}
    made = await api.must("POST", DEPLOYMENTS + "?fieldManager=kubectl-create", body)
    [entry] = entries(made)
    assert entry.pop("time") == made["metadata"]["creationTimestamp"]
    assert entry == {
        "manager": "kubectl-create",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": LABELS,
            "f:spec": {
                **plain("progressDeadlineSeconds", "replicas", "revisionHistoryLimit", "selector"),
                "f:strategy": {
                    "f:rollingUpdate": {".": {}, **plain("maxSurge", "maxUnavailable")},
                    "f:type": {},
                },
                "f:template": {
                    "f:metadata": LABELS,
                    "f:spec": {
                        "f:containers": keyed('k:{"name":"c"}', *CONTAINER),
                        **POD_SPEC,
                    },
                },
            },
        },
    }


CREATED: list[tuple[str, Json, Json]] = [
    (
        "Pod",
        {
            "containers": [
                {
                    "name": "c",
                    "image": "x",
                    "env": [
                        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
                    ],
                    "ports": [{"containerPort": 80}],
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                }
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "tolerations": [{"key": "a", "operator": "Exists"}],
        },
        {
            "f:containers": keyed(
                'k:{"name":"c"}',
                *CONTAINER,
                **{
                    "f:env": {
                        ".": {},
                        **keyed(
                            'k:{"name":"A"}',
                            "name",
                            **{"f:valueFrom": {".": {}, "f:fieldRef": {}}},
                        ),
                    },
                    "f:ports": {
                        ".": {},
                        **keyed(
                            'k:{"containerPort":80,"protocol":"TCP"}', "containerPort", "protocol"
                        ),
                    },
                    "f:volumeMounts": {
                        ".": {},
                        **keyed('k:{"mountPath":"/v"}', "mountPath", "name"),
                    },
                },
            ),
            **POD_SPEC,
            **plain("enableServiceLinks", "tolerations"),
            "f:volumes": {".": {}, **keyed('k:{"name":"v"}', "emptyDir", "name")},
        },
    ),
    (
        "Service",
        {"selector": {"app": "x"}, "ports": [{"port": 80}]},
        {
            **plain("internalTrafficPolicy", "selector", "sessionAffinity", "type"),
            "f:ports": {
                ".": {},
                **keyed('k:{"port":80,"protocol":"TCP"}', "port", "protocol", "targetPort"),
            },
        },
    ),
    (
        "PersistentVolumeClaim",
        {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        {
            **plain("accessModes", "volumeMode"),
            "f:resources": {"f:requests": {".": {}, "f:storage": {}}},
        },
    ),
    (
        "CronJob",
        {
            "schedule": "* * * * *",
            "jobTemplate": {
                "spec": {
                    "template": {
                        "spec": {
                            "restartPolicy": "Never",
                            "containers": [{"name": "c", "image": "x"}],
                        }
                    }
                }
            },
        },
        {
            **plain("concurrencyPolicy", "failedJobsHistoryLimit", "schedule"),
            **plain("successfulJobsHistoryLimit", "suspend"),
            "f:jobTemplate": {
                "f:spec": {
                    "f:template": {
                        "f:spec": {
                            "f:containers": keyed('k:{"name":"c"}', *CONTAINER),
                            **POD_SPEC,
                        }
                    }
                }
            },
        },
    ),
]


@pytest.mark.parametrize(("kind", "spec", "fields"), CREATED, ids=[kind for kind, *_ in CREATED])
async def test_a_struct_held_by_value_is_not_owned_and_one_by_pointer_is(
    kind: str, spec: Json, fields: Json
) -> None:
    api = await world()
    version = "batch/v1" if kind == "CronJob" else "v1"
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    [entry] = entries(await api.must("POST", BASE[kind], body))
    assert entry["fieldsV1"] == {"f:spec": fields}


async def test_a_namespace_is_owned_by_the_label_it_gets_and_not_by_what_the_server_adds() -> None:
    api = await world()
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    made = await api.must("POST", BASE["Namespace"], body)
    assert made["spec"]["finalizers"] == ["kubernetes"]
    label = "f:kubernetes.io/metadata.name"
    assert owners(made) == {
        ("unknown", ""): {"f:metadata": {"f:labels": {".": {}, label: {}}}},
    }


async def test_metadata_is_owned_but_for_what_says_which_object_it_is() -> None:
    api = await world()
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1"}
    body = config_map(
        data={}, finalizers=["a/b"], annotations={"n": "1"}, ownerReferences=[owner], labels={}
    )
    body["metadata"] |= {"name": "", "generateName": "g-"}
    made = await api.must("POST", MAPS, body)
    assert owners(made)["unknown", ""]["f:metadata"] == {
        "f:annotations": {".": {}, "f:n": {}},
        "f:finalizers": {".": {}, 'v:"a/b"': {}},
        "f:generateName": {},
        "f:ownerReferences": {".": {}, 'k:{"uid":"1"}': {}},
    }


async def test_who_created_conflicts_with_who_applies() -> None:
    """kubectl create, then kubectl apply --server-side by somebody else."""
    api = await world()
    await api.must("POST", DEPLOYMENTS + "?fieldManager=kubectl-create", deployment(replicas=3))
    url = DEPLOYMENTS + "/d?fieldManager=kubectl"
    status, said = await api.do("PATCH", url, deployment(replicas=4), content_type=APPLY)
    assert (status, said["reason"]) == (409, "Conflict")
    assert said["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-create" using apps/v1: .spec.replicas'
    )
    now = await api.must("PATCH", url, deployment(replicas=3), content_type=APPLY)
    spec = owners(now)["kubectl-create", ""]["f:spec"]
    assert "f:replicas" in spec, "what both say belongs to both"
    forced = url + "&force=true"
    now = await api.must("PATCH", forced, deployment(replicas=4), content_type=APPLY)
    assert "f:replicas" not in owners(now)["kubectl-create", ""]["f:spec"]


async def test_an_update_takes_what_it_changes_and_only_that() -> None:
    api = await world()
    await api.must("POST", MAPS + "?fieldManager=a", config_map(data={"x": "1", "y": "1"}))
    await asyncio.sleep(5)
    body = config_map(data={"x": "2", "z": "1"})
    now = await api.must("PUT", MAPS + "/a?fieldManager=b", body)
    assert owners(now) == {("b", ""): {"f:data": plain("x", "z")}, ("a", ""): {"f:data": {}}}
    assert [e["manager"] for e in entries(now)] == ["a", "b"], "the older entry first"
    assert len({e["time"] for e in entries(now)}) == 2


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (MERGE, {"data": {"y": "2"}}),
        ("application/strategic-merge-patch+json", {"data": {"y": "2"}}),
        (JSON_PATCH, [{"op": "add", "path": "/data/y", "value": "2"}]),
    ],
)
async def test_every_kind_of_patch_is_tracked(kind: str, patch: Any) -> None:
    api = await world()
    await api.must("POST", MAPS + "?fieldManager=a", config_map(data={"x": "1"}))
    url = MAPS + "/a?fieldManager=b"
    now = await api.must("PATCH", url, patch, content_type=kind)
    assert owners(now) == {
        ("a", ""): {"f:data": {".": {}, "f:x": {}}},
        ("b", ""): {"f:data": {"f:y": {}}},
    }


async def test_the_kubelets_status_is_an_entry_of_its_own() -> None:
    api = await world()
    await api.must("POST", PODS, pod())
    target = {"kind": "Node", "name": "n1"}
    await api.must("POST", PODS + "/a/binding", {"metadata": {"name": "a"}, "target": target})
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2027-01-01T00:00:00Z"}
    status = {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "conditions": [ready]}
    url = PODS + "/a/status?fieldManager=kubelet"
    strategic = "application/strategic-merge-patch+json"
    now = await api.must("PATCH", url, {"status": status}, content_type=strategic)
    [entry] = [e for e in entries(now) if e["manager"] == "kubelet"]
    assert (entry["operation"], entry["subresource"]) == ("Update", "status")
    fields = entry["fieldsV1"]["f:status"]
    assert entry["fieldsV1"].keys() == {"f:status"}
    times = ("lastProbeTime", "lastTransitionTime")
    assert fields["f:conditions"] == keyed('k:{"type":"Ready"}', *times, "status", "type")
    assert fields["f:podIPs"] == {".": {}, **keyed('k:{"ip":"10.0.0.1"}', "ip")}


async def test_where_a_pod_is_bound_to_is_nobodys() -> None:
    api = await world()
    made = await api.must("POST", PODS, pod())
    target = {"kind": "Node", "name": "n1"}
    await api.must("POST", PODS + "/a/binding", {"metadata": {"name": "a"}, "target": target})
    bound = await api.must("GET", PODS + "/a")
    assert bound["spec"]["nodeName"] == "n1"
    assert entries(bound) == entries(made)


async def test_a_scaled_workload_names_who_scaled_it_and_no_time_as_upstream() -> None:
    api = await world()
    await api.must("POST", DEPLOYMENTS + "?fieldManager=a", deployment(replicas=3))
    url = DEPLOYMENTS + "/d/scale?fieldManager=kubectl"
    await api.must("PATCH", url, {"spec": {"replicas": 5}}, content_type=MERGE)
    now = await api.must("GET", DEPLOYMENTS + "/d")
    assert "f:replicas" not in owners(now)["a", ""]["f:spec"]
    [entry] = [e for e in entries(now) if e["manager"] == "kubectl"]
    assert entry == {
        "manager": "kubectl",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
        "subresource": "scale",
    }


async def test_replicas_that_nobody_owns_are_not_owned_by_who_scales() -> None:
    api = await world()
    config = deployment()
    config["spec"].pop("replicas", None)
    one = DEPLOYMENTS + "/d?fieldManager=one"
    made = await api.must("PATCH", one, config, content_type=APPLY)
    url = DEPLOYMENTS + "/d/scale?fieldManager=kubectl"
    await api.must("PATCH", url, {"spec": {"replicas": 5}}, content_type=MERGE)
    assert entries(await api.must("GET", DEPLOYMENTS + "/d")) == entries(made)
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}}
    scale |= {"spec": {"replicas": 6}}
    status, said = await api.do("PATCH", url, scale, content_type=APPLY)
    assert status == 409
    assert 'conflict with "before-first-apply" with subresource "scale"' in said["message"]


@pytest.mark.parametrize("reset", [[], [{}]])
@pytest.mark.parametrize("way", [MERGE, JSON_PATCH, "PUT"])
async def test_an_empty_list_or_entry_forgets_all_ownership(way: str, reset: Any) -> None:
    api = await world()
    made = await api.must("POST", MAPS, config_map())
    if way == "PUT":
        made["metadata"]["managedFields"] = reset
        now = await api.must("PUT", MAPS + "/a", made)
    elif way == MERGE:
        _, now = await api.patch(MAPS + "/a", {"metadata": {"managedFields": reset}})
    else:
        step = {"op": "replace", "path": "/metadata/managedFields", "value": reset}
        _, now = await api.patch(MAPS + "/a", [step], JSON_PATCH)
    assert "managedFields" not in now["metadata"]
    _, now = await api.patch(MAPS + "/a?fieldManager=b", {"data": {"k": "2"}})
    assert "managedFields" not in now["metadata"], "until somebody applies"


@pytest.mark.parametrize("sent", ["left out", "null", "as it was"])
async def test_a_put_without_managed_fields_loses_none(sent: str) -> None:
    api = await world()
    made = await api.must("POST", MAPS, config_map())
    body = json.loads(json.dumps(made))
    if sent == "null":
        body["metadata"]["managedFields"] = None
    elif sent == "left out":
        del body["metadata"]["managedFields"]
    assert await api.must("PUT", MAPS + "/a", body) == made, "and makes no revision"


async def test_entries_given_at_creation_are_taken_and_then_the_writers_prevail() -> None:
    api = await world()
    entry = {"manager": "x", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    fields = {"f:data": plain("gone", "k")}
    body = config_map(managedFields=[{**entry, "fieldsV1": fields}])
    made = await api.must("POST", MAPS + "?fieldManager=y", body)
    assert owners(made) == {
        ("x", ""): {"f:data": plain("gone")},
        ("y", ""): {"f:data": {".": {}, "f:k": {}}},
    }
    made = await api.must("POST", MAPS, config_map("b", managedFields=[{}]))
    assert owners(made).keys() == {("unknown", "")}


async def test_through_a_subresource_managed_fields_cannot_be_set() -> None:
    api = await world()
    made = await api.must("POST", PODS + "?fieldManager=a", pod())
    patch = {"metadata": {"managedFields": [{}]}, "status": {"phase": "Running"}}
    now = await api.must("PATCH", PODS + "/a/status?fieldManager=b", patch, content_type=MERGE)
    assert owners(now) == {**owners(made), ("b", "status"): {"f:status": {"f:phase": {}}}}


async def test_empty_labels_are_none_and_no_change() -> None:
    api = await world()
    made = await api.must("POST", MAPS, config_map())
    assert (await api.patch(MAPS + "/a", {"metadata": {"labels": {}}}))[1] == made


@pytest.mark.parametrize(
    ("agent", "user", "manager"),
    [
        ("kubectl/v1.37 (linux/amd64)", "admin", "kubectl"),
        ("a\tb/1", "admin", "ab"),
        ("x" * 200, "admin", "x" * 128),
        ("", "system:node:n1", "kubelet"),
        ("", "system:kube-controller-manager", "kube-controller-manager"),
        ("", "somebody", "unknown"),
    ],
    ids=["the name of the agent", "printable", "cut", "a node", "a component", "nothing"],
)
async def test_who_gives_no_manager_is_known_by_what_it_is(
    agent: str, user: str, manager: str
) -> None:
    api = await world()
    who = User(user, ("system:masters",))
    body = json.dumps(config_map()).encode()
    request = Request(
        "POST", MAPS, who, {}, body, "application/json", headers={"user-agent": agent}
    )
    await api.server.dispatch(request)
    assert owners(await api.must("GET", MAPS + "/a", user=ADMIN)).keys() == {(manager, "")}


class Meddling:
    """Mutating admission that does `meddle` to the object, as a webhook does."""

    def __init__(self, meddle: Any) -> None:
        self._meddle = meddle

    async def mutate(self, operation: Operation) -> None:
        assert operation.object is not None
        operation.object = json.loads(json.dumps(operation.object))
        self._meddle(operation.object)
        operation.changed = True

    async def validate(self, operation: Operation) -> None:
        return None


async def test_what_admission_changes_is_nobodys_on_create_and_update() -> None:
    def stamp(obj: Json) -> None:
        obj["data"]["stamp"] = obj["data"]["k"] + "!"

    api = await world(admission=Meddling(stamp))
    made = await api.must("POST", MAPS + "?fieldManager=a", config_map())
    assert made["data"]["stamp"] == "v!"
    assert owners(made) == {("a", ""): {"f:data": {".": {}, "f:k": {}}}}
    _, now = await api.patch(MAPS + "/a?fieldManager=b", {"data": {"k": "w"}})
    assert now["data"]["stamp"] == "w!"
    assert owners(now)["b", ""] == {"f:data": {"f:k": {}}}


async def test_managed_fields_that_admission_broke_are_put_back_with_a_warning() -> None:
    def spoil(obj: Json) -> None:
        obj["metadata"]["managedFields"][0]["operation"] = "Eat"

    api = await world(admission=Meddling(spoil))
    response = await api.raw("POST", MAPS, config_map())
    [entry] = entries(json.loads(response.body))
    assert entry["operation"] == "Update"
    [warning] = [value for name, value in response.headers if name == "Warning"]
    assert ".metadata.managedFields was in an invalid state after admission" in warning
    assert warning.endswith('please fix your requests: operation must be `Apply` or `Update`"')


async def test_an_object_that_fits_only_without_managed_fields_is_kept_without() -> None:
    api = await world()
    names = [f"{number:06}-{'x' * 240}" for number in range(3_200)]
    body = config_map(data=dict.fromkeys(names, "y" * 100))
    size = len(json.dumps(body))
    assert size < OBJECT_BYTES_MAX < size + len(json.dumps(names))
    made = await api.must("POST", MAPS, body)
    assert "managedFields" not in made["metadata"]
    assert len((await api.must("GET", MAPS + "/a"))["data"]) == 3_200


async def test_objects_in_the_cache_are_whole_and_lean_alike() -> None:
    api: Api = await world()
    evil = '}],"name":"x'
    made = await api.must("POST", MAPS + "?fieldManager=" + evil, config_map(labels={"a": "b"}))
    obj = api.cache.get("configmaps", "default", "a")
    assert obj is not None
    assert json.loads(obj.body) == made == obj.data
    lean = json.loads(obj.lean)
    assert "managedFields" not in lean["metadata"]
    made["metadata"].pop("managedFields")
    assert lean == made
    assert b"".join(obj.pieces()) == obj.body
