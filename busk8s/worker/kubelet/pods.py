"""A pod as the kubelet reads it: parsed once per version, frozen.

Owns      the few fields that decisions depend on, with upstream's defaults.
Leaves    the raw JSON beside them, for what is only passed on (env, volumes, probes).
Invariant a Pod never changes; another version of the object is another Pod.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from busk8s.api import meta
from busk8s.api.object import Json, Object

GRACE_DEFAULT_S = 30.0

RestartPolicy = Literal["Always", "OnFailure", "Never"]


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """`sidecar` is an init container with restartPolicy Always; `hash` is what a restart is for.
    `field`: the list of the pod's spec it is in.
    """

    name: str
    image: str
    hash: str
    restart: RestartPolicy
    sidecar: bool
    restart_exit_codes: tuple[tuple[bool, frozenset[int]], ...]
    raw: Json
    field: str = "containers"

    @property
    def pre_stop(self) -> Json | None:
        return (self.raw.get("lifecycle") or {}).get("preStop")

    @property
    def post_start(self) -> Json | None:
        return (self.raw.get("lifecycle") or {}).get("postStart")

    def probe(self, kind: str) -> Json | None:
        """`kind` is liveness, readiness or startup."""
        return self.raw.get(f"{kind}Probe")


@dataclass(frozen=True, slots=True)
class Pod:
    namespace: str
    name: str
    uid: str
    generation: int
    node_name: str
    restart: RestartPolicy
    host_network: bool
    grace_s: float
    deadline_s: float | None
    deleting: bool
    readiness_gates: tuple[str, ...]
    init: tuple[ContainerSpec, ...]
    containers: tuple[ContainerSpec, ...]
    status: Json
    raw: Json
    ephemeral: tuple[ContainerSpec, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def spec(self) -> Json:
        spec: Json = self.raw["spec"]
        return spec

    @property
    def metadata(self) -> Json:
        metadata: Json = self.raw["metadata"]
        return metadata

    @property
    def finished(self) -> bool:
        """The API says it ended; nothing of it may ever run again."""
        return self.status.get("phase") in ("Succeeded", "Failed")

    def container(self, name: str) -> ContainerSpec | None:
        for spec in (*self.containers, *self.init, *self.ephemeral):
            if spec.name == name:
                return spec
        return None


def parse_pod(obj: Object) -> Pod:
    """The Pod of `obj`; tolerant of what a server without defaulting leaves out."""
    data = obj.data
    metadata, spec = data["metadata"], data.get("spec") or {}
    restart: RestartPolicy = spec.get("restartPolicy") or "Always"
    deleting = "deletionTimestamp" in metadata
    deadline = spec.get("activeDeadlineSeconds")
    return Pod(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        generation=int(metadata.get("generation") or 0),
        node_name=spec.get("nodeName", ""),
        restart=restart,
        host_network=bool(spec.get("hostNetwork")),
        grace_s=_grace(metadata, spec, deleting=deleting),
        deadline_s=None if deadline is None else float(deadline),
        deleting=deleting,
        readiness_gates=tuple(g["conditionType"] for g in spec.get("readinessGates") or ()),
        init=_containers(spec, "initContainers", restart),
        containers=_containers(spec, "containers", restart),
        status=data.get("status") or {},
        raw=data,
        ephemeral=_containers(spec, "ephemeralContainers", "Never"),
    )


def _grace(metadata: Mapping[str, Any], spec: Mapping[str, Any], *, deleting: bool) -> float:
    grace = metadata.get("deletionGracePeriodSeconds") if deleting else None
    if grace is None:
        grace = spec.get("terminationGracePeriodSeconds")
    return GRACE_DEFAULT_S if grace is None else max(0.0, float(grace))


def _containers(
    spec: Mapping[str, Any], field: str, restart: RestartPolicy
) -> tuple[ContainerSpec, ...]:
    return tuple(_container(raw, restart, field) for raw in spec.get(field) or ())


def _container(raw: Json, pod_restart: RestartPolicy, field: str) -> ContainerSpec:
    own, init = raw.get("restartPolicy"), field == "initContainers"
    # A plain init container of an Always pod is tried again until it succeeds, then never more.
    inherited: RestartPolicy = "OnFailure" if init and pod_restart == "Always" else pod_restart
    return ContainerSpec(
        name=raw["name"],
        image=raw.get("image", ""),
        hash=container_hash(raw),
        restart=own or inherited,
        sidecar=init and own == "Always",
        restart_exit_codes=tuple(_rule(rule) for rule in raw.get("restartPolicyRules") or ()),
        raw=raw,
        field=field,
    )


def _rule(rule: Mapping[str, Any]) -> tuple[bool, frozenset[int]]:
    codes = rule.get("exitCodes") or {}
    return codes.get("operator", "In") == "In", frozenset(codes.get("values") or ())


def container_hash(raw: Mapping[str, Any]) -> str:
    """As upstream since 1.31: name and image only, so that defaults added later restart nothing."""
    text = orjson.dumps([raw.get("name"), raw.get("image", "")])
    return hashlib.blake2b(text, digest_size=4).hexdigest()


def restarts(spec: ContainerSpec, exit_code: int) -> bool:
    """Whether a container that exited so is started again."""
    for is_in, codes in spec.restart_exit_codes:
        if (exit_code in codes) is is_in:
            return True
    if spec.restart == "Always":
        return True
    return spec.restart == "OnFailure" and exit_code != 0


def parse_time(text: str | None) -> float:
    """Seconds since the epoch of an RFC 3339 time; 0 for none."""
    return meta.parse_time(text) if text else 0.0


def names(specs: Sequence[ContainerSpec]) -> str:
    """As Go prints a list: what upstream's condition messages show."""
    return "[" + " ".join(spec.name for spec in specs) + "]"
