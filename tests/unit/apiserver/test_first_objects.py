"""What a cluster has from its start, made through the real API server."""

from __future__ import annotations

from api_world import world

from busk8s.master.apiserver.bootstrap import Address, bootstrap

CIDR = "/apis/networking.k8s.io/v1/servicecidrs/kubernetes"


async def test_the_range_of_cluster_ips_is_told_and_ready() -> None:
    api = await world()
    address = Address("10.96.0.1", "192.0.2.1", 6440, service_cidr="10.96.0.0/16")
    await bootstrap(api.server.dispatch, address)
    made = await api.must("GET", CIDR)
    assert made["spec"] == {"cidrs": ["10.96.0.0/16"]}
    (ready,) = made["status"]["conditions"]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "True", "")
    assert ready["message"] == "Kubernetes default Service CIDR is ready"
    before = api.store.revision
    await bootstrap(api.server.dispatch, address)
    assert api.store.revision == before
