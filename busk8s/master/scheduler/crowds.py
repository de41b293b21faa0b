"""Pods that rules about other pods cannot tell apart, counted by node.

Owns      the crowds on all nodes, and which of them have rules of their own.
Leaves    nodes and their topology (snapshot), what rules say (rules).
Invariant a crowd is here as long as it has pods; its counts are above zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from busk8s.master.scheduler.pod import PodInfo, PodSort
from busk8s.master.scheduler.rules import Labels, PodTerm, Spread

Counts = npt.NDArray[np.int64]


class Crowd:
    """Pods of one sort, those that are going apart; `on` counts them by row of the snapshot."""

    __slots__ = ("deleting", "on", "sort")

    def __init__(self, sort: PodSort, deleting: bool) -> None:
        self.sort, self.deleting = sort, deleting
        self.on: dict[int, int] = {}

    def covered_by(self, term: PodTerm, namespaces: Mapping[str, Labels]) -> bool:
        return term.covers(self.sort.namespace, self.sort.labels, namespaces)

    def spread_by(self, spread: Spread, namespace: str) -> bool:
        return (
            not self.deleting
            and self.sort.namespace == namespace
            and spread.selector.matches(self.sort.labels)
        )


class Crowds:
    """`guarded` keep pods away that are not welcome; `leaning` draw or repel by preference."""

    def __init__(self) -> None:
        self.all: dict[tuple[PodSort, bool], Crowd] = {}
        self.guarded: dict[Crowd, None] = {}
        self.leaning: dict[Crowd, None] = {}

    def tally(self, pod: PodInfo, row: int, sign: int) -> None:
        key = pod.sort, pod.deleting
        crowd = self.all.get(key)
        if crowd is None:
            crowd = self.all[key] = self._new(*key)
        left = crowd.on.get(row, 0) + sign
        if left:
            crowd.on[row] = left
            return
        del crowd.on[row]
        if not crowd.on:
            del self.all[key]
            self.guarded.pop(crowd, None)
            self.leaning.pop(crowd, None)

    def _new(self, sort: PodSort, deleting: bool) -> Crowd:
        crowd = Crowd(sort, deleting)
        if sort.rules.anti_affinity:
            self.guarded[crowd] = None
        if sort.rules.preferred or sort.rules.affinity:
            self.leaning[crowd] = None
        return crowd


def count_by_row(crowds: Iterable[Crowd], rows: int) -> Counts:
    counts = np.zeros(rows, np.int64)
    for crowd in crowds:
        for row, count in crowd.on.items():
            counts[row] += count
    return counts
