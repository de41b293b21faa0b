"""The controller manager: every controller over one set of caches, until told to stop.

Owns      the list of controllers, and wiring them to loop, caches, performer and recorder.
Leaves    which process this runs in, and leader election (app).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from busk8s.api.scheme import REPLICATIONCONTROLLERS
from busk8s.client.interface import Client
from busk8s.client.recorder import Recorder
from busk8s.client.reflector import SharedCaches
from busk8s.client.workqueue import WorkQueue
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.master.controllers.claim_binding import ClaimBinder
from busk8s.master.controllers.cronjob import CronJobController
from busk8s.master.controllers.custom_kinds import CustomKinds
from busk8s.master.controllers.daemonset import DaemonSetController
from busk8s.master.controllers.deployment import DeploymentController
from busk8s.master.controllers.disruption import DisruptionController
from busk8s.master.controllers.endpoints import EndpointsController
from busk8s.master.controllers.endpoints_mirror import EndpointsMirrorController
from busk8s.master.controllers.endpointslices import EndpointSliceController
from busk8s.master.controllers.garbage import GarbageCollector
from busk8s.master.controllers.job import JobController
from busk8s.master.controllers.local_volumes import LocalProvisioner
from busk8s.master.controllers.loop import Controller, Loop
from busk8s.master.controllers.measures import families
from busk8s.master.controllers.namespace import NamespaceController
from busk8s.master.controllers.node_lifecycle import NodeLifecycleController
from busk8s.master.controllers.perform import Performer
from busk8s.master.controllers.pod_gc import PodGarbageCollector
from busk8s.master.controllers.replicaset import ReplicaSetController
from busk8s.master.controllers.role_aggregation import RoleAggregationController
from busk8s.master.controllers.service_accounts import NamespaceContentsController
from busk8s.master.controllers.statefulset import StatefulSetController
from busk8s.master.controllers.storage_protection import ClaimProtection, VolumeProtection
from busk8s.master.controllers.taint_eviction import TaintEvictionController
from busk8s.master.controllers.volume_release import VolumeKeeper
from busk8s.metrics import Family
from busk8s.protocol import LIVENESS
from busk8s.tasks import supervise

Tell = Callable[[Sequence[Family]], None]

_log = Logger("busk8s.controllers")


def nobody(told: Sequence[Family]) -> None:
    """Who asks for no metrics."""


async def run(
    client: Client, *, clock: Clock, ids: IdSource, ca_pem: str = "", tell: Tell = nobody
) -> None:
    """Run all controllers; returns only by cancellation, raises when one of the parts fails.

    `ca_pem` is the CA that pods are to trust the API server by; `tell` is given the metrics.
    """
    caches = SharedCaches(client)
    recorder = Recorder(client, "controller-manager", clock=clock, ids=ids)
    performer = Performer(client, caches, recorder, ids)
    nodes = NodeLifecycleController(caches)
    garbage = GarbageCollector(caches)
    custom = CustomKinds(caches, garbage)
    loop = Loop([nodes, garbage, *controllers(caches, ca_pem=ca_pem)], caches, performer, clock)
    tell(families(loop.queues))
    await supervise(
        caches.run(),
        loop.run(),
        recorder.run(),
        custom.run(loop),
        _listen(client, nodes, loop.queue(nodes.name)),
    )


def controllers(caches: SharedCaches, *, ca_pem: str) -> list[Controller]:
    """All but those that listen to more than watches: nodes' beats, kinds that come later."""
    return [
        NamespaceController(caches),
        TaintEvictionController(caches),
        PodGarbageCollector(caches),
        NamespaceContentsController(caches, ca_pem),
        DeploymentController(caches),
        ReplicaSetController(caches),
        ReplicaSetController(caches, REPLICATIONCONTROLLERS),
        StatefulSetController(caches),
        ClaimBinder(caches),
        LocalProvisioner(caches),
        VolumeKeeper(caches),
        DaemonSetController(caches),
        JobController(caches),
        CronJobController(caches),
        DisruptionController(caches),
        EndpointSliceController(caches),
        EndpointsController(caches),
        EndpointsMirrorController(caches),
        RoleAggregationController(caches),
        ClaimProtection(caches),
        VolumeProtection(caches),
    ]


async def _listen(client: Client, nodes: NodeLifecycleController, queue: WorkQueue) -> None:
    """Let node lifecycle hear who is silent; without such a view no node is ever thought so."""
    try:
        async for batch in client.watch_view(LIVENESS):
            nodes.heard(batch, queue)
    except Error as error:
        _log.warning("silent nodes go unnoticed", why=error.message)
    await asyncio.get_running_loop().create_future()
