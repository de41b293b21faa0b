"""The models as components use them: names, defaults, strictness, the cost of importing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from busk8s.api import scheme
from busk8s.api.structure import shape
from busk8s.api.types import apps_v1, autoscaling_v2, core_v1, meta_v1

ROOT = Path(__file__).resolve().parent.parent.parent


def test_fields_are_reached_by_python_name_and_given_by_either() -> None:
    by_json = core_v1.ServiceSpec.model_validate(
        {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}
    )
    by_name = core_v1.ServiceSpec(cluster_ip="10.0.0.1", cluster_ips=["10.0.0.1"])
    assert by_json == by_name
    assert by_json.model_dump(by_alias=True, exclude_unset=True) == {
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
    }


def test_what_may_be_left_out_is_empty_or_none() -> None:
    pod = core_v1.Pod.model_validate({"spec": {"containers": [{"name": "c"}]}})
    assert (pod.kind, pod.api_version, pod.metadata.labels) == ("Pod", "v1", {})
    assert pod.status.conditions == []
    assert pod.spec.node_name is None
    assert pod.spec.containers[0].image is None


def test_a_spec_with_required_fields_must_be_given() -> None:
    with pytest.raises(ValidationError, match="spec"):
        core_v1.Pod.model_validate({})
    assert core_v1.Namespace.model_validate({}).spec.finalizers == []


@pytest.mark.parametrize("given", [2, "2"], ids=["number", "text"])
def test_a_quantity_may_be_a_number_and_is_kept_as_text(given: object) -> None:
    limits = core_v1.ResourceRequirements.model_validate({"limits": {"cpu": given}}).limits
    assert limits == {"cpu": "2"}


@pytest.mark.parametrize(
    "wrong",
    [{"replicas": "3"}, {"paused": "yes"}, {"selector": []}, {"template": "x"}],
    ids=["text for a number", "text for a boolean", "list for a struct", "text for a struct"],
)
def test_types_are_not_guessed(wrong: dict[str, object]) -> None:
    spec = {"selector": {}, "template": {}} | wrong
    with pytest.raises(ValidationError):
        apps_v1.DeploymentSpec.model_validate(spec)


def test_every_served_resource_has_a_model_that_builds() -> None:
    for resource in scheme.SERVED:
        model = scheme.model_of(resource)
        assert model.__name__ == resource.kind
        model.model_rebuild()


@pytest.mark.parametrize(
    ("group", "version", "kind"),
    [
        ("autoscaling", "v1", "Scale"),
        ("policy", "v1", "Eviction"),
        ("authentication.k8s.io", "v1", "TokenRequest"),
    ],
)
def test_kinds_of_subresources_have_models_too(group: str, version: str, kind: str) -> None:
    assert scheme.model_named(group, version, kind) is not None
    assert scheme.by_kind(group, version, kind) is None


def test_an_unknown_kind_has_no_model() -> None:
    assert scheme.model_named("", "v1", "Nonsense") is None
    assert scheme.model_named("example.com", "v1", "Thing") is None


def test_two_views_of_one_store_name_it() -> None:
    old = scheme.lookup("autoscaling", "v1", "horizontalpodautoscalers")
    assert old is scheme.HORIZONTALPODAUTOSCALERS_V1
    assert scheme.RESOURCES[old.key] is scheme.HORIZONTALPODAUTOSCALERS
    assert scheme.EVENTS_V1.storage_key == scheme.EVENTS.storage_key == "events"
    assert scheme.PODS.storage_key == "pods"


def test_each_constant_is_served_under_its_own_name() -> None:
    constants = {n: v for n, v in vars(scheme).items() if isinstance(v, scheme.Resource)}
    assert set(constants.values()) == set(scheme.SERVED)
    assert all(n.removesuffix("_V1") == r.plural.upper() for n, r in constants.items())


def test_shape_tells_how_a_list_is_merged() -> None:
    ports = shape(core_v1.ServiceSpec, "ports")
    assert ports is not None
    assert (ports.model, ports.is_list) == (core_v1.ServicePort, True)
    assert (ports.list_type, ports.keys) == ("map", ("port", "protocol"))
    assert (ports.patch_strategy, ports.merge_key) == ("merge", "port")


def test_shape_follows_maps_lists_and_unknown_names() -> None:
    labels = shape(meta_v1.ObjectMeta, "labels")
    assert labels is not None
    assert (labels.is_map, labels.scalar) == (True, "string")
    metrics = shape(autoscaling_v2.HorizontalPodAutoscalerSpec, "metrics")
    assert metrics is not None
    assert (metrics.list_type, metrics.model) == ("atomic", autoscaling_v2.MetricSpec)
    assert shape(core_v1.Pod, "nonsense") is None


def test_importing_core_apps_and_meta_costs_at_most_twice_pydantic_and_builds_nothing() -> None:
    """0.1 s each on a quiet machine (0.3 s is the budget); the ratio also holds on a busy one."""
    code = (
        "import time; t0 = time.process_time();"
        "from pydantic import BaseModel, ConfigDict, Field; t1 = time.process_time();"
        "from busk8s.api import scheme; from busk8s.api.types import core_v1, apps_v1, meta_v1;"
        "print((time.process_time() - t1) / (t1 - t0), core_v1.Pod.__pydantic_complete__)"
    )
    command = [sys.executable, "-c", code]
    runs = [
        subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
        for _ in range(3)
    ]
    assert min(float(ratio) for ratio, _built in runs) < 2
    assert {built for _ratio, built in runs} == {"False"}
