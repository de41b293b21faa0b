"""The runtime's whole listing, by pod, and what changed between two of them.

Owns      PodState (all sandboxes and containers of one pod) and the diff that wakes pods.
Leaves    when to list (pleg), what to do about it (plan).
Invariant within a PodState sandboxes and the attempts of one container are newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from busk8s.worker.runtime.base import Container, Sandbox


@dataclass(frozen=True, slots=True)
class PodState:
    """What the runtime has of one pod."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[Container, ...] = ()

    @property
    def sandbox(self) -> Sandbox | None:
        """The newest, ready or not."""
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def ready_sandbox(self) -> Sandbox | None:
        newest = self.sandbox
        return newest if newest is not None and newest.state == "ready" else None

    def attempts(self, name: str) -> list[Container]:
        """All containers of that name, newest first."""
        return [c for c in self.containers if c.config.name == name]

    def latest(self, name: str) -> Container | None:
        for container in self.containers:
            if container.config.name == name:
                return container
        return None

    @property
    def running(self) -> tuple[Container, ...]:
        return tuple(c for c in self.containers if c.state == "running")


NOTHING = PodState()


def by_pod(sandboxes: Iterable[Sandbox], containers: Iterable[Container]) -> dict[str, PodState]:
    """Group a listing by pod uid. A container whose sandbox is not listed belongs to nobody."""
    boxes: dict[str, list[Sandbox]] = {}
    owner: dict[str, str] = {}
    for sandbox in sandboxes:
        boxes.setdefault(sandbox.config.uid, []).append(sandbox)
        owner[sandbox.id] = sandbox.config.uid
    held: dict[str, list[Container]] = {}
    for container in containers:
        uid = owner.get(container.sandbox_id)
        if uid is not None:
            held.setdefault(uid, []).append(container)
    return {
        uid: PodState(
            tuple(sorted(found, key=_sandbox_age, reverse=True)),
            tuple(sorted(held.get(uid, ()), key=_container_age, reverse=True)),
        )
        for uid, found in boxes.items()
    }


def changed(old: Mapping[str, PodState], new: Mapping[str, PodState]) -> list[str]:
    """The pods that do not look the same in both listings, in a fixed order."""
    found = [uid for uid, state in new.items() if old.get(uid) != state]
    found += [uid for uid in old if uid not in new]
    return found


def _sandbox_age(sandbox: Sandbox) -> tuple[int, float]:
    return (sandbox.config.attempt, sandbox.created_at)


def _container_age(container: Container) -> tuple[int, float]:
    return (container.config.attempt, container.created_at)
