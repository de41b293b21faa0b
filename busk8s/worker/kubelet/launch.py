"""From a pod's spec to what the runtime is asked for.

Owns      SandboxConfig and ContainerConfig of a pod: names, labels, paths, limits, users.
Leaves    environment (env.py), volumes (volumes.py), asking (pod_worker.py).
Invariant pure; raises ConfigError for what keeps the container from being created.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from busk8s.worker.kubelet.env import expand_all
from busk8s.worker.kubelet.pods import ContainerSpec, Pod
from busk8s.worker.kubelet.relist import PodState
from busk8s.worker.kubelet.resources import limits_of
from busk8s.worker.kubelet.runs import GRACE_ANNOTATION, HASH_ANNOTATION
from busk8s.worker.runtime.base import ContainerConfig, Mount, SandboxConfig

HOSTNAME_MAX = 63


class ConfigError(Exception):
    """Shown as CreateContainerConfigError with this message."""


@dataclass(frozen=True, slots=True)
class Dns:
    """What ClusterFirst pods get; `host_*` is the node's own resolv.conf."""

    servers: tuple[str, ...] = ()
    domain: str = "cluster.local"
    host_servers: tuple[str, ...] = ()
    host_searches: tuple[str, ...] = ()
    host_options: tuple[str, ...] = ()


def log_directory(root: str, pod: Pod) -> str:
    return str(PurePosixPath(root) / "logs" / f"{pod.namespace}_{pod.name}_{pod.uid}")


def hostname(pod: Pod) -> str:
    override = pod.spec.get("hostnameOverride")
    name = override or pod.spec.get("hostname") or pod.name
    return str(name)[:HOSTNAME_MAX].rstrip("-.")


def sandbox_config(pod: Pod, attempt: int, root: str, dns: Dns) -> SandboxConfig:
    servers, searches, options = _dns(pod, dns)
    security = pod.spec.get("securityContext") or {}
    return SandboxConfig(
        namespace=pod.namespace,
        name=pod.name,
        uid=pod.uid,
        attempt=attempt,
        hostname="" if pod.host_network else hostname(pod),
        host_network=pod.host_network,
        log_directory=log_directory(root, pod),
        dns_servers=servers,
        dns_searches=searches,
        dns_options=options,
        sysctls={entry["name"]: entry["value"] for entry in security.get("sysctls") or ()},
        labels={
            **(pod.metadata.get("labels") or {}),
            "io.kubernetes.pod.name": pod.name,
            "io.kubernetes.pod.namespace": pod.namespace,
            "io.kubernetes.pod.uid": pod.uid,
        },
        annotations={GRACE_ANNOTATION: str(pod.grace_s)},
    )


def _dns(pod: Pod, dns: Dns) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    policy = pod.spec.get("dnsPolicy") or "ClusterFirst"
    servers, searches, options = dns.host_servers, dns.host_searches, dns.host_options
    cluster = policy == "ClusterFirstWithHostNet" or (
        policy == "ClusterFirst" and not pod.host_network
    )
    if policy == "None":
        servers, searches, options = (), (), ()
    elif cluster and dns.servers:
        domain = dns.domain
        own = (f"{pod.namespace}.svc.{domain}", f"svc.{domain}", domain)
        servers, searches, options = dns.servers, own + dns.host_searches, ("ndots:5",)
    extra = pod.spec.get("dnsConfig") or {}
    servers = _joined(servers, extra.get("nameservers"))
    searches = _joined(searches, extra.get("searches"))
    return servers, searches, _options(options, extra.get("options") or ())


def _joined(first: Sequence[str], more: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *(more or ()))))


def _options(first: Sequence[str], more: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    found = {option.partition(":")[0]: option for option in first}
    for option in more:
        value = option.get("value")
        found[option["name"]] = option["name"] if value is None else f"{option['name']}:{value}"
    return tuple(found.values())


def container_config(
    pod: Pod,
    spec: ContainerSpec,
    attempt: int,
    env: Mapping[str, str],
    mounts: Sequence[Mount],
    *,
    as_root: bool = False,
) -> ContainerConfig:
    raw = spec.raw
    user, group = _identity(pod, spec, as_root=as_root)
    return ContainerConfig(
        name=spec.name,
        image=spec.image,
        attempt=attempt,
        command=expand_all(raw.get("command"), env),
        args=expand_all(raw.get("args"), env),
        working_dir=raw.get("workingDir", ""),
        env=tuple(env.items()),
        mounts=tuple(mounts),
        log_path=f"{spec.name}/{attempt}.log",
        limits=limits_of(raw),
        run_as_user=user,
        run_as_group=group,
        tty=bool(raw.get("tty")),
        stdin=bool(raw.get("stdin")),
        stdin_once=bool(raw.get("stdinOnce")),
        labels={
            "io.kubernetes.container.name": spec.name,
            "io.kubernetes.pod.name": pod.name,
            "io.kubernetes.pod.namespace": pod.namespace,
            "io.kubernetes.pod.uid": pod.uid,
        },
        annotations={HASH_ANNOTATION: spec.hash, GRACE_ANNOTATION: str(pod.grace_s)},
    )


def target_of(spec: ContainerSpec, state: PodState) -> str:
    """The container whose processes an ephemeral one is to see; "" when it names none."""
    name = spec.raw.get("targetContainerName")
    if not name:
        return ""
    target = state.latest(name)
    if target is None:
        raise ConfigError(f"unable to find target container {name}")
    return target.id


def _identity(pod: Pod, spec: ContainerSpec, *, as_root: bool) -> tuple[int | None, int | None]:
    wide = pod.spec.get("securityContext") or {}
    own = spec.raw.get("securityContext") or {}
    user = own.get("runAsUser", wide.get("runAsUser"))
    group = own.get("runAsGroup", wide.get("runAsGroup"))
    if own.get("runAsNonRoot", wide.get("runAsNonRoot")):
        where = f'(pod: "{pod.name}_{pod.namespace}({pod.uid})", container: {spec.name})'
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        if user is None and as_root:
            raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    return user, group
