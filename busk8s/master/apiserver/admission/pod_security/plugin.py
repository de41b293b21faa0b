"""PodSecurity: pods are held to what their namespace asks for.

Owns      what is enforced, warned of and noted, for pods, what makes pods, and namespaces.
Leaves    the levels (levels).
Invariant a namespace without the labels costs one look-up.
Source    KEP 2579; Kubernetes documentation, "Pod Security Admission".
"""

from __future__ import annotations

from busk8s import errors
from busk8s.api.object import Json
from busk8s.master.apiserver.admission.plugin import Interest, Lookup, name_of, refuse
from busk8s.master.apiserver.admission.pod_security.facts import containers
from busk8s.master.apiserver.admission.pod_security.levels import (
    LEVELS,
    PREFIX,
    Policy,
    Violation,
    policy_of,
    violations,
    wrong_labels,
)
from busk8s.master.apiserver.attributes import Operation

# Where the template of a pod is, in what makes pods.
TEMPLATES = {
    "podtemplates": ("template",),
    "replicationcontrollers": ("spec", "template"),
    "deployments.apps": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}
NAMESPACES_MAX_PODS = 3_000  # Looked at when a namespace becomes stricter; upstream's number.


class PodSecurity:
    interest = Interest(
        kinds=frozenset({"CREATE", "UPDATE"}),
        resources=frozenset({"pods", "namespaces", *TEMPLATES}),
        subresources=frozenset({"", "ephemeralcontainers"}),
    )

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        attributes = operation.attributes
        assert attributes.resource is not None
        key = attributes.resource.key
        if key == "namespaces":
            self._namespace(operation)
            return
        namespace = self._lookup.get("namespaces", "", attributes.namespace)
        labels = namespace.labels if namespace is not None else {}
        if not any(label.startswith(PREFIX) for label in labels):
            return
        if key == "pods":
            if operation.old is None or _matters(operation.object, operation.old.data):
                self._pod(operation, labels)
        else:
            self._template(operation, labels, TEMPLATES[key])

    def _pod(self, operation: Operation, labels: dict[str, str]) -> None:
        assert operation.object is not None
        policy = policy_of(labels, "enforce")
        operation.annotations[PREFIX + "enforce-policy"] = str(policy)
        found = violations(operation.object, policy)
        _tell(operation, operation.object, labels, enforced=policy if found else None)
        if found:
            why = f'violates PodSecurity "{policy}": {_listed(found)}'
            raise refuse(operation.attributes, why, name=name_of(operation))

    def _template(
        self, operation: Operation, labels: dict[str, str], path: tuple[str, ...]
    ) -> None:
        template = operation.object
        for step in path:
            template = (template or {}).get(step)
        if template and template.get("spec"):
            _tell(operation, template, labels, enforced=None)

    def _namespace(self, operation: Operation) -> None:
        assert operation.object is not None
        labels = operation.object["metadata"].get("labels") or {}
        if wrong := wrong_labels(labels):
            causes = [
                errors.Cause(
                    "FieldValueInvalid",
                    f'Invalid value: "{value}": {why}',
                    f"metadata.labels[{label}]",
                )
                for label, value, why in wrong
            ]
            raise errors.invalid("Namespace", name_of(operation), causes)
        if operation.old is None:
            return
        new, old = policy_of(labels, "enforce"), policy_of(operation.old.labels, "enforce")
        if new != old and LEVELS.index(new.level) >= LEVELS.index(old.level):
            operation.warnings += self._existing(operation.attributes.name, new)

    def _existing(self, namespace: str, policy: Policy) -> list[str]:
        """What the pods that are there would be refused for now."""
        grouped: dict[str, list[str]] = {}
        for pod in self._lookup.list("pods", namespace)[:NAMESPACES_MAX_PODS]:
            found = violations(pod.data, policy)
            if found:
                reasons = ", ".join(each.reason for each in found)
                grouped.setdefault(reasons, []).append(pod.name)
        if not grouped:
            return []
        head = (
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level '
            f'"{policy}"'
        )
        return [head, *(f"{_some(names)}: {why}" for why, names in sorted(grouped.items()))]


def _matters(new: Json | None, old: Json) -> bool:
    """Whether an update changes what runs: an image, or the containers there are. All else that
    an update may change of a pod is no matter of its security."""
    return _run(new or {}) != _run(old)


def _run(pod: Json) -> list[tuple[object, object]]:
    return [(c.get("name"), c.get("image")) for c in containers(pod.get("spec") or {})]


def _some(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other pod{'s' if others > 1 else ''})"


def _tell(
    operation: Operation, pod: Json, labels: dict[str, str], *, enforced: Policy | None
) -> None:
    """Warn, and note for the audit log; what is refused need not be warned of."""
    audited, warned = policy_of(labels, "audit"), policy_of(labels, "warn")
    if found := violations(pod, audited):
        text = f'would violate PodSecurity "{audited}": {_listed(found)}'
        operation.annotations[PREFIX + "audit-violations"] = text
    if warned != enforced and (found := violations(pod, warned)):
        operation.warnings.append(f'would violate PodSecurity "{warned}": {_listed(found)}')


def _listed(found: list[Violation]) -> str:
    return ", ".join(map(str, found))
