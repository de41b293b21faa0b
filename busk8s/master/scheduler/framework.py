"""The extension points of the Kubernetes scheduling framework, over columns of nodes.

Owns      what a plug-in may implement, and what a profile (a list of plug-ins) is.
Leaves    the decision itself (cycle), the plug-ins.
Source    KEP-624 Scheduling Framework. Filters and scores see all nodes at once: a mask or a
          vector with one entry a node, not one call a node.

A third party's plug-in is a class with a `name` and any of these methods, published under the
entry point group `busk8s.scheduler.plugins`; see `docs/architecture.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.snapshot import Mask, Snapshot

ENTRY_POINTS = "busk8s.scheduler.plugins"
SCORE_MAX = 100.0

Scores = npt.NDArray[np.float64]


class NotYet(Exception):
    """The pod is to be tried again, a little later: no failure, and no news to anybody."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which nodes pass; for those that do not, masks by the reason that the user reads."""

    passes: Mask
    reasons: Mapping[str, Mask] = field(default_factory=dict)


@runtime_checkable
class QueueSort(Protocol):
    name: str

    def sort_key(self, pod: PodInfo) -> tuple[float, ...]:
        """Pods with the least key are scheduled first."""
        ...


@runtime_checkable
class PreFilter(Protocol):
    name: str

    def pre_filter(self, pod: PodInfo, snapshot: Snapshot) -> str | None:
        """None = go on; otherwise why no node at all can take `pod`."""
        ...


@runtime_checkable
class Filter(Protocol):
    """`static` filters look at facts of nodes only, never at what is used: they run once for
    each PodClass and generation of the snapshot. `wakes_on` names the changes that can make a
    node pass that did not: "node" (added or changed), "pod" (gone, or finished), "assigned" (a pod
    has got a node), "volume" (a claim, a volume or a storage class)."""

    name: str
    static: bool
    wakes_on: frozenset[str]

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict: ...


@runtime_checkable
class Score(Protocol):
    """`static` as for Filter: such a score is taken once for each PodClass."""

    name: str
    static: bool
    weight: float

    def score(self, pod: PodInfo, snapshot: Snapshot, feasible: Mask) -> Scores | None:
        """0..SCORE_MAX a node (only those in `feasible` count); None = has no opinion."""
        ...


@runtime_checkable
class Reserve(Protocol):
    name: str

    def reserve(self, pod: PodInfo, node: str) -> None: ...

    def unreserve(self, pod: PodInfo, node: str) -> None:
        """The binding failed; must be harmless when `reserve` never ran."""
        ...


@runtime_checkable
class Bind(Protocol):
    name: str

    async def bind(self, pod: PodInfo, node: str) -> None:
        """Make the assignment known. Raises errors.Error; NotYet when something else must come
        first, which was asked for."""
        ...


Plugin = QueueSort | PreFilter | Filter | Score | Reserve | Bind


class Profile:
    """The plug-ins of one scheduler, sorted by extension point, in the order given."""

    def __init__(self, plugins: Sequence[Plugin], *, scheduler_name: str) -> None:
        self.scheduler_name = scheduler_name
        self.queue_sort = next(p for p in plugins if isinstance(p, QueueSort))
        self.pre_filters = [p for p in plugins if isinstance(p, PreFilter)]
        self.static_filters = [p for p in plugins if isinstance(p, Filter) and p.static]
        self.filters = [p for p in plugins if isinstance(p, Filter) and not p.static]
        self.static_scores = [p for p in plugins if isinstance(p, Score) and p.static]
        self.scores = [p for p in plugins if isinstance(p, Score) and not p.static]
        self.reserves = [p for p in plugins if isinstance(p, Reserve)]
        self.binds = [p for p in plugins if isinstance(p, Bind)]
        self._wakes_on: dict[str, frozenset[str]] = {
            p.name: p.wakes_on for p in plugins if hasattr(p, "wakes_on")
        }

    def may_help(self, failed: frozenset[str], change: str) -> bool:
        """Whether `change` can make schedulable a pod that the plug-ins `failed` refused."""
        every = frozenset({change})
        return not failed or any(change in self._wakes_on.get(name, every) for name in failed)
