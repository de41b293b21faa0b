"""The scheduler as a component: its parts, wired by hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from busk8s.client.interface import Client
from busk8s.client.recorder import Recorder
from busk8s.clock import Clock
from busk8s.ids import IdSource
from busk8s.master.scheduler.loop import Scheduler
from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.profile import SCHEDULER_NAME, default_profile
from busk8s.master.scheduler.volumes import VolumeFacts
from busk8s.metrics import Family
from busk8s.tasks import supervise

Tell = Callable[[Sequence[Family]], None]


def nobody(told: Sequence[Family]) -> None:
    """Who asks for no metrics."""


async def run(
    client: Client, *, clock: Clock, ids: IdSource, rng: random.Random, tell: Tell = nobody
) -> None:
    """Schedule until cancelled; raises when one of the parts fails. `tell` is given the metrics."""
    recorder = Recorder(client, SCHEDULER_NAME, clock=clock, ids=ids)

    def emit(pod: PodInfo, kind: str, reason: str, message: str) -> None:
        about = {
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": pod.namespace,
            "name": pod.name,
            "uid": pod.uid,
        }
        recorder.event(about, "Warning" if kind == "Warning" else "Normal", reason, message)

    facts = VolumeFacts()
    profile = default_profile(client, facts)
    scheduler = Scheduler(client, profile, facts, clock=clock, rng=rng, emit=emit)
    tell(scheduler.families())
    await supervise(scheduler.run(), recorder.run())
