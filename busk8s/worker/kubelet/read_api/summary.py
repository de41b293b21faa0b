"""/stats/summary: upstream's Summary of node and pods, as far as this node knows.

Owns      the form; rates between two samples. Leaves   gathering (observed).
Invariant pure. What is not measured here (networks, volumes) is left out, not made up.
Source    k8s.io/kubelet/pkg/apis/stats/v1alpha1.
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.api.meta import format_time
from busk8s.api.object import Json
from busk8s.worker.kubelet.read_api.observed import Host, Sample, Seen
from busk8s.worker.runtime.base import Container, Usage

NANO = 1_000_000_000
RATE_S_MIN = 0.1  # Samples closer than this say nothing about a rate.


def summary(node_name: str, sample: Sample, before: Sample | None) -> Json:
    return {
        "node": _node(node_name, sample, before),
        "pods": [_pod(seen, sample, before) for seen in sample.pods if seen.state.running],
    }


def _node(name: str, sample: Sample, before: Sample | None) -> Json:
    host, at = sample.host, format_time(sample.at)
    rate = _rate(host.cpu_s, before.host.cpu_s if before else None, sample, before)
    return {
        "nodeName": name,
        "startTime": format_time(host.started_at),
        "cpu": _cpu(at, host.cpu_s, rate),
        "memory": {
            "time": at,
            "availableBytes": host.available_bytes,
            "usageBytes": host.memory_bytes - host.available_bytes,
            "workingSetBytes": host.memory_bytes - host.available_bytes,
        },
        "fs": _disk(at, host),
        "runtime": {"imageFs": _disk(at, host)},
        "rlimit": {"time": at, "maxpid": host.processes_max, "curproc": host.processes},
    }


def _disk(at: str, host: Host) -> Json:
    return {
        "time": at,
        "availableBytes": host.disk_free_bytes,
        "capacityBytes": host.disk_bytes,
        "usedBytes": host.disk_bytes - host.disk_free_bytes,
        "inodesFree": host.inodes_free,
        "inodes": host.inodes,
        "inodesUsed": host.inodes - host.inodes_free,
    }


def _pod(seen: Seen, sample: Sample, before: Sample | None) -> Json:
    pod, at = seen.pod, format_time(sample.at)
    running = [c for c in seen.state.running if c.id in sample.usages]
    told: Json = {
        "podRef": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "startTime": seen.status.get("startTime"),
        "containers": [_container(container, sample, before) for container in running],
    }
    usages = [sample.usages[container.id] for container in running]
    if usages:
        rates = [_rate_of(container, sample, before) for container in running]
        whole = None if None in rates else sum(rate for rate in rates if rate is not None)
        told["cpu"] = _cpu(at, sum(usage.cpu_s for usage in usages), whole)
        told["memory"] = _memory(at, usages)
    return told


def _container(container: Container, sample: Sample, before: Sample | None) -> Json:
    usage, at = sample.usages[container.id], format_time(sample.at)
    return {
        "name": container.config.name,
        "startTime": format_time(container.started_at),
        "cpu": _cpu(at, usage.cpu_s, _rate_of(container, sample, before)),
        "memory": _memory(at, [usage]),
    }


def _cpu(at: str, seconds: float, rate: float | None) -> Json:
    told: Json = {"time": at}
    if rate is not None:
        told["usageNanoCores"] = int(rate * NANO)
    return {**told, "usageCoreNanoSeconds": int(seconds * NANO)}


def _memory(at: str, usages: Sequence[Usage]) -> Json:
    working = sum(usage.memory_bytes for usage in usages)
    return {"time": at, "usageBytes": working, "workingSetBytes": working}


def _rate_of(container: Container, sample: Sample, before: Sample | None) -> float | None:
    earlier = before.usages.get(container.id) if before is not None else None
    now = sample.usages[container.id].cpu_s
    return _rate(now, earlier.cpu_s if earlier is not None else None, sample, before)


def _rate(now: float, earlier: float | None, sample: Sample, before: Sample | None) -> float | None:
    """Cores used between two samples; None when that cannot be said."""
    if earlier is None or before is None or sample.at - before.at < RATE_S_MIN:
        return None
    return max(0.0, (now - earlier) / (sample.at - before.at))
