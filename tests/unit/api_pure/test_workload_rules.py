"""Rules of DaemonSets, StatefulSets and budgets that their controllers rely on."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.defaults import apply_defaults
from busk8s.api.scheme import DAEMONSETS, PODDISRUPTIONBUDGETS, STATEFULSETS, Resource
from busk8s.api.validation import validate_create

SELECTED: dict[str, Any] = {
    "selector": {"matchLabels": {"a": "b"}},
    "template": {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    },
}


def fields(resource: Resource, spec: dict[str, Any]) -> list[str]:
    obj = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": "x", "namespace": "default"},
        "spec": spec,
    }
    apply_defaults(resource, obj)
    return [cause.field for cause in validate_create(resource, obj)]


ROLLING = "spec.updateStrategy.rollingUpdate"


@pytest.mark.parametrize(
    ("rolling", "want"),
    [
        pytest.param({}, [], id="defaults"),
        pytest.param({"maxSurge": 1, "maxUnavailable": 0}, [], id="surge"),
        pytest.param({"maxSurge": 1}, [f"{ROLLING}.maxSurge"], id="both"),
        pytest.param({"maxUnavailable": 0}, [f"{ROLLING}.maxUnavailable"], id="neither"),
        pytest.param({"maxUnavailable": "x"}, [f"{ROLLING}.maxUnavailable"], id="no share"),
    ],
)
def test_daemon_updates(rolling: dict[str, Any], want: list[str]) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert fields(DAEMONSETS, {**SELECTED, "updateStrategy": strategy}) == want


def test_a_stateful_set_has_no_negative_partition() -> None:
    strategy = {"rollingUpdate": {"partition": -1, "maxUnavailable": "101%"}}
    found = fields(STATEFULSETS, {**SELECTED, "serviceName": "s", "updateStrategy": strategy})
    assert found == [f"{ROLLING}.partition", f"{ROLLING}.maxUnavailable"]


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param({"minAvailable": 1}, [], id="a number"),
        pytest.param({"maxUnavailable": "30%"}, [], id="a share"),
        pytest.param({"minAvailable": 1, "maxUnavailable": 1}, ["spec"], id="both"),
        pytest.param({"minAvailable": "half"}, ["spec.minAvailable"], id="no share"),
        pytest.param({"minAvailable": -1}, ["spec.minAvailable"], id="negative"),
        pytest.param(
            {"unhealthyPodEvictionPolicy": "Maybe"},
            ["spec.unhealthyPodEvictionPolicy"],
            id="no such policy",
        ),
    ],
)
def test_budgets(spec: dict[str, Any], want: list[str]) -> None:
    assert fields(PODDISRUPTIONBUDGETS, {"selector": SELECTED["selector"], **spec}) == want
