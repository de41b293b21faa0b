"""Endpoints written by hand, as EndpointSlices."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.object import Json, Object
from busk8s.api.scheme import ENDPOINTS, ENDPOINTSLICES, SERVICES
from busk8s.master.controllers.actions import Create, Delete, Update
from busk8s.master.controllers.endpoints_mirror import (
    ADDRESSES_MAX,
    LEADER,
    MANAGED_BY,
    MANAGER,
    SKIP,
    Observed,
    is_mirrored,
    plan,
    wanted_slices,
)
from tests.unit.controllers.build import thing

SQL = {"name": "sql", "port": 5432, "protocol": "TCP"}


def endpoints(*subsets: Json, **metadata: Any) -> Object:
    return thing(ENDPOINTS, "db", subsets=list(subsets), metadata=metadata)


def subset(*ips: str, down: tuple[str, ...] = (), ports: tuple[Json, ...] = (SQL,)) -> Json:
    return {
        "addresses": [{"ip": ip} for ip in ips],
        "notReadyAddresses": [{"ip": ip} for ip in down],
        "ports": list(ports),
    }


def mirrored(*subsets: Json) -> tuple[Object, ...]:
    """The slices as they are once the plan for `subsets` was performed."""
    made = plan(Observed(endpoints(*subsets), ())).actions
    slices = []
    for number, action in enumerate(made):
        assert isinstance(action, Create)
        data = dict(action.data)
        slices.append(thing(ENDPOINTSLICES, f"db-{number}", **data))
    return tuple(slices)


def test_ready_and_unready_addresses_are_told_apart_and_families_parted() -> None:
    first, second = wanted_slices(
        endpoints(subset("192.0.2.1", "2001:db8::1", down=("192.0.2.2",)))
    ).values()
    assert (first["addressType"], second["addressType"]) == ("IPv4", "IPv6")
    assert first["endpoints"] == [
        {"addresses": ["192.0.2.1"], "conditions": {"ready": True}},
        {"addresses": ["192.0.2.2"], "conditions": {"ready": False}},
    ]
    assert first["ports"] == [SQL]
    assert first["metadata"]["labels"][MANAGED_BY] == MANAGER
    assert first["metadata"]["ownerReferences"][0]["kind"] == "Endpoints"


def test_subsets_with_the_same_ports_share_a_slice_and_others_do_not() -> None:
    other = subset("192.0.2.3", ports=({"name": "web", "port": 80, "protocol": "TCP"},))
    found = wanted_slices(endpoints(subset("192.0.2.1"), other, subset("192.0.2.2")))
    assert [len(each["endpoints"]) for each in found.values()] == [2, 1]


def test_a_slice_has_its_limit() -> None:
    many = subset(*(f"10.0.{n // 250}.{n % 250}" for n in range(ADDRESSES_MAX + 5)))
    (found,) = wanted_slices(endpoints(many)).values()
    assert len(found["endpoints"]) == ADDRESSES_MAX


def test_once_mirrored_nothing_is_left_to_do() -> None:
    slices = mirrored(subset("192.0.2.1"), subset("2001:db8::1"))
    again = endpoints(subset("192.0.2.1"), subset("2001:db8::1"))
    assert plan(Observed(again, slices)).actions == ()


def test_what_changed_is_updated_and_what_went_is_deleted() -> None:
    slices = mirrored(subset("192.0.2.1"), subset("2001:db8::1"))
    (update, delete) = plan(Observed(endpoints(subset("192.0.2.9")), slices)).actions
    assert isinstance(update, Update)
    assert update.data["endpoints"][0]["addresses"] == ["192.0.2.9"]
    assert isinstance(delete, Delete)


def test_what_is_not_to_be_mirrored_any_more_goes() -> None:
    slices = mirrored(subset("192.0.2.1"))
    assert [type(action) for action in plan(Observed(None, slices)).actions] == [Delete]


@pytest.mark.parametrize(
    ("made", "selector", "want"),
    [
        (endpoints(), None, True),
        (endpoints(), {"app": "db"}, False),
        (endpoints(labels={SKIP: "true"}), None, False),
        (endpoints(annotations={LEADER: "{}"}), None, False),
    ],
    ids=["by hand", "of a selector", "not wanted", "a lock"],
)
def test_which_are_mirrored(made: Object, selector: Json | None, want: bool) -> None:
    spec = {} if selector is None else {"selector": selector}
    assert is_mirrored(made, thing(SERVICES, "db", spec=spec)) is want
