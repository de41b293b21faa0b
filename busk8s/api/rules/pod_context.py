"""What a container's rules need to know of the pod around it.

Leaves    reading it off a spec for one pod (pod), the rules themselves (container and its parts).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from busk8s.api.rules.tolerance import STRICT, Tolerance

Json = dict[str, Any]


@dataclass(slots=True)
class PodContext:
    """
    volumes      by name.
    claims       names of the pod's resource claims.
    restart      the pod's restart policy.
    host_users   false: the pod has a user namespace of its own.
    grace        seconds from the order to stop to the kill.
    system       `spec.os.name`, if it says one.
    windows      some security context is one for Windows; found out on the way.
    whole        a pod, not a template of pods: what is filled in later must be there.
    """

    volumes: dict[str, Json] = field(default_factory=dict)
    claims: frozenset[str] = frozenset()
    restart: str = ""
    host_users: bool = True
    grace: int | None = None
    system: str = ""
    windows: bool = False
    whole: bool = False
    allowed: Tolerance = STRICT


def context_of(spec: Json, *, whole: bool, allowed: Tolerance) -> PodContext:
    """Without the volumes, which the caller has checked."""
    claims = spec.get("resourceClaims")
    return PodContext(
        claims=frozenset(each.get("name") or "" for each in claims) if claims else frozenset(),
        restart=spec.get("restartPolicy") or "",
        host_users=spec.get("hostUsers") is not False,
        grace=spec.get("terminationGracePeriodSeconds"),
        system=(spec.get("os") or {}).get("name") or "",
        whole=whole,
        allowed=allowed,
    )
