"""ComponentStatus: what holds when it is asked, and that it is deprecated."""

from __future__ import annotations

import random

from api_world import Api

from busk8s.api.request import Request
from busk8s.bus.hub import Hub
from busk8s.clock import LoopClock
from busk8s.exposition import Page
from busk8s.ids import RandomIds
from busk8s.master.apiserver.bus import BusFace
from busk8s.master.apiserver.component_statuses import ComponentStatuses
from busk8s.master.apiserver.components import Components
from busk8s.master.apiserver.lease_renewals import RenewedLeases
from busk8s.master.apiserver.server import ApiServer
from busk8s.metrics import Counter

STATUSES = "/api/v1/componentstatuses"


class Watched(Api):
    def __init__(self) -> None:
        super().__init__()
        self.trouble: str | None = None
        server = self.server
        self.bus = BusFace(
            self.cache,
            server.dispatch,
            authorizer=server.parts.authorizer,
            clock=self.clock,
            epoch=1,
            master="m",
        )
        leases = RenewedLeases(self.bus.liveness, self.cache, self.store, self.clock)
        troubles = {"scheduler": lambda: self.trouble, "etcd-0": lambda: None}
        self.server = ApiServer(
            self.store,
            self.cache,
            clock=self.clock,
            ids=RandomIds(random.Random(7)),
            catalog=self.catalog,
            unstored=ComponentStatuses(troubles, leases),
        )


async def test_each_is_told_as_it_is_now() -> None:
    api = await Watched().open()
    listed = await api.must("GET", STATUSES)
    assert listed["kind"] == "ComponentStatusList"
    assert [one["metadata"]["name"] for one in listed["items"]] == ["etcd-0", "scheduler"]
    api.trouble = "not connected to the API server"
    one = await api.must("GET", STATUSES + "/scheduler")
    assert one["conditions"] == [
        {"type": "Healthy", "status": "False", "message": "not connected to the API server"}
    ]
    assert (await api.do("GET", STATUSES + "/nobody"))[0] == 404


async def test_readers_are_warned_and_may_have_a_table() -> None:
    api = await Watched().open()
    table = await api.raw("GET", STATUSES, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert b'"cells":["scheduler","Healthy","ok",""]' in table.body
    assert ("Warning", '299 - "v1 ComponentStatus is deprecated in v1.19+"') in table.headers


async def test_leases_are_read_beside_it() -> None:
    api = await Watched().open()
    leases = await api.must("GET", "/apis/coordination.k8s.io/v1/leases")
    assert leases["items"] == []


async def test_who_runs_in_the_same_process_is_there_until_it_ends() -> None:
    components = Components(Hub(Watched().bus, clock=LoopClock(), epoch=1, master="m"))
    counter = Counter("made_total", "")
    with components.here("kube-scheduler") as show:
        assert components.there("kube-scheduler")
        show(Page((counter,), build={}))
        handler = components.handlers()["kube-scheduler"]
        answer = await handler(Request("GET", "/metrics/kube-scheduler"))
        assert b"made_total 0\n" in answer.body
    assert not components.there("kube-scheduler")
