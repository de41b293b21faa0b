"""Rules of statuses, where a plain table says more than the tables of their kinds."""

from __future__ import annotations

import pytest

from busk8s.api.rules.cause import Cause
from busk8s.api.rules.workload_status import validate_replica_set_status


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ({}, []),
        ({"replicas": 2, "readyReplicas": 2}, []),
        ({"replicas": 1, "readyReplicas": 2}, ["status.readyReplicas"]),
        # Found by a random object: less than nothing is less than what is not said, too.
        (
            {"replicas": -1},
            [
                "status.replicas",
                "status.fullyLabeledReplicas",
                "status.readyReplicas",
                "status.availableReplicas",
            ],
        ),
    ],
    ids=["empty", "all ready", "more ready than there are", "less than none"],
)
def test_the_status_of_a_replica_set(status: dict[str, int], fields: list[str]) -> None:
    causes: list[Cause] = []
    validate_replica_set_status({"status": status}, {}, causes)
    assert [cause.field for cause in causes] == fields
