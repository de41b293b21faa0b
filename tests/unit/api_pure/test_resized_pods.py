"""What a pod holds while its resources are changed in place."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.podresources import as_running, total
from busk8s.api.quantity import NANOS

Json = dict[str, Any]


def spec(cpu: str, limit: str = "") -> Json:
    resources: Json = {"requests": {"cpu": cpu}}
    if limit:
        resources["limits"] = {"cpu": limit}
    return {"containers": [{"name": "c", "resources": resources}, {"name": "d"}]}


def status(actual: str, allocated: str, limit: str = "", reason: str = "") -> Json:
    resources: Json = {"requests": {"cpu": actual}}
    if limit:
        resources["limits"] = {"cpu": limit}
    entry = {"name": "c", "resources": resources, "allocatedResources": {"cpu": allocated}}
    pending = [{"type": "PodResizePending", "reason": reason}] if reason else []
    return {"containerStatuses": [entry, {"name": "d"}], "conditions": pending}


@pytest.mark.parametrize(
    ("wanted", "shown", "cores"),
    [
        ("2", {}, 2),
        ("2", status("2", "2"), 2),
        ("3", status("2", "2"), 3),
        ("1", status("2", "2"), 2),
        ("1", status("2", "1"), 2),
        ("1", status("1", "4"), 4),
        ("9", status("2", "2", reason="Deferred"), 9),
        ("9", status("2", "3", reason="Infeasible"), 3),
    ],
    ids=[
        "nothing is known", "all agree", "it grows", "it shrinks", "shrinking is under way",
        "more was given", "it waits for room", "what cannot be is not held",
    ],
)  # fmt: skip
def test_requests(wanted: str, shown: Json, cores: int) -> None:
    assert total(as_running(spec(wanted), shown), "requests")["cpu"] == cores * NANOS


def test_limits_are_the_larger_ones() -> None:
    seen = as_running(spec("1", "2"), status("1", "1", limit="3"))
    assert total(seen, "limits")["cpu"] == 3 * NANOS


def test_a_pod_that_is_not_resized_is_not_copied() -> None:
    plain = spec("2")
    assert as_running(plain, status("2", "2")) is plain
    assert as_running(plain, {}) is plain
