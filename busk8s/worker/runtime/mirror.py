"""The kubelet's copy of the supervisor's table, as the runtime seam's types. Pure.

Owns      records (JSON) -> Sandbox and Container; which change is which event.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from busk8s.worker.runtime.base import (
    Container,
    ContainerConfig,
    Limits,
    Mount,
    RuntimeEvent,
    Sandbox,
    SandboxConfig,
)

if TYPE_CHECKING:
    from busk8s.api.object import Json


class Mirror:
    def __init__(self) -> None:
        self.sandboxes: dict[str, Sandbox] = {}
        self.containers: dict[str, Container] = {}

    def reset(self, snapshot: Json) -> list[RuntimeEvent]:
        """Take the whole table; an event for each pod that may have changed."""
        before = {sandbox.config.uid: None for sandbox in self.sandboxes.values()}
        self.sandboxes = {r["id"]: sandbox_of(r) for r in snapshot["sandboxes"]}
        self.containers = {r["id"]: container_of(r, None) for r in snapshot["containers"]}
        before.update((sandbox.config.uid, None) for sandbox in self.sandboxes.values())
        return [RuntimeEvent(uid, "stopped") for uid in before]

    def apply(self, change: str, record: Json) -> RuntimeEvent | None:
        key = record["id"]
        if change == "sandbox":
            sandbox = self.sandboxes[key] = sandbox_of(record)
            kind = "started" if sandbox.state == "ready" else "stopped"
            return RuntimeEvent(sandbox.config.uid, "started" if kind == "started" else "stopped")
        if change == "sandbox-gone":
            gone = self.sandboxes.pop(key, None)
            return RuntimeEvent(gone.config.uid, "deleted") if gone else None
        old = self.containers.get(key)
        uid = self._uid(old.sandbox_id if old else record["sandbox_id"])
        if change == "container-gone":
            self.containers.pop(key, None)
            return RuntimeEvent(uid, "deleted", key)
        new = self.containers[key] = container_of(record, old)
        if new.state == "created":
            return RuntimeEvent(uid, "created", key)
        return RuntimeEvent(uid, "started" if new.state == "running" else "stopped", key)

    def _uid(self, sandbox_id: str) -> str:
        sandbox = self.sandboxes.get(sandbox_id)
        return sandbox.config.uid if sandbox else ""


def sandbox_of(record: Json) -> Sandbox:
    given = dict(record["config"])
    for name in ("dns_servers", "dns_searches", "dns_options"):
        given[name] = tuple(given[name])
    return Sandbox(
        record["id"], SandboxConfig(**given), record["state"], record["created_at"], record["ip"]
    )


def container_of(record: Json, known: Container | None) -> Container:
    """`known` is an earlier version: of a config only the limits change, so it is parsed once."""
    config = known.config if known else config_of(record["config"])
    if config.limits != (limits := Limits(**record["config"]["limits"])):
        config = replace(config, limits=limits)
    return Container(
        id=record["id"],
        sandbox_id=record["sandbox_id"],
        config=config,
        state=record["state"],
        created_at=record["created_at"],
        started_at=record["started_at"],
        finished_at=record["finished_at"],
        exit_code=record["exit_code"],
        signal=record["signal"],
        reason=record["reason"],
        message=record["message"],
        image_ref=config.image,
        pid=record["pid"],
    )


def config_of(given: Json) -> ContainerConfig:
    fields = dict(given)
    fields["command"], fields["args"] = tuple(given["command"]), tuple(given["args"])
    fields["env"] = tuple((name, value) for name, value in given["env"])
    fields["mounts"] = tuple(Mount(**mount) for mount in given["mounts"])
    fields["limits"] = Limits(**given["limits"])
    return ContainerConfig(**fields)
