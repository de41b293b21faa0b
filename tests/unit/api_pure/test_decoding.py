"""Bodies become documents, or an error that says what was wrong with them."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from busk8s.api import scheme
from busk8s.api.decode import DEPTH_MAX, REQUEST_BYTES_MAX, decode
from busk8s.errors import Error

PODS = scheme.RESOURCES["pods"]


def pod(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", **container}]}}


def decoded(document: Any, validation: str = "Strict") -> tuple[dict[str, Any], list[str]]:
    return decode(PODS, orjson.dumps(document), "application/json", validation)


def refused(body: bytes, content_type: str = "application/json", validation: str = "") -> Error:
    with pytest.raises(Error) as raised:
        decode(PODS, body, content_type, validation)
    return raised.value


def test_kind_version_and_metadata_are_filled_in() -> None:
    data, warnings = decoded({"spec": {"containers": []}})
    assert (data["kind"], data["apiVersion"], data["metadata"]) == ("Pod", "v1", {})
    assert warnings == []


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"kind": "Service"}, "converting (v1.Service) to (core.Pod): unknown conversion"),
        (
            {"apiVersion": "v2"},
            'no kind "Pod" is registered for version "v2" in scheme',
        ),
        ({"kind": 7}, "json: cannot unmarshal number into Go struct field .kind of type string"),
    ],
)
def test_another_kind_is_refused(document: Any, message: str) -> None:
    error = refused(orjson.dumps(document))
    assert error.code == 400
    assert message in error.message


def test_unknown_fields_are_errors_warnings_or_nothing() -> None:
    document = pod(foo=1, nodeName="not here")
    document["spec"]["bar"] = {}
    error = refused(orjson.dumps(document), validation="Strict")
    assert error.message == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '
        'unknown field "spec.containers[0].foo", unknown field "spec.containers[0].nodeName", '
        'unknown field "spec.bar"'
    )
    data, warnings = decoded(document, "Warn")
    assert warnings == [
        'unknown field "spec.containers[0].foo"',
        'unknown field "spec.containers[0].nodeName"',
        'unknown field "spec.bar"',
    ]
    assert data["spec"] == {"containers": [{"name": "c"}]}
    assert decoded(document, "Ignore")[1] == []


def test_the_python_name_of_a_field_is_no_field() -> None:
    assert decoded({**pod(), "api_version": "v1"}, "Warn")[1] == ['unknown field "api_version"']


def test_fields_given_twice_are_named_and_the_last_one_counts() -> None:
    body = b'{"metadata":{"name":"a","name":"b"},"spec":{"containers":[{"name":"c","name":"c"}]}}'
    assert "duplicate field" in refused(body, validation="Strict").message
    data, warnings = decode(PODS, body, "application/json", "Warn")
    assert warnings == [
        'duplicate field "metadata.name"',
        'duplicate field "spec.containers[0].name"',
    ]
    assert data["metadata"]["name"] == "b"


def test_escaped_quotes_are_not_mistaken_for_duplicates() -> None:
    body = b'{"metadata":{"name":"p","annotations":{"a":"\\u0022"}},"spec":{"containers":[]}}'
    assert decode(PODS, body, "application/json", "Strict")[1] == []


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"spec": {"containers": "x"}},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type "
            "[]v1.Container",
        ),
        (
            pod(ports=[{"containerPort": "80"}]),
            "json: cannot unmarshal string into Go struct field "
            "ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        ({"metadata": {"labels": {"a": 1}}}, "cannot unmarshal number into Go struct field"),
        (pod(tty=1), "cannot unmarshal number into Go struct field Container.spec.containers.tty"),
        ({"spec": []}, "cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"),
        (pod(livenessProbe={"tcpSocket": {"port": []}}), "of type intstr.IntOrString"),
        (pod(resources={"limits": {"cpu": "x"}}), "quantities must match the regular expression"),
        ({"metadata": {"creationTimestamp": "now"}}, 'parsing time "now" as'),
    ],
)
def test_a_wrong_type_is_named_with_its_path(document: Any, message: str) -> None:
    error = refused(orjson.dumps(document))
    assert (error.code, error.reason) == (400, "BadRequest")
    assert message in error.message


def test_quantities_and_times_come_out_in_their_one_text() -> None:
    document = pod(resources={"limits": {"cpu": 1.5, "memory": "1024Ki"}})
    document["metadata"]["creationTimestamp"] = "2026-01-02T03:04:05+01:00"
    data, _ = decoded(document)
    assert data["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "1500m", "memory": "1Mi"}
    assert data["metadata"]["creationTimestamp"] == "2026-01-02T02:04:05Z"


def test_nulls_are_absent_fields() -> None:
    document = pod(command=None)
    document["metadata"]["creationTimestamp"] = None
    data, _ = decoded(document)
    assert data["spec"] == {"containers": [{"name": "c"}]}
    assert data["metadata"] == {"name": "p"}


def test_required_fields_get_their_zero_value() -> None:
    data, _ = decoded({"spec": {"containers": [{"image": "x", "ports": [{}]}]}})
    assert data["spec"]["containers"] == [
        {"image": "x", "ports": [{"containerPort": 0}], "name": ""}
    ]


def test_managed_fields_are_kept_as_they_came() -> None:
    document = pod()
    entry = {"manager": "m", "fieldsV1": {"f:spec": {"f:x": None}}}
    document["metadata"]["managedFields"] = [entry]
    assert decoded(document)[0]["metadata"]["managedFields"] == [entry]


def test_yaml_is_json_in_other_clothes() -> None:
    body = b"metadata: {name: p, labels: {since: 2026-01-01, 1: '2'}}\nspec:\n  containers: []\n"
    data, _ = decode(PODS, body, "application/yaml; charset=utf-8", "Strict")
    assert data["metadata"]["labels"] == {"since": "2026-01-01", "1": "2"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a: [", "yaml"),
        (b"- a", "cannot unmarshal array into Go value of type struct"),
        (b"a: 1\na: 2", 'key "a" already set in map'),
        (b"? [a]\n: b", "yaml"),
        (b"\xff\xfe\x00", "yaml"),
    ],
)
def test_bad_yaml_is_refused(body: bytes, message: str) -> None:
    assert message in refused(body, "application/yaml", "Strict").message


def test_a_yaml_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "excessive aliasing" in refused("\n".join(lines).encode(), "application/yaml").message


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"1", b'{"a":', b"\xff"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    error = refused(body)
    assert error.code == 400
    assert error.message.startswith(
        "the object provided is unrecognized (must be of type Pod): couldn't get version/kind"
    )


def test_limits_are_kept() -> None:
    assert refused(b"x" * (REQUEST_BYTES_MAX + 1)).code == 413
    deep = b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1)
    assert "nested deeper" in refused(deep).message


def test_other_content_types_are_named_unsupported() -> None:
    assert refused(b"{}", "application/cbor").code == 415


def test_an_unknown_field_validation_is_refused() -> None:
    assert "fieldValidation" in refused(json.dumps(pod()).encode(), validation="Maybe").message


@pytest.mark.parametrize("key", sorted(scheme.RESOURCES))
def test_every_kind_has_a_working_check(key: str) -> None:
    resource = scheme.RESOURCES[key]
    data, _ = decode(resource, b'{"metadata":{"name":"a"}}', "", "Strict")
    again, warnings = decode(resource, orjson.dumps(data), "", "Strict")
    assert (again, warnings) == (data, [])
