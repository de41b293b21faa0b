"""All nodes as columns, and what is taken on each: what one scheduling decision looks at.

Owns      the columns (numpy), the pods counted on each node, the generation of node facts.
Leaves    who may go where (plugins), reading the API (loop).
Invariant `used` equals the sum over the pods counted on a node; a pod is counted once, whether
          assumed or bound. `generation` rises when anything but `used` changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from busk8s.api.object import Object
from busk8s.api.quantity import millis, value
from busk8s.master.scheduler.crowds import Crowds
from busk8s.master.scheduler.pod import CPU, EPHEMERAL, MEMORY, PODS, HostPort, PodInfo
from busk8s.master.scheduler.rules import Labels

Mask = npt.NDArray[np.bool_]
Amounts = npt.NDArray[np.int64]

_FIRST_CAPACITY = 16


@dataclass(slots=True)
class NodeInfo:
    """What of a Node matters for scheduling, apart from the numbers in the columns."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[tuple[str, str, str], ...]  # key, value, effect
    unschedulable: bool
    allocatable: Mapping[str, int]
    index: int = -1
    pods: dict[str, PodInfo] = field(default_factory=dict)
    host_ports: dict[HostPort, int] = field(default_factory=dict)


def node_info(node: Object) -> NodeInfo:
    data = node.data
    spec = data.get("spec") or {}
    status = data.get("status") or {}
    amounts = status.get("allocatable") or status.get("capacity") or {}
    taints = [(t.get("key", ""), t.get("value", ""), t["effect"]) for t in spec.get("taints") or ()]
    return NodeInfo(
        node.name,
        data["metadata"].get("labels") or {},
        tuple(sorted(taints)),
        bool(spec.get("unschedulable")),
        {name: millis(q) if name == CPU else value(q) for name, q in amounts.items()},
    )


@dataclass(frozen=True, slots=True)
class Domains:
    """The domain of each row, numbered from 0; `count` of them."""

    of: Amounts
    count: int

    @property
    def known(self) -> Mask:
        mask: Mask = self.of >= 0
        return mask

    def sums(self, by_row: Amounts) -> Amounts:
        """`by_row` added up by domain."""
        known = self.known
        sums = np.bincount(self.of[known], weights=by_row[known], minlength=self.count)
        return sums.astype(np.int64)

    def spread_out(self, by_domain: Amounts) -> Amounts:
        """For each row what is said of its domain; 0 where it has none."""
        if not self.count:
            return np.zeros(len(self.of), np.int64)
        found: Amounts = np.where(self.known, by_domain[self.of], 0)
        return found


class Snapshot:
    """Columns are indexed by node; rows of removed nodes are reused and never `valid`."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeInfo] = {}
        self.rows: list[NodeInfo | None] = []
        self.generation = 0
        self.valid: Mask = np.zeros(0, bool)
        self.allocatable: dict[str, Amounts] = {}
        self.used: dict[str, Amounts] = {}
        self.scored_cpu: Amounts = np.zeros(0, np.int64)
        self.scored_memory: Amounts = np.zeros(0, np.int64)
        self.crowds = Crowds()
        self.namespaces: dict[str, Labels] = {}  # The labels of each.
        self._domains: dict[str, Domains] = {}
        self._domains_of = -1
        self._waiting: dict[str, dict[str, PodInfo]] = {}  # Pods of nodes not (yet) known.
        self._free: list[int] = []
        for name in (CPU, MEMORY, EPHEMERAL, PODS):
            self._column(name)

    @property
    def node_count(self) -> int:
        return len(self.nodes)

    def put_node(self, node: NodeInfo) -> bool:
        """Add or replace a node; False when nothing that matters here changed."""
        old = self.nodes.get(node.name)
        if old is None:
            self._add_node(node)
        elif (old.labels, old.taints, old.unschedulable, old.allocatable) == (
            node.labels, node.taints, node.unschedulable, node.allocatable,
        ):  # fmt: skip
            return False
        else:
            old.labels, old.taints = node.labels, node.taints
            old.unschedulable, old.allocatable = node.unschedulable, node.allocatable
            self._write_allocatable(old)
        self.generation += 1
        return True

    def drop_node(self, name: str) -> None:
        """Forget a node; its pods are kept aside in case it comes back before they go."""
        node = self.nodes.pop(name, None)
        if node is None:
            return
        pods = dict(node.pods)
        for pod in pods.values():
            self._uncount(node, pod)
        if pods:
            self._waiting[name] = pods
        self.valid[node.index] = False
        self.rows[node.index] = None
        self._free.append(node.index)
        self.generation += 1

    def add_pod(self, pod: PodInfo) -> None:
        """Count `pod` on `pod.node`. Must not be counted already."""
        node = self.nodes.get(pod.node)
        if node is None:
            self._waiting.setdefault(pod.node, {})[pod.uid] = pod
        else:
            self._count(node, pod)

    def drop_pod(self, pod: PodInfo) -> None:
        """Count `pod` no longer. Harmless when it was not counted."""
        node = self.nodes.get(pod.node)
        if node is not None and pod.uid in node.pods:
            self._uncount(node, node.pods[pod.uid])
        waiting = self._waiting.get(pod.node)
        if waiting is not None:
            waiting.pop(pod.uid, None)
            if not waiting:
                del self._waiting[pod.node]

    def free(self, name: str) -> Amounts:
        """What is left of resource `name`, a node an entry; zeros when no node has it."""
        allocatable = self.allocatable.get(name)
        if allocatable is None:
            return np.zeros(len(self.rows), np.int64)
        return allocatable[: len(self.rows)] - self.used[name][: len(self.rows)]

    def domains(self, topology_key: str) -> Domains:
        """In which domain of `topology_key` each node is; -1 = in none."""
        if self._domains_of != self.generation:
            self._domains.clear()
            self._domains_of = self.generation
        found = self._domains.get(topology_key)
        if found is None:
            found = self._domains[topology_key] = self._divided(topology_key)
        return found

    def _divided(self, topology_key: str) -> Domains:
        numbers: dict[str, int] = {}
        of = np.full(len(self.rows), -1, np.int64)
        for row, node in enumerate(self.rows):
            if node is not None and topology_key in node.labels:
                value_ = node.labels[topology_key]
                of[row] = numbers.setdefault(value_, len(numbers))
        return Domains(of, len(numbers))

    def select(self, wanted: Sequence[bool]) -> Mask:
        return np.fromiter(wanted, bool, len(self.rows))

    def _add_node(self, node: NodeInfo) -> None:
        if self._free:
            node.index = self._free.pop()
            self.rows[node.index] = node
        else:
            node.index = len(self.rows)
            self.rows.append(node)
            if node.index >= len(self.valid):
                self._grow()
        self.nodes[node.name] = node
        self.valid[node.index] = True
        self._write_allocatable(node)
        for pod in self._waiting.pop(node.name, {}).values():
            self._count(node, pod)

    def _grow(self) -> None:
        more = max(_FIRST_CAPACITY, len(self.valid))
        self.valid = np.concatenate([self.valid, np.zeros(more, bool)])
        zeros = np.zeros(more, np.int64)
        for columns in (self.allocatable, self.used):
            for name in columns:
                columns[name] = np.concatenate([columns[name], zeros])
        self.scored_cpu = np.concatenate([self.scored_cpu, zeros])
        self.scored_memory = np.concatenate([self.scored_memory, zeros])

    def _column(self, name: str) -> None:
        self.allocatable[name] = np.zeros(len(self.valid), np.int64)
        self.used[name] = np.zeros(len(self.valid), np.int64)

    def _write_allocatable(self, node: NodeInfo) -> None:
        for name in node.allocatable:
            if name not in self.allocatable:
                self._column(name)
        for name, column in self.allocatable.items():
            column[node.index] = node.allocatable.get(name, 0)

    def _count(self, node: NodeInfo, pod: PodInfo) -> None:
        assert pod.uid not in node.pods, "a pod is counted once"
        node.pods[pod.uid] = pod
        self._tally(node, pod, 1)

    def _uncount(self, node: NodeInfo, pod: PodInfo) -> None:
        del node.pods[pod.uid]
        self._tally(node, pod, -1)

    def _tally(self, node: NodeInfo, pod: PodInfo, sign: int) -> None:
        row, kind = node.index, pod.kind
        for name, amount in kind.requests.items():
            if name not in self.used:
                self._column(name)
            self.used[name][row] += sign * amount
        self.used[PODS][row] += sign
        self.crowds.tally(pod, row, sign)
        self.scored_cpu[row] += sign * kind.scored_cpu_millis
        self.scored_memory[row] += sign * kind.scored_memory_bytes
        for port in kind.host_ports:
            left = node.host_ports.get(port, 0) + sign
            if left:
                node.host_ports[port] = left
            else:
                node.host_ports.pop(port, None)
