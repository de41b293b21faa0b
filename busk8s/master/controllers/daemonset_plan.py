"""One step of a DaemonSet: a pod on every node that is to have one, and updates of them. Pure.

Owns      which nodes are eligible, the pod for a node, rolling updates with and without surge,
          the status.
Leaves    binding (the scheduler, which the pod's affinity leaves one node), revisions (history).
Invariant a node gets a pod only when no pod of the set is left there, but for one more while an
          update surges; an update never makes more than `maxUnavailable` nodes wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from busk8s.api.meta import parse_time
from busk8s.api.object import Json, Object
from busk8s.api.placement import NODE_NAME, REQUIRED, accepts, untolerated
from busk8s.api.scheme import PODS
from busk8s.errors import Error
from busk8s.master.controllers.actions import (
    Action,
    Create,
    Delete,
    Emit,
    Plan,
    Told,
    patch_status,
    sooner,
)
from busk8s.master.controllers.children import (
    Claim,
    available_in_s,
    controller_reference,
    is_ready,
    spec_of,
    status_of,
)
from busk8s.master.controllers.deployment_scale import portion
from busk8s.master.controllers.history import HASH_LABEL, Update, forget, update_revision

BURST_MAX = 250  # As Kubernetes: pods made or deleted in one step.
FAILED_WAIT_S = 10.0

_NODE = "node.kubernetes.io"
TOLERATIONS: tuple[tuple[str, str], ...] = (
    (f"{_NODE}/not-ready", "NoExecute"),
    (f"{_NODE}/unreachable", "NoExecute"),
    (f"{_NODE}/disk-pressure", "NoSchedule"),
    (f"{_NODE}/memory-pressure", "NoSchedule"),
    (f"{_NODE}/pid-pressure", "NoSchedule"),
    (f"{_NODE}/unschedulable", "NoSchedule"),
)
HOST_NETWORK_TOLERATION = (f"{_NODE}/network-unavailable", "NoSchedule")


@dataclass(frozen=True)
class Observed:
    """`deleting`: uids of pods on their way out, as watched or because we asked for it."""

    ds: Object
    pods: Claim
    revisions: Claim
    nodes: tuple[Object, ...]
    bearer: Object | None = None  # What has the name that a new revision would get.
    deleting: frozenset[str] = frozenset()
    failure: Error | None = None


@dataclass
class _Step:
    create: list[str] = field(default_factory=list)  # nodes
    delete: list[Object] = field(default_factory=list)
    emits: list[Emit] = field(default_factory=list)
    again_s: float | None = None


@dataclass(frozen=True)
class _View:
    """What is asked again and again in one step."""

    observed: Observed
    by_node: Mapping[str, list[Object]]
    eligible: Mapping[str, bool]  # node -> a pod is to be there
    hash: str
    now: float

    def going(self, pod: Object) -> bool:
        return pod.uid in self.observed.deleting

    def staying(self, node: str) -> list[Object]:
        return [pod for pod in self.by_node.get(node, ()) if not self.going(pod)]

    def wait_s(self, pod: Object) -> float | None:
        min_ready_s = spec_of(self.observed.ds).get("minReadySeconds") or 0
        return available_in_s(pod, min_ready_s, self.now)

    def available(self, pod: Object) -> bool:
        return self.wait_s(pod) == 0.0 and not self.going(pod)

    def updated(self, pod: Object) -> bool:
        return pod.labels.get(HASH_LABEL) == self.hash


def plan(observed: Observed, now: float) -> Plan:
    """What to do next so that every eligible node has its pod, of the newest template."""
    ds = observed.ds
    if patches := (*observed.pods.patches, *observed.revisions.patches):
        return Plan(patches)
    revision = update_revision(ds, observed.revisions.mine, observed.bearer, HASH_LABEL)
    if revision.actions and not ds.deleting:
        return Plan(revision.actions)
    view = _view(observed, revision, now)
    status, status_again_s = new_status(view)
    said = patch_status(ds, status)
    if ds.deleting:
        return Plan(tuple(said))
    step = _manage(view)
    if not step.create and not step.delete and _strategy(ds).get("type") != "OnDelete":
        again_s = step.again_s
        step = _surging(view) if _surge(view) else _rolling(view)
        step.again_s = again_s
    actions = [*said, *step.emits, *_performed(ds, revision, step)]
    if not step.create and not step.delete:
        actions += forget(ds, observed.revisions.mine, _live(observed, revision))
    return Plan(tuple(actions), sooner(step.again_s, status_again_s))


def should_run(ds: Object, node: Object) -> tuple[bool, bool]:
    """Whether `node` is to get a pod, and whether it may keep one."""
    template = (spec_of(ds).get("template") or {}).get("spec") or {}
    if not accepts(template, node.labels, node.name):
        return False, False
    taints = spec_of(node).get("taints") or ()
    repelling = untolerated(taints, tolerations(template))
    keep = not any(taint["effect"] == "NoExecute" for taint in repelling)
    run = not any(taint["effect"] in ("NoExecute", "NoSchedule") for taint in repelling)
    return run, keep


def tolerations(template: Json) -> list[Json]:
    """The template's, and those that let a daemon stay where other pods may not."""
    added = [*TOLERATIONS]
    if template.get("hostNetwork"):
        added.append(HOST_NETWORK_TOLERATION)
    found = list(template.get("tolerations") or ())
    for key, effect in added:
        toleration = {"key": key, "operator": "Exists", "effect": effect}
        if toleration not in found:
            found.append(toleration)
    return found


def node_of(pod: Object) -> str:
    """The node a pod is on, or the one it is meant for."""
    spec = spec_of(pod)
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    for term in (affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or ():
        for wanted in term.get("matchFields") or ():
            if wanted.get("key") == NODE_NAME and wanted.get("values"):
                return str(wanted["values"][0])
    return ""


def pod_for(ds: Object, node: str, hash_: str) -> Json:
    template = spec_of(ds).get("template") or {}
    given, spec = template.get("metadata") or {}, dict(template.get("spec") or {})
    metadata: Json = {
        "generateName": f"{ds.name}-",
        "namespace": ds.namespace,
        "labels": {**(given.get("labels") or {}), HASH_LABEL: hash_},
        "ownerReferences": [controller_reference(ds)],
    }
    for name in ("annotations", "finalizers"):
        if given.get(name):
            metadata[name] = given[name]
    spec["tolerations"] = tolerations(spec)
    term = {"matchFields": [{"key": NODE_NAME, "operator": "In", "values": [node]}]}
    affinity = dict(spec.get("affinity") or {})
    affinity["nodeAffinity"] = {
        **(affinity.get("nodeAffinity") or {}),
        REQUIRED: {"nodeSelectorTerms": [term]},
    }
    spec["affinity"] = affinity
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def new_status(view: _View) -> tuple[Json, float | None]:
    """The status that fits what is observed, and when time alone will change it."""
    desired = current = wrong = ready = updated = available = 0
    again_s: float | None = None
    for node, run in view.eligible.items():
        pods = view.by_node.get(node, [])
        if not run:
            wrong += bool(pods)
            continue
        desired += 1
        if not pods:
            continue
        current += 1
        pod = pods[0]
        ready += is_ready(pod)
        available += is_ready(pod) and view.wait_s(pod) == 0.0
        updated += view.updated(pod)
        again_s = sooner(again_s, view.wait_s(pod) or None)
    ds = view.observed.ds
    status: Json = {
        "currentNumberScheduled": current,
        "numberMisscheduled": wrong,
        "desiredNumberScheduled": desired,
        "numberReady": ready,
        "observedGeneration": ds.metadata.get("generation", 0),
    }
    some = {
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": desired - available,
        "collisionCount": status_of(ds).get("collisionCount") or 0,
    }
    status |= {name: value for name, value in some.items() if value}
    if conditions := status_of(ds).get("conditions"):
        status["conditions"] = conditions
    return status, again_s


def _view(observed: Observed, revision: Update, now: float) -> _View:
    by_node: dict[str, list[Object]] = {}
    for pod in sorted(observed.pods.mine, key=_oldest_first):
        by_node.setdefault(node_of(pod), []).append(pod)
    eligible = {node.name: should_run(observed.ds, node)[0] for node in observed.nodes}
    return _View(observed, by_node, eligible, revision.hash, now)


def _oldest_first(pod: Object) -> tuple[bool, str, str]:
    bound = bool(spec_of(pod).get("nodeName"))
    return (not bound, pod.metadata.get("creationTimestamp") or "", pod.name)


def _manage(view: _View) -> _Step:
    """Pods that are missing, superfluous, or over."""
    step = _Step()
    for node in view.observed.nodes:
        run, keep = should_run(view.observed.ds, node)
        there = view.by_node.get(node.name)
        if not there:
            if run:
                step.create.append(node.name)
        elif not keep:
            step.delete += view.staying(node.name)
        else:
            _tidy(view, node.name, step)
    return step


def _tidy(view: _View, node: str, step: _Step) -> None:
    """One pod stays, and one of each template while an update surges."""
    running: list[Object] = []
    for pod in view.staying(node):
        phase = status_of(pod).get("phase")
        if phase not in ("Succeeded", "Failed"):
            running.append(pod)
            continue
        # Differs from Kubernetes: a fixed wait since its creation, not a back-off for each node.
        born = pod.metadata.get("creationTimestamp")
        wait_s = parse_time(born) + FAILED_WAIT_S - view.now if born and phase == "Failed" else 0.0
        if wait_s > 0:
            step.again_s = sooner(step.again_s, wait_s)
            continue
        step.delete.append(pod)
        text = f"Found {phase.lower()} daemon pod {pod.key} on node {node}, will try to delete it"
        step.emits.append(Emit(view.observed.ds, "Warning", f"{phase}DaemonPod", text))
    if len(running) < 2:
        return
    if not _surge(view):
        step.delete += running[1:]
        return
    new = [pod for pod in running if view.updated(pod)]
    old = [pod for pod in running if not view.updated(pod)]
    step.delete += [*new[1:], *old[1:]]
    if new and old and view.available(new[0]):
        step.delete.append(old[0])


def _rolling(view: _View) -> _Step:
    """Old pods that may go: those that serve nobody, and as many others as may be missed."""
    step = _Step()
    unavailable = 0
    candidates: list[Object] = []
    for node, run in view.eligible.items():
        pods = view.by_node.get(node)
        if not pods:
            unavailable += run
            continue
        staying = view.staying(node)
        new = next((pod for pod in staying if view.updated(pod)), None)
        old = next((pod for pod in staying if not view.updated(pod)), None)
        if new is not None:
            unavailable += not view.available(new)
        elif old is None:
            unavailable += 1
        elif not view.available(old):
            unavailable += 1
            step.delete.append(old)
        else:
            candidates.append(old)
    allowed = max(0, _unavailable_max(view) - unavailable)
    step.delete += candidates[:allowed]
    return step


def _surging(view: _View) -> _Step:
    """Nodes that get a new pod beside the old one; the old one goes when the new one serves."""
    step = _Step()
    surging = 0
    candidates: list[str] = []
    for node, run in view.eligible.items():
        staying = view.staying(node)
        old = next((pod for pod in staying if not view.updated(pod)), None)
        new = next((pod for pod in staying if view.updated(pod)), None)
        if old is None or not run:
            continue
        if new is not None:
            surging += 1
        elif not view.available(old):
            step.create.append(node)
            surging += 1
        else:
            candidates.append(node)
    step.create += candidates[: max(0, _surge(view) - surging)]
    return step


def _performed(ds: Object, revision: Update, step: _Step) -> list[Action]:
    created = Told(
        ds,
        success=("SuccessfulCreate", "Created pod: {name}"),
        failure=("FailedCreate", "Error creating: {error}"),
    )
    deleted = Told(
        ds,
        success=("SuccessfulDelete", "Deleted pod: {name}"),
        failure=("FailedDelete", "Error deleting: {error}"),
    )
    return [
        *(Delete(pod, told=deleted) for pod in step.delete[:BURST_MAX]),
        *(Create(PODS, pod_for(ds, n, revision.hash), created) for n in step.create[:BURST_MAX]),
    ]


def _live(observed: Observed, revision: Update) -> set[str]:
    hashes = {pod.labels.get(HASH_LABEL, "") for pod in observed.pods.mine}
    used = {r.name for r in observed.revisions.mine if r.labels.get(HASH_LABEL) in hashes}
    return used | {revision.name}


def _strategy(ds: Object) -> Json:
    return spec_of(ds).get("updateStrategy") or {}


def _surge(view: _View) -> int:
    rolling = _strategy(view.observed.ds).get("rollingUpdate") or {}
    if _strategy(view.observed.ds).get("type") == "OnDelete":
        return 0
    return portion(rolling.get("maxSurge") or 0, sum(view.eligible.values()), round_up=True)


def _unavailable_max(view: _View) -> int:
    rolling = _strategy(view.observed.ds).get("rollingUpdate") or {}
    value = rolling.get("maxUnavailable")
    wanted = sum(view.eligible.values())
    return max(1, portion(1 if value is None else value, wanted, round_up=True))
