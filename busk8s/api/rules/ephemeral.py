"""Ephemeral containers: what one may be, and that those which are there stay as they are.

Owns      spec.ephemeralContainers, and updates through the subresource of that name.
Leaves    what all containers have in common (container), the pod around them (pod).
Source    Kubernetes API reference, EphemeralContainer; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.rules.cause import duplicate, forbidden, not_found
from busk8s.api.rules.container import validate_container
from busk8s.api.rules.pod_context import PodContext, context_of
from busk8s.api.rules.tolerance import STRICT
from busk8s.errors import Cause

Json = dict[str, Any]

MIRROR = "kubernetes.io/config.mirror"
# A list of what may be set, so that new fields of containers are refused until thought about.
_ALLOWED = frozenset((
    "args", "command", "env", "envFrom", "image", "imagePullPolicy", "name", "securityContext",
    "stdin", "stdinOnce", "targetContainerName", "terminationMessagePath",
    "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts", "workingDir",
))  # fmt: skip
_REFUSED = "cannot be set for an Ephemeral Container"


def validate_ephemeral(
    containers: list[Json],
    others: set[str],
    path: str,
    pod: PodContext,
    causes: list[Cause],
) -> None:
    """`others`: the names of the pod's containers of other kinds."""
    taken = set(others)
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        validate_container(container, here, pod, causes)
        name = container.get("name")
        if name in taken:
            causes.append(duplicate(f"{here}.name", name))
        taken.add(name or "")
        target = container.get("targetContainerName")
        if target and target not in others:
            causes.append(not_found(f"{here}.targetContainerName", target))
        for field in sorted(container.keys() - _ALLOWED):
            if container[field]:
                causes.append(forbidden(f"{here}.{field}", _REFUSED))
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    causes.append(forbidden(f"{here}.volumeMounts[{number}].{field}", _REFUSED))


def validate_ephemeral_update(new: Json, old: Json, causes: list[Cause]) -> None:
    """The pods differ in their ephemeral containers alone."""
    if MIRROR in (old["metadata"].get("annotations") or {}):
        causes[:] = [forbidden("", "static pods do not support ephemeral containers")]
        return
    spec = new.get("spec") or {}
    containers = spec.get("ephemeralContainers") or []
    others = {c["name"] for key in ("containers", "initContainers") for c in spec.get(key) or ()}
    pod = context_of(spec, whole=True, allowed=STRICT)
    pod.volumes = {volume["name"]: volume for volume in spec.get("volumes") or ()}
    path = "spec.ephemeralContainers"
    validate_ephemeral(containers, others, path, pod, causes)
    by_name = {container.get("name"): container for container in containers}
    for was in (old.get("spec") or {}).get("ephemeralContainers") or ():
        now, name = by_name.get(was["name"]), was["name"]
        if now is None:
            causes.append(
                forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n')
            )
        elif now != was:
            fields = sorted(f for f in now.keys() | was.keys() if now.get(f) != was.get(f))
            changed = "\n".join(f"{f}: {was.get(f)!r} -> {now.get(f)!r}" for f in fields)
            detail = f'existing ephemeral containers "{name}" may not be changed\n{changed}'
            causes.append(forbidden(path, detail))
