"""The default profile: a literal list of plug-ins, and those that entry points add."""

from __future__ import annotations

from importlib.metadata import entry_points

from busk8s.client.interface import Client
from busk8s.master.scheduler.framework import ENTRY_POINTS, Plugin, Profile
from busk8s.master.scheduler.plugins.balanced_allocation import BalancedAllocation
from busk8s.master.scheduler.plugins.default_bind import DefaultBinder
from busk8s.master.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from busk8s.master.scheduler.plugins.node_affinity import NodeAffinity
from busk8s.master.scheduler.plugins.node_ports import NodePorts
from busk8s.master.scheduler.plugins.node_unschedulable import NodeUnschedulable
from busk8s.master.scheduler.plugins.pod_topology_spread import PodTopologySpread
from busk8s.master.scheduler.plugins.priority_sort import PrioritySort
from busk8s.master.scheduler.plugins.resources_fit import NodeResourcesFit
from busk8s.master.scheduler.plugins.taint_toleration import TaintToleration
from busk8s.master.scheduler.plugins.unsupported import Unsupported
from busk8s.master.scheduler.plugins.volume_binding import VolumeBinding
from busk8s.master.scheduler.volumes import VolumeFacts

SCHEDULER_NAME = "default-scheduler"


def default_profile(client: Client, facts: VolumeFacts) -> Profile:
    """In upstream's order of filters: the first that refuses a node gives the reason."""
    taints, affinity = TaintToleration(), NodeAffinity()
    plugins: list[Plugin] = [
        PrioritySort(),
        Unsupported(),
        NodeUnschedulable(),
        taints,
        affinity,
        NodePorts(),
        NodeResourcesFit(),
        VolumeBinding(client, facts),
        PodTopologySpread(affinity, taints),
        InterPodAffinity(),
        BalancedAllocation(),
        *third_party_plugins(),
        DefaultBinder(client),
    ]
    return Profile(plugins, scheduler_name=SCHEDULER_NAME)


def third_party_plugins() -> list[Plugin]:
    """Instances of what other packages publish under the entry point group."""
    return [point.load()() for point in entry_points(group=ENTRY_POINTS)]
