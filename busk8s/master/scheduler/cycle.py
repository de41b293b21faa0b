"""One scheduling decision: filter, score, choose. Pure.

Owns      the order of the extension points within a cycle, and the words when no node fits.
Leaves    taking the decision in (snapshot.add_pod) and telling the API (loop).
Invariant the decision is a function of (snapshot, pod, random source).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from busk8s.master.scheduler.framework import Filter, Profile, Score, Scores, Verdict
from busk8s.master.scheduler.pod import PodClass, PodInfo
from busk8s.master.scheduler.snapshot import Mask, Snapshot


@dataclass(frozen=True, slots=True)
class Chosen:
    node: str


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """`reasons` counts nodes by reason; `plugins` are those that refused any node."""

    message: str
    reasons: Mapping[str, int]
    plugins: frozenset[str]


Decision = Chosen | Unschedulable


@dataclass(frozen=True, slots=True)
class _Static:
    """What holds for every pod of a class as long as nodes stay the same."""

    feasible: Mask
    failures: Mapping[str, Counter[str]]
    scores: Scores


class Cycle:
    """Remembers what static plug-ins said of each PodClass, as long as nodes stay the same."""

    CLASSES_MAX = 4_096

    def __init__(self, profile: Profile, rng: random.Random) -> None:
        self._profile = profile
        self._rng = rng
        self._generation = -1
        self._static: dict[PodClass, _Static] = {}

    def decide(self, pod: PodInfo, snapshot: Snapshot) -> Decision:
        if not snapshot.node_count:
            return Unschedulable("no nodes available to schedule pods", {}, frozenset())
        for plugin in self._profile.pre_filters:
            why = plugin.pre_filter(pod, snapshot)
            if why is not None:
                said = f"0/{snapshot.node_count} nodes are available: {why}."
                return Unschedulable(said, {why: snapshot.node_count}, frozenset({plugin.name}))
        static = self._static_facts(pod, snapshot)
        feasible, failures = static.feasible, dict(static.failures)
        for plugin_ in self._profile.filters:
            if not feasible.any():
                break
            feasible = _filter(plugin_, pod, snapshot, feasible, failures)
        if not feasible.any():
            return _unschedulable(failures, snapshot.node_count)
        return Chosen(self._best(pod, snapshot, feasible, static.scores))

    def _static_facts(self, pod: PodInfo, snapshot: Snapshot) -> _Static:
        if self._generation != snapshot.generation or len(self._static) >= self.CLASSES_MAX:
            self._static.clear()
            self._generation = snapshot.generation
        known = self._static.get(pod.kind)
        if known is None:
            feasible = snapshot.valid[: len(snapshot.rows)].copy()
            failures: dict[str, Counter[str]] = {}
            for plugin in self._profile.static_filters:
                feasible = _filter(plugin, pod, snapshot, feasible, failures)
            scores = np.zeros(len(snapshot.rows))
            _add_scores(scores, self._profile.static_scores, pod, snapshot, feasible)
            known = self._static[pod.kind] = _Static(feasible, failures, scores)
        return known

    def _best(self, pod: PodInfo, snapshot: Snapshot, feasible: Mask, static: Scores) -> str:
        total = static.copy()
        _add_scores(total, self._profile.scores, pod, snapshot, feasible)
        total[~feasible] = -1.0
        best = np.flatnonzero(total == total.max())
        node = snapshot.rows[int(best[self._rng.randrange(len(best))])]
        assert node is not None
        return node.name


def _add_scores(
    total: Scores, plugins: Sequence[Score], pod: PodInfo, snapshot: Snapshot, feasible: Mask
) -> None:
    for plugin in plugins:
        scores = plugin.score(pod, snapshot, feasible)
        if scores is not None:
            total += plugin.weight * scores


def _filter(
    plugin: Filter,
    pod: PodInfo,
    snapshot: Snapshot,
    feasible: Mask,
    failures: dict[str, Counter[str]],
) -> Mask:
    """Narrow `feasible`; a node counts for the reasons of the first plug-in that refused it."""
    verdict: Verdict = plugin.filter(pod, snapshot)
    if verdict.passes.all():
        return feasible
    counts: Counter[str] = Counter()
    for reason, mask in verdict.reasons.items():
        refused = int(np.count_nonzero(mask & feasible))
        if refused:
            counts[reason] += refused
    if counts:
        failures[plugin.name] = counts
    narrowed: Mask = feasible & verdict.passes
    return narrowed


def _unschedulable(failures: Mapping[str, Counter[str]], nodes: int) -> Unschedulable:
    """Upstream's sentence: how many nodes failed, per reason, reasons in order of their text."""
    reasons: Counter[str] = Counter()
    for counts in failures.values():
        reasons.update(counts)
    said = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    message = f"0/{nodes} nodes are available: {said}."
    return Unschedulable(message, dict(reasons), frozenset(failures))
