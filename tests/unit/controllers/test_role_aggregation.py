"""ClusterRoles that gather the rules of others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from busk8s.api.object import Json, Object
from busk8s.api.scheme import CLUSTERROLES
from busk8s.master.controllers.actions import NOTHING, Patch
from busk8s.master.controllers.role_aggregation import Observed, gathered, plan
from tests.unit.controllers.build import thing
from tests.unit.controllers.cluster import control_plane, until

GET, LIST, WATCH = (
    {"verbs": [verb], "apiGroups": [""], "resources": ["pods"]} for verb in ("get", "list", "watch")
)


def role(name: str, *rules: Json, gathers: list[Json] | None = None, **labels: str) -> Object:
    more: dict[str, Any] = {"rules": list(rules)} if rules else {}
    if gathers is not None:
        more["aggregationRule"] = {"clusterRoleSelectors": gathers}
    return thing(CLUSTERROLES, name, metadata={"labels": labels}, **more)


A, B = {"matchLabels": {"to": "a"}}, {"matchLabels": {"to": "b"}}


@pytest.mark.parametrize(
    ("gathers", "others", "rules"),
    [
        ([A], [], []),
        ([A], [role("x", GET, to="a"), role("y", LIST, to="b")], [GET]),
        ([B, A], [role("x", GET, to="a"), role("y", LIST, to="b")], [LIST, GET]),
        ([A], [role("x", GET, LIST, to="a"), role("y", LIST, WATCH, to="a")], [GET, LIST, WATCH]),
    ],
    ids=["none", "by label", "in the order of selectors", "each once"],
)
def test_rules_are_gathered(gathers: list[Json], others: list[Object], rules: list[Json]) -> None:
    observed = Observed(role("all", gathers=gathers), others)
    assert gathered(observed) == rules
    as_wanted = Observed(role("all", *rules, gathers=gathers), others)
    assert plan(as_wanted) == NOTHING
    if rules:
        assert plan(observed).actions == (Patch(observed.role, {"rules": rules}),)


def test_rules_are_taken_away_again() -> None:
    observed = Observed(role("all", GET, gathers=[A]), [])
    assert plan(observed).actions == (Patch(observed.role, {"rules": []}),)


async def test_the_default_roles_gather_each_other_and_follow_labels() -> None:
    async with control_plane(nodes=()) as cluster:
        await until(lambda: cluster.one(CLUSTERROLES, "admin").data.get("rules"))
        await asyncio.sleep(5)
        names = ("view", "edit", "admin")
        sizes = [len(cluster.one(CLUSTERROLES, name).data["rules"]) for name in names]
        assert sizes == sorted(set(sizes))
        label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
        more = {"metadata": {"name": "more", "labels": label}, "rules": [GET | {"verbs": ["x"]}]}
        await cluster.create(CLUSTERROLES, more)
        added = more["rules"][0]  # type: ignore[index]  # a literal of mixed values
        await until(lambda: added in cluster.one(CLUSTERROLES, "admin").data["rules"])
        await cluster.client.delete(CLUSTERROLES, "more")
        await until(lambda: added not in cluster.one(CLUSTERROLES, "admin").data["rules"])
