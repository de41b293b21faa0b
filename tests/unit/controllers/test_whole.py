"""Controllers against the API server itself: what a person sees through kubectl."""

from __future__ import annotations

import asyncio

import pytest

from busk8s.api.object import Json, Object
from busk8s.api.scheme import (
    CONFIGMAPS,
    DEPLOYMENTS,
    ENDPOINTS,
    ENDPOINTSLICES,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    SERVICEACCOUNTS,
    SERVICES,
)
from busk8s.errors import Error
from tests.unit.controllers.cluster import CA, Cluster, control_plane, until


def deployment(replicas: int = 3, image: str = "web:1", **spec: object) -> Json:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


def pod_template(image: str) -> Json:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}


def condition(obj: Object, type_: str) -> Json:
    found = (obj.data.get("status") or {}).get("conditions") or ()
    return next((c for c in found if c["type"] == type_), {})


def settled(cluster: Cluster) -> bool:
    web = cluster.one(DEPLOYMENTS, "web")
    seen = web.data.get("status", {}).get("observedGeneration") == web.metadata["generation"]
    return seen and condition(web, "Progressing").get("reason") == "NewReplicaSetAvailable"


def images(cluster: Cluster) -> set[str]:
    return {p.data["spec"]["containers"][0]["image"] for p in cluster.all(PODS) if not p.deleting}


async def test_a_deployment_runs_scales_and_rolls_out() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment())
        await until(lambda: settled(cluster))
        assert len(cluster.all(PODS)) == 3
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 5}}, "scale")
        await until(lambda: settled(cluster) and len(cluster.all(PODS)) == 5)
        await cluster.patch(DEPLOYMENTS, "web", pod_template("web:2"), kind="strategic")
        lowest = 5

        def rolled() -> bool:
            nonlocal lowest
            ready = [p for p in cluster.all(PODS) if condition(p, "Ready").get("status") == "True"]
            lowest = min(lowest, len([p for p in ready if not p.deleting]))
            assert sum(rs.data["spec"]["replicas"] for rs in cluster.all(REPLICASETS)) <= 7
            return settled(cluster) and images(cluster) == {"web:2"}

        await until(rolled)
        assert lowest >= 4
        web = cluster.one(DEPLOYMENTS, "web")
        assert web.metadata["annotations"]["deployment.kubernetes.io/revision"] == "2"
        assert condition(web, "Available")["status"] == "True"
        hash_ = {p.labels["pod-template-hash"] for p in cluster.all(PODS)}
        assert len(hash_) == 1


async def test_a_pod_that_is_deleted_comes_back_under_another_name() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment(2))
        await until(lambda: settled(cluster))
        victim = cluster.all(PODS)[0]
        await cluster.client.delete(PODS, victim.name, namespace="default")
        await until(lambda: cluster.find(PODS, victim.name) is None)
        await until(lambda: len(cluster.all(PODS)) == 2)
        await asyncio.sleep(1)
        assert len(cluster.all(PODS)) == 2


async def test_a_replication_controller_keeps_its_pods() -> None:
    async with control_plane() as cluster:
        body = deployment(2)
        body["spec"]["selector"] = {"app": "web"}
        await cluster.create(REPLICATIONCONTROLLERS, body)
        await until(lambda: len(cluster.all(PODS)) == 2)
        await cluster.patch(REPLICATIONCONTROLLERS, "web", {"spec": {"replicas": 3}}, "scale")

        def status() -> Json:
            found: Json = cluster.one(REPLICATIONCONTROLLERS, "web").data["status"]
            return found

        await until(lambda: status().get("readyReplicas") == 3)
        assert status()["observedGeneration"] == 2
        # Without a word on its pods they stay: the oldest kind keeps the oldest habit.
        await cluster.client.delete(REPLICATIONCONTROLLERS, "web", namespace="default")
        await until(lambda: not any("ownerReferences" in pod.metadata for pod in cluster.all(PODS)))
        assert len(cluster.all(PODS)) == 3


async def test_endpoints_written_by_hand_are_mirrored_until_they_go() -> None:
    async with control_plane() as cluster:
        metadata = {"name": "db", "namespace": "default"}
        spec = {"ports": [{"name": "sql", "port": 5432}]}
        await cluster.create(SERVICES, {"metadata": metadata, "spec": spec})
        subset = {"addresses": [{"ip": "192.0.2.7"}], "ports": [{"name": "sql", "port": 5432}]}
        await cluster.create(ENDPOINTS, {"metadata": metadata, "subsets": [subset]})

        def addresses() -> list[str]:
            mine = [s for s in cluster.all(ENDPOINTSLICES) if s.name.startswith("db-")]
            return [e["addresses"][0] for s in mine for e in s.data["endpoints"]]

        await until(lambda: addresses() == ["192.0.2.7"])
        subset["addresses"] = [{"ip": "192.0.2.8"}, {"ip": "192.0.2.9"}]
        await cluster.patch(ENDPOINTS, "db", {"subsets": [subset]})
        await until(lambda: addresses() == ["192.0.2.8", "192.0.2.9"])
        await cluster.client.delete(ENDPOINTS, "db", namespace="default")
        await until(lambda: addresses() == [])


async def test_paused_nothing_rolls_out_and_resumed_it_does() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment())
        await until(lambda: settled(cluster))
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"paused": True}})
        await cluster.patch(DEPLOYMENTS, "web", pod_template("web:2"), kind="strategic")
        await asyncio.sleep(5)
        assert images(cluster) == {"web:1"}
        assert condition(cluster.one(DEPLOYMENTS, "web"), "Progressing")["reason"] == (
            "DeploymentPaused"
        )
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 4}}, "scale")
        await until(lambda: len(cluster.all(PODS)) == 4)
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"paused": None}})
        await until(lambda: settled(cluster) and images(cluster) == {"web:2"})


async def test_a_rollout_that_gets_nowhere_says_so_at_its_deadline() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment(progressDeadlineSeconds=30))
        await until(lambda: settled(cluster))
        cluster.kubelets_run = False
        await cluster.patch(DEPLOYMENTS, "web", pod_template("bad:1"), kind="strategic")
        await until(
            lambda: (
                condition(cluster.one(DEPLOYMENTS, "web"), "Progressing").get("reason")
                == "ProgressDeadlineExceeded"
            ),
            120,
        )
        web = cluster.one(DEPLOYMENTS, "web")
        assert condition(web, "Progressing")["status"] == "False"
        assert "has timed out progressing." in condition(web, "Progressing")["message"]
        assert condition(web, "Available")["status"] == "True"


async def test_recreate_ends_the_old_pods_before_it_makes_new_ones() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment(strategy={"type": "Recreate"}))
        await until(lambda: settled(cluster))
        await cluster.patch(DEPLOYMENTS, "web", pod_template("web:2"), kind="strategic")

        def rolled() -> bool:
            every = {p.data["spec"]["containers"][0]["image"] for p in cluster.all(PODS)}
            assert len(every) <= 1
            return settled(cluster) and every == {"web:2"}

        await until(rolled)


async def test_history_keeps_as_many_old_sets_as_asked() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment(1, revisionHistoryLimit=2))
        for number in range(2, 7):
            await until(lambda: settled(cluster))
            image = f"web:{number}"
            await cluster.patch(DEPLOYMENTS, "web", pod_template(image), kind="strategic")
            await until(lambda image=image: settled(cluster) and images(cluster) == {image})
        await until(lambda: len(cluster.all(REPLICASETS)) == 3)
        revisions = [
            rs.metadata["annotations"]["deployment.kubernetes.io/revision"]
            for rs in cluster.all(REPLICASETS)
        ]
        assert sorted(revisions) == ["4", "5", "6"]


async def test_failed_creates_show_in_conditions_and_events_and_are_taken_back() -> None:
    async with control_plane() as cluster:
        bad = deployment()
        await cluster.create(DEPLOYMENTS, bad)
        await until(lambda: settled(cluster))
        real = cluster.server.dispatch
        refused = Error(403, "Forbidden", 'pods "x" is forbidden: exceeded quota')

        async def refuse(request):  # type: ignore[no-untyped-def]  # as dispatch
            from busk8s.master.apiserver import rest

            if request.method == "POST" and request.path.endswith("/pods"):
                return rest.refusal(refused)
            return await real(request)

        cluster.server.dispatch = refuse  # type: ignore[method-assign]  # a stand-in
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 6}}, "scale")
        (rs,) = cluster.all(REPLICASETS)
        await until(
            lambda: (
                condition(cluster.one(REPLICASETS, rs.name), "ReplicaFailure").get("reason")
                == "FailedCreate"
            )
        )
        await until(
            lambda: (
                condition(cluster.one(DEPLOYMENTS, "web"), "ReplicaFailure").get("status") == "True"
            )
        )
        await until(
            lambda: any(
                e.data["message"] == f"Error creating: {refused.message}"
                for e in cluster.all(EVENTS)
            )
        )
        cluster.server.dispatch = real  # type: ignore[method-assign]  # a stand-in
        await until(lambda: settled(cluster) and len(cluster.all(PODS)) == 6, 300)
        await until(lambda: not condition(cluster.one(DEPLOYMENTS, "web"), "ReplicaFailure"))


@pytest.mark.parametrize("propagation", ["Background", "Foreground", None])
async def test_deleting_a_deployment_takes_everything_with_it(propagation: str | None) -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment())
        await until(lambda: settled(cluster))
        await cluster.client.delete(
            DEPLOYMENTS,
            "web",
            namespace="default",
            propagation=propagation,  # type: ignore[arg-type]  # one of the three, by parametrize
        )
        if propagation == "Foreground":
            assert cluster.find(DEPLOYMENTS, "web") is not None
        await until(
            lambda: (
                not cluster.all(PODS)
                and not cluster.all(REPLICASETS)
                and not cluster.all(DEPLOYMENTS)
            )
        )


async def test_orphans_stay_and_are_adopted_by_the_next_owner() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment())
        await until(lambda: settled(cluster))
        before = {pod.uid for pod in cluster.all(PODS)}
        await cluster.client.delete(DEPLOYMENTS, "web", namespace="default", propagation="Orphan")
        await until(lambda: cluster.find(DEPLOYMENTS, "web") is None)
        await asyncio.sleep(2)
        (rs,) = cluster.all(REPLICASETS)
        assert not rs.metadata.get("ownerReferences")
        assert {pod.uid for pod in cluster.all(PODS)} == before
        web = await cluster.create(DEPLOYMENTS, deployment())
        await until(lambda: settled(cluster))
        (rs,) = cluster.all(REPLICASETS)
        assert rs.metadata["ownerReferences"][0]["uid"] == web.uid
        assert {pod.uid for pod in cluster.all(PODS)} == before


async def test_a_dependent_of_an_owner_that_never_was_is_collected() -> None:
    async with control_plane() as cluster:
        absent = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "no-such-uid"}
        metadata = {"name": "lost", "ownerReferences": [absent]}
        await cluster.create(CONFIGMAPS, {"metadata": metadata})
        await until(lambda: cluster.find(CONFIGMAPS, "lost") is None)


async def test_one_living_owner_is_enough() -> None:
    async with control_plane() as cluster:
        owner = await cluster.create(CONFIGMAPS, {"metadata": {"name": "owner"}})
        kind = {"apiVersion": "v1", "kind": "ConfigMap"}
        alive = {**kind, "name": "owner", "uid": owner.uid}
        absent = {**kind, "name": "gone", "uid": "no-such-uid"}
        metadata = {"name": "child", "ownerReferences": [alive, absent]}
        await cluster.create(CONFIGMAPS, {"metadata": metadata})

        def references() -> list[str]:
            child = cluster.one(CONFIGMAPS, "child")
            return [ref["name"] for ref in child.metadata["ownerReferences"]]

        await until(lambda: references() == ["owner"])
        await cluster.client.delete(CONFIGMAPS, "owner", namespace="default")
        await until(lambda: cluster.find(CONFIGMAPS, "child") is None)


async def test_a_namespace_goes_with_all_that_is_in_it() -> None:
    async with control_plane() as cluster:
        await cluster.create(NAMESPACES, {"metadata": {"name": "team"}})
        await until(lambda: cluster.find(SERVICEACCOUNTS, "default", "team") is not None)
        await until(lambda: cluster.find(CONFIGMAPS, "kube-root-ca.crt", "team") is not None)
        await cluster.create(DEPLOYMENTS, {**deployment(), "metadata": {"name": "web"}}, "team")
        await until(lambda: len(cluster.all(PODS, "team")) == 3)
        held = {"name": "held", "finalizers": ["example.com/hold"]}
        await cluster.create(CONFIGMAPS, {"metadata": held}, "team")
        await cluster.client.delete(NAMESPACES, "team")
        await until(lambda: not cluster.all(PODS, "team") and not cluster.all(DEPLOYMENTS, "team"))

        def remaining() -> Json:
            return condition(cluster.one(NAMESPACES, "team"), "NamespaceFinalizersRemaining")

        await until(lambda: remaining().get("status") == "True")
        assert "example.com/hold in 1 resource instances" in remaining()["message"]
        await cluster.client.patch(
            CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, namespace="team"
        )
        await until(lambda: cluster.find(NAMESPACES, "team") is None)
        assert not cluster.all(CONFIGMAPS, "team")
        assert not cluster.all(EVENTS, "team")


async def test_every_namespace_has_its_account_and_the_root_certificate() -> None:
    async with control_plane() as cluster:
        for namespace in ("default", "kube-system", "kube-public", "kube-node-lease"):
            await until(
                lambda ns=namespace: (
                    cluster.find(SERVICEACCOUNTS, "default", ns)
                    and cluster.find(CONFIGMAPS, "kube-root-ca.crt", ns)
                )
            )
        found = cluster.one(CONFIGMAPS, "kube-root-ca.crt")
        assert found.data["data"] == {"ca.crt": CA}
        await cluster.patch(CONFIGMAPS, "kube-root-ca.crt", {"data": {"ca.crt": "forged"}})
        await until(
            lambda: cluster.one(CONFIGMAPS, "kube-root-ca.crt").data["data"]["ca.crt"] == CA
        )


def service(name: str = "web", **spec: object) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": ports, **spec},
    }


def addresses(cluster: Cluster) -> list[str]:
    return [
        endpoint["addresses"][0]
        for found in cluster.all(ENDPOINTSLICES)
        if found.labels["kubernetes.io/service-name"] == "web"
        for endpoint in found.data["endpoints"]
    ]


async def test_a_service_follows_its_pods() -> None:
    async with control_plane() as cluster:
        await cluster.create(SERVICES, service())
        await cluster.create(DEPLOYMENTS, deployment())
        await until(lambda: settled(cluster))
        await until(lambda: len(addresses(cluster)) == 3)
        (found,) = [s for s in cluster.all(ENDPOINTSLICES) if s.name.startswith("web-")]
        assert found.data["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
        first = found.data["endpoints"][0]
        assert first["conditions"] == {"ready": True, "serving": True, "terminating": False}
        assert first["nodeName"] in ("n1", "n2")
        assert first["targetRef"]["kind"] == "Pod"
        (subset,) = cluster.one(ENDPOINTS, "web").data["subsets"]
        assert [a["ip"] for a in subset["addresses"]] == sorted(addresses(cluster))
        await cluster.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}}, "scale")
        await until(lambda: not addresses(cluster))
        await cluster.client.delete(SERVICES, "web", namespace="default")
        await until(lambda: cluster.find(ENDPOINTS, "web") is None)
        await until(lambda: not [s for s in cluster.all(ENDPOINTSLICES) if s.name[:4] == "web-"])


async def test_250_pods_are_spread_over_three_slices() -> None:
    async with control_plane() as cluster:
        await cluster.create(SERVICES, service())
        await cluster.create(DEPLOYMENTS, deployment(250))
        await until(lambda: settled(cluster))
        await until(lambda: len(addresses(cluster)) == 250)
        sizes = [
            len(s.data["endpoints"]) for s in cluster.all(ENDPOINTSLICES) if s.name != "kubernetes"
        ]
        assert sum(sizes) == 250
        assert max(sizes) <= 100
        assert len(sizes) <= 4
        assert cluster.writes("/endpointslices") < 60


async def test_a_silent_node_is_unknown_tainted_and_emptied_after_the_toleration() -> None:
    async with control_plane() as cluster:
        tolerations = [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 30,
            }
            for key in ("unreachable", "not-ready")
        ]
        web = deployment(4)
        web["spec"]["template"]["spec"]["tolerations"] = tolerations
        await cluster.create(DEPLOYMENTS, web)
        await until(lambda: settled(cluster))
        cluster.kubelets_run = False
        start = asyncio.get_running_loop().time()
        cluster.falls_silent("n1")
        await until(lambda: condition(cluster.one(NODES, "n1"), "Ready").get("status") == "Unknown")
        ready = condition(cluster.one(NODES, "n1"), "Ready")
        assert ready["reason"] == "NodeStatusUnknown"
        assert ready["message"] == "Kubelet stopped posting node status."

        def taints() -> list[tuple[str, str]]:
            found = cluster.one(NODES, "n1").data.get("spec", {}).get("taints") or []
            return [(t["key"], t["effect"]) for t in found]

        key = "node.kubernetes.io/unreachable"
        await until(lambda: taints() == [(key, "NoSchedule"), (key, "NoExecute")])
        there = [p.name for p in cluster.all(PODS) if p.data["spec"]["nodeName"] == "n1"]
        assert len(there) == 2
        await until(
            lambda: all(
                condition(cluster.one(PODS, name), "Ready")["status"] == "False" for name in there
            )
        )
        await until(lambda: all(cluster.one(PODS, name).deleting for name in there))
        waited = asyncio.get_running_loop().time() - start
        assert 28 <= waited <= 34
        assert not any(p.deleting for p in cluster.all(PODS) if p.name not in there)
        cluster.falls_silent("n1", False)
        await cluster.says_ready("n1")
        await until(lambda: not taints())


async def test_pods_of_a_node_that_is_gone_are_removed_and_replaced() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment(4))
        await until(lambda: settled(cluster))
        there = [p.name for p in cluster.all(PODS) if p.data["spec"]["nodeName"] == "n1"]
        await cluster.client.delete(NODES, "n1")
        await until(lambda: all(cluster.find(PODS, name) is None for name in there))
        await until(lambda: len(cluster.all(PODS)) == 4)
        told = [e.data for e in cluster.all(EVENTS) if e.data["involvedObject"]["name"] == "n1"]
        said = [e["reason"] for e in told if e["source"]["component"] == "node-controller"]
        assert [said.count(reason) for reason in ("RegisteredNode", "RemovingNode")] == [1, 1]


async def test_3000_pods_come_and_go_without_a_write_for_each_event() -> None:
    async with control_plane() as cluster:
        await cluster.create(DEPLOYMENTS, deployment(3_000))
        await until(lambda: settled(cluster))
        assert len(cluster.all(PODS)) == 3_000
        assert cluster.writes("/replicasets") < 300
        assert cluster.writes("/deployments") < 300
        await cluster.client.delete(DEPLOYMENTS, "web", namespace="default")
        await until(lambda: not cluster.all(PODS))
