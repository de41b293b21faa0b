"""The controller manager: every controller over one set of caches, until told to stop.

Owns      the list of controllers, and wiring them to loop, caches, performer and recorder.
Leaves    which process this runs in, and leader election (app).
"""

from __future__ import annotations

from busk8s.client.interface import Client
from busk8s.client.recorder import Recorder
from busk8s.client.reflector import SharedCaches
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.master.controllers.deployment import DeploymentController
from busk8s.master.controllers.endpoints import EndpointsController
from busk8s.master.controllers.endpointslices import EndpointSliceController
from busk8s.master.controllers.loop import Controller, Loop
from busk8s.master.controllers.perform import Performer
from busk8s.master.controllers.replicaset import ReplicaSetController
from busk8s.master.controllers.service_accounts import NamespaceContentsController
from busk8s.tasks import supervise


async def run(client: Client, *, clock: Clock, ids: IdSource, ca_pem: str = "") -> None:
    """Run all controllers; returns only by cancellation, raises when one of the parts fails.

    `ca_pem` is the CA that pods are to trust the API server by.
    """
    caches = SharedCaches(client)
    recorder = Recorder(client, "controller-manager", clock=clock, ids=ids)
    performer = Performer(client, caches, recorder, ids)
    loop = Loop(controllers(caches, ca_pem=ca_pem), caches, performer, clock)
    await supervise(caches.run(), loop.run(), recorder.run())


def controllers(caches: SharedCaches, *, ca_pem: str) -> list[Controller]:
    return [
        NamespaceContentsController(caches, ca_pem),
        DeploymentController(caches),
        ReplicaSetController(caches),
        EndpointSliceController(caches),
        EndpointsController(caches),
    ]
