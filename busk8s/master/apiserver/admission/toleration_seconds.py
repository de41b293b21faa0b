"""Pods leave a node five minutes after it went silent, unless they say otherwise."""

from __future__ import annotations

from busk8s.api.object import Json
from busk8s.master.apiserver.admission.plugin import Interest
from busk8s.master.apiserver.attributes import Operation

SECONDS = 300
TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds:
    interest = Interest(kinds=frozenset({"CREATE"}), resources=frozenset({"pods"}))

    def admit(self, operation: Operation) -> None:
        assert operation.object is not None
        spec = operation.object.setdefault("spec", {})
        tolerations: list[Json] = spec.get("tolerations") or []
        missing = [key for key in TAINTS if not any(_tolerates(t, key) for t in tolerations)]
        if missing:
            spec["tolerations"] = [*tolerations, *map(_toleration, missing)]


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in (
        "NoExecute",
        "",
    )


def _toleration(key: str) -> Json:
    return {
        "key": key,
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": SECONDS,
    }
