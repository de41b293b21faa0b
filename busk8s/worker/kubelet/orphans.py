"""Removes what is left on the node of pods that the master does not want any more.

Invariant called only after a whole view has come from the master, never on a checkpoint's word.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Container
from pathlib import Path

from busk8s.log import Logger
from busk8s.tasks import Nursery
from busk8s.worker.kubelet.parts import Parts
from busk8s.worker.kubelet.pods import GRACE_DEFAULT_S
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.kubelet.runs import GRACE_ANNOTATION
from busk8s.worker.runtime.base import RuntimeFailure, Sandbox

log = Logger("kubelet.orphans")


async def remove_orphans(parts: Parts, wanted: Callable[[], Container[str]]) -> None:
    """`wanted` holds the uids of the pods that have a worker: those see to themselves."""
    states = await parts.pleg.relisted()
    async with Nursery() as nursery:
        jobs = [
            nursery.spawn(_remove(parts, uid, state), name=f"orphan {uid}")
            for uid, state in states.items()
            if uid not in wanted()
        ]
        for job in jobs:
            await job
    if parts.root:
        _remove_files(parts, wanted())


async def _remove(parts: Parts, uid: str, state: PodState) -> None:
    log.info("removing a pod that is not wanted here", uid=uid)
    try:
        for sandbox in state.sandboxes:
            for container in state.running:
                if container.sandbox_id == sandbox.id:
                    await parts.runtime.stop_container(container.id, _grace_s(sandbox))
            await parts.runtime.stop_sandbox(sandbox.id)
            await parts.runtime.remove_sandbox(sandbox.id)
    except RuntimeFailure as failure:
        # The next whole view tries again.
        log.warning("orphan not removed", uid=uid, error=failure)


def _grace_s(sandbox: Sandbox) -> float:
    try:
        return float(sandbox.config.annotations.get(GRACE_ANNOTATION, GRACE_DEFAULT_S))
    except ValueError:
        return GRACE_DEFAULT_S


def _remove_files(parts: Parts, wanted: Container[str]) -> None:
    parts.volumes.remove_orphans(wanted)
    logs = Path(parts.root) / "logs"
    for directory in logs.iterdir() if logs.exists() else ():
        if directory.name.rpartition("_")[2] not in wanted:
            shutil.rmtree(directory, ignore_errors=True)
