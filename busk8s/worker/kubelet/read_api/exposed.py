"""/metrics/resource, /metrics/cadvisor and the kubelet's own /metrics.

Owns      the families and their labels. Leaves   gathering (observed), the text form (metrics).
Invariant pure.
Source    Kubernetes reference, "Node metrics data" and "Kubernetes Metrics Reference".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from busk8s.metrics import Family, Gauge, Labels
from busk8s.worker.kubelet.machine import Machine
from busk8s.worker.kubelet.read_api.observed import Sample, Seen
from busk8s.worker.runtime.base import Container, Usage

_CONTAINER = ("container", "namespace", "pod")
_CADVISOR = ("container", "id", "image", "name", "namespace", "pod")


def resource(sample: Sample) -> Sequence[Family]:
    """What `kubectl top` and autoscalers are made of."""
    cpu: dict[Labels, float] = {}
    memory: dict[Labels, float] = {}
    started: dict[Labels, float] = {}
    pod_cpu: dict[Labels, float] = {}
    pod_memory: dict[Labels, float] = {}
    for seen, container, usage in _running(sample):
        at = (container.config.name, seen.pod.namespace, seen.pod.name)
        cpu[at], memory[at], started[at] = usage.cpu_s, usage.memory_bytes, container.started_at
        of = at[1:]
        pod_cpu[of] = pod_cpu.get(of, 0.0) + usage.cpu_s
        pod_memory[of] = pod_memory.get(of, 0.0) + usage.memory_bytes
    host = sample.host
    node_memory = float(host.memory_bytes - host.available_bytes)
    return (
        _counter("container_cpu_usage_seconds_total", "Cpu time of a container.", cpu, _CONTAINER),
        _gauge("container_memory_working_set_bytes", "Memory of a container.", memory, _CONTAINER),
        _gauge("container_start_time_seconds", "When a container started.", started, _CONTAINER),
        _counter("node_cpu_usage_seconds_total", "Cpu time of the node.", {(): host.cpu_s}),
        _gauge("node_memory_working_set_bytes", "Memory of the node.", {(): node_memory}),
        _counter("pod_cpu_usage_seconds_total", "Cpu time of a pod.", pod_cpu, _CONTAINER[1:]),
        _gauge("pod_memory_working_set_bytes", "Memory of a pod.", pod_memory, _CONTAINER[1:]),
        _gauge("resource_scrape_error", "1 when something could not be read.", {(): 0.0}),
    )


def cadvisor(sample: Sample, machine: Machine) -> Sequence[Family]:
    """The few families of cAdvisor that this node knows."""
    cpu: dict[Labels, float] = {}
    memory: dict[Labels, float] = {}
    started: dict[Labels, float] = {}
    for seen, container, usage in _running(sample):
        config = container.config
        pod = seen.pod
        at = (config.name, container.id, config.image, container.id, pod.namespace, pod.name)
        cpu[("total", *at)] = usage.cpu_s
        memory[at], started[at] = usage.memory_bytes, container.started_at
    return (
        _counter(
            "container_cpu_usage_seconds_total", "Cpu time of a container.", cpu,
            ("cpu", *_CADVISOR),
        ),
        _gauge("container_memory_working_set_bytes", "Memory of a container.", memory, _CADVISOR),
        _gauge("container_start_time_seconds", "When a container started.", started, _CADVISOR),
        _gauge("machine_cpu_cores", "Cores of the machine.", {(): machine.cpus}),
        _gauge("machine_memory_bytes", "Memory of the machine.", {(): machine.memory_bytes}),
    )  # fmt: skip


def own(node_name: str, pods: Sequence[Seen]) -> Sequence[Family]:
    """The kubelet's account of itself."""
    states: dict[Labels, float] = {}
    for seen in pods:
        for container in seen.state.containers:
            at = (container.state,)
            states[at] = states.get(at, 0) + 1
    running = sum(1 for seen in pods if seen.state.ready_sandbox is not None)
    return (
        _gauge("kubelet_node_name", "The node's name; always 1.", {(node_name,): 1}, ("node",)),
        _gauge("kubelet_running_pods", "Pods with a running sandbox.", {(): running}),
        _gauge("kubelet_desired_pods", "Pods that shall run here.", {(): len(pods)}),
        _gauge("kubelet_running_containers", "Containers by their state.", states,
               ("container_state",)),
    )  # fmt: skip


def _running(sample: Sample) -> Iterator[tuple[Seen, Container, Usage]]:
    for seen in sample.pods:
        for container in seen.state.running:
            usage = sample.usages.get(container.id)
            if usage is not None:
                yield seen, container, usage


def _gauge(
    name: str, help: str, values: Mapping[Labels, float], labels: Sequence[str] = ()
) -> Family:
    return Gauge(name, help, lambda: values, labels)


def _counter(
    name: str, help: str, values: Mapping[Labels, float], labels: Sequence[str] = ()
) -> Family:
    return Gauge(name, help, lambda: values, labels, kind="counter")
