"""InterPodAffinity: which pods a pod must, must not, or would like to be near; and they it.

Owns      required terms as a filter, preferred ones as a score, both ways round.
Leaves    what a term covers (rules), counting pods (crowds).
Source    upstream's InterPodAffinity plug-in; KEP-895 for namespace selectors.
"""

from __future__ import annotations

import numpy as np

from busk8s.master.scheduler.crowds import Crowd, count_by_row
from busk8s.master.scheduler.framework import SCORE_MAX, Scores, Verdict
from busk8s.master.scheduler.pod import PodInfo
from busk8s.master.scheduler.rules import PodTerm
from busk8s.master.scheduler.snapshot import Mask, Snapshot

FAR = "node(s) didn't match pod affinity rules"
NEAR = "node(s) didn't match pod anti-affinity rules"
UNWELCOME = "node(s) didn't satisfy existing pods anti-affinity rules"
HARD_WEIGHT = 1  # What a pod that must be near this one counts as a wish of this one.


class InterPodAffinity:
    name = "InterPodAffinity"
    static = False
    wakes_on = frozenset({"node", "pod", "assigned"})
    weight = 2.0

    def filter(self, pod: PodInfo, snapshot: Snapshot) -> Verdict:
        rules = pod.sort.rules
        everywhere = np.ones(len(snapshot.rows), bool)
        if not rules.affinity and not rules.anti_affinity and not snapshot.crowds.guarded:
            return Verdict(everywhere)
        near = _near_all(pod, rules.affinity, snapshot) if rules.affinity else everywhere
        apart = everywhere
        for term in rules.anti_affinity:
            apart = apart & ~_beside(term, snapshot)
        welcome = _welcome(pod, snapshot)
        reasons = {FAR: ~near, NEAR: near & ~apart, UNWELCOME: near & apart & ~welcome}
        return Verdict(near & apart & welcome, reasons)

    def score(self, pod: PodInfo, snapshot: Snapshot, feasible: Mask) -> Scores | None:
        """Weights of the wishes that a node fulfils, from the least to the most of any node."""
        crowds = snapshot.crowds
        wishes = pod.sort.rules.preferred
        if not wishes and not crowds.leaning:
            return None
        total = np.zeros(len(snapshot.rows), np.int64)
        for term in wishes:
            covered = [c for c in crowds.all.values() if c.covered_by(term, snapshot.namespaces)]
            total += _weighed(term, term.weight, covered, snapshot)
        for crowd in crowds.leaning:
            for term in crowd.sort.rules.preferred:
                if _covers(term, pod, snapshot):
                    total += _weighed(term, term.weight, [crowd], snapshot)
            for term in crowd.sort.rules.affinity:
                if _covers(term, pod, snapshot):
                    total += _weighed(term, HARD_WEIGHT, [crowd], snapshot)
        least, most = int(total[feasible].min()), int(total[feasible].max())
        if least == most:
            return None
        scores: Scores = SCORE_MAX * (total - least) / (most - least)
        return scores


def _covers(term: PodTerm, pod: PodInfo, snapshot: Snapshot) -> bool:
    return term.covers(pod.namespace, pod.sort.labels, snapshot.namespaces)


def _weighed(
    term: PodTerm, weight: int, crowds: list[Crowd], snapshot: Snapshot
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """`weight` for each pod of `crowds` in a node's domain."""
    domains = snapshot.domains(term.topology_key)
    sums = domains.sums(count_by_row(crowds, len(snapshot.rows)))
    return weight * domains.spread_out(sums)


def _near_all(pod: PodInfo, terms: tuple[PodTerm, ...], snapshot: Snapshot) -> Mask:
    """Nodes whose domains each hold a pod that all terms cover; the first of a series of pods
    that want to be near each other may go anywhere in a domain."""
    covered = [
        crowd
        for crowd in snapshot.crowds.all.values()
        if all(crowd.covered_by(term, snapshot.namespaces) for term in terms)
    ]
    counts = count_by_row(covered, len(snapshot.rows))
    first = not covered and all(_covers(term, pod, snapshot) for term in terms)
    near: Mask = np.ones(len(snapshot.rows), bool)
    for term in terms:
        domains = snapshot.domains(term.topology_key)
        held = domains.known if first else domains.spread_out(domains.sums(counts)) > 0
        near = near & held
    return near


def _beside(term: PodTerm, snapshot: Snapshot) -> Mask:
    """Nodes in whose domain there is a pod that `term` covers."""
    covered = [
        crowd
        for crowd in snapshot.crowds.all.values()
        if crowd.covered_by(term, snapshot.namespaces)
    ]
    domains = snapshot.domains(term.topology_key)
    mask: Mask = domains.spread_out(domains.sums(count_by_row(covered, len(snapshot.rows)))) > 0
    return mask


def _welcome(pod: PodInfo, snapshot: Snapshot) -> Mask:
    """Nodes in whose domains no pod wants to be apart from this one."""
    welcome: Mask = np.ones(len(snapshot.rows), bool)
    for crowd in snapshot.crowds.guarded:
        for term in crowd.sort.rules.anti_affinity:
            if _covers(term, pod, snapshot):
                domains = snapshot.domains(term.topology_key)
                counts = domains.sums(count_by_row([crowd], len(snapshot.rows)))
                welcome = welcome & (domains.spread_out(counts) == 0)
    return welcome
