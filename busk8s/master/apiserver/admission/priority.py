"""A pod's priority is the number its PriorityClass has now; nobody writes the number himself."""

from __future__ import annotations

from busk8s.api.object import Json, Object
from busk8s.master.apiserver.admission.plugin import Interest, Lookup, name_of, refuse
from busk8s.master.apiserver.attributes import Operation

CLASSES = "priorityclasses.scheduling.k8s.io"
PREEMPT = "PreemptLowerPriority"


class Priority:
    interest = Interest(
        kinds=frozenset({"CREATE", "UPDATE"}), resources=frozenset({"pods", CLASSES})
    )

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        assert operation.attributes.resource is not None
        if operation.attributes.resource.key == CLASSES:
            self._one_default(operation)
        elif operation.kind == "CREATE":
            self._compute(operation)

    def _compute(self, operation: Operation) -> None:
        assert operation.object is not None
        spec = operation.object.setdefault("spec", {})
        name = spec.get("priorityClassName") or ""
        chosen = self._lookup.get(CLASSES, "", name) if name else self._default()
        if name and chosen is None:
            why = f"no PriorityClass with name {name} was found"
            raise refuse(operation.attributes, why, name=name_of(operation))
        if chosen is not None:
            spec["priorityClassName"] = chosen.name
        value, policy = _effect(chosen.data if chosen else {})
        self._agree(operation, spec, "priority", value, "integer value of priority")
        self._agree(operation, spec, "preemptionPolicy", policy, "string value of PreemptionPolicy")

    @staticmethod
    def _agree(operation: Operation, spec: Json, field: str, computed: object, what: str) -> None:
        given = spec.get(field)
        if given is not None and given != computed:
            why = (
                f"the {what} ({given}) must not be provided in pod spec; priority admission "
                f"controller computed {computed} from the given PriorityClass name"
            )
            raise refuse(operation.attributes, why, name=name_of(operation))
        spec[field] = computed

    def _default(self) -> Object | None:
        """The lowest of the global defaults, should there be several after a race."""
        defaults = [c for c in self._lookup.list(CLASSES) if c.data.get("globalDefault")]
        return min(defaults, key=lambda c: int(c.data.get("value", 0)), default=None)

    def _one_default(self, operation: Operation) -> None:
        assert operation.object is not None
        if not operation.object.get("globalDefault"):
            return
        found, name = self._default(), name_of(operation)
        if found is not None and found.name != name:
            why = (
                f"PriorityClass {found.name} is already marked as default. "
                "Only one default can exist"
            )
            raise refuse(operation.attributes, why, name=name)


def _effect(chosen: Json) -> tuple[int, str]:
    return int(chosen.get("value") or 0), str(chosen.get("preemptionPolicy") or PREEMPT)
