"""PodTopologySpread: pods of a kind spread evenly over zones, hosts or other domains.

Owns      constraints that must hold as a filter, the others as a score.
Leaves    what a constraint selects (rules), counting pods (crowds), which nodes a pod's own
          node affinity and tolerations allow (their plug-ins).
Source    KEP-895, KEP-3022 (minDomains), KEP-3094 (node policies); upstream's PodTopologySpread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from busk8s.master.scheduler.crowds import count_by_row
from busk8s.master.scheduler.framework import SCORE_MAX, Filter, Scores, Verdict
from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.rules import Spread
from busk8s.master.scheduler.snapshot import Amounts, Mask, Snapshot

UNEVEN = "node(s) didn't match pod topology spread constraints"
NOWHERE = "node(s) didn't match pod topology spread constraints (missing required label)"


class PodTopologySpread:
    """`affinity` and `taints` say which nodes count, by the policies of a constraint."""

    name = "PodTopologySpread"
    static = False
    wakes_on = frozenset({"node", "pod", "assigned"})
    weight = 2.0

    def __init__(self, affinity: Filter, taints: Filter) -> None:
        self._affinity, self._taints = affinity, taints

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict:
        rows = len(snapshot.rows)
        wanted = [each for each in pod.sort.rules.spread if each.must]
        if not wanted:
            return Verdict(np.ones(rows, bool))
        labelled = _labelled(wanted, snapshot)
        even: Mask = np.ones(rows, bool)
        for spread in wanted:
            counting = labelled & self._counting(spread, pod, snapshot)
            even = even & _within_skew(spread, pod, snapshot, counting)
        nowhere = ~labelled
        return Verdict(labelled & even, {NOWHERE: nowhere, UNEVEN: labelled & ~even})

    def score(self, pod: PodInfo, snapshot: Snapshot, feasible: Mask) -> Scores | None:
        """The fewer pods a node's domains hold, the better; domains of few weigh more."""
        wishes = [each for each in pod.sort.rules.spread if not each.must]
        if not wishes:
            return None
        rows = len(snapshot.rows)
        scored = feasible & _labelled(wishes, snapshot)
        if not scored.any():
            return None
        total = np.zeros(rows)
        for spread in wishes:
            domains = snapshot.domains(spread.topology_key)
            counting = domains.known & self._counting(spread, pod, snapshot)
            counts = domains.spread_out(domains.sums(_matching(spread, pod, snapshot, counting)))
            size = len(np.unique(domains.of[scored]))
            total += counts * math.log(size + 2) + (spread.max_skew - 1)
        most, least = float(total[scored].max()), float(total[scored].min())
        if most == 0:
            return np.where(scored, SCORE_MAX, 0.0)
        return np.where(scored, SCORE_MAX * (most + least - total) / most, 0.0)

    def _counting(self, spread: Spread, pod: PodInfo, snapshot: Snapshot) -> Mask:
        """Nodes whose pods count, and whose domains are domains."""
        counting = snapshot.valid[: len(snapshot.rows)]
        if spread.honors_affinity:
            counting = counting & self._affinity.filter(pod, snapshot).passes
        if spread.honors_taints:
            counting = counting & self._taints.filter(pod, snapshot).passes
        return counting


def _labelled(spreads: Sequence[Spread], snapshot: Snapshot) -> Mask:
    """Nodes that are in a domain of every constraint."""
    labelled: Mask = np.ones(len(snapshot.rows), bool)
    for spread in spreads:
        labelled = labelled & snapshot.domains(spread.topology_key).known
    return labelled


def _matching(spread: Spread, pod: PodInfo, snapshot: Snapshot, counting: Mask) -> Amounts:
    """Pods that the constraint selects, by row."""
    crowds = [c for c in snapshot.crowds.all.values() if c.spread_by(spread, pod.namespace)]
    counts: Amounts = np.where(counting, count_by_row(crowds, len(snapshot.rows)), 0)
    return counts


def _within_skew(spread: Spread, pod: PodInfo, snapshot: Snapshot, counting: Mask) -> Mask:
    domains = snapshot.domains(spread.topology_key)
    sums = domains.sums(_matching(spread, pod, snapshot, counting))
    eligible = np.unique(domains.of[counting])
    fewest = int(sums[eligible].min()) if len(eligible) >= max(spread.min_domains, 1) else 0
    itself = int(spread.selector.matches(pod.sort.labels))
    within: Mask = domains.spread_out(sums) + itself - fewest <= spread.max_skew
    return within
