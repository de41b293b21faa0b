"""The checks that level restricted has beyond, or in place of, those of baseline.

Source    Kubernetes documentation, "Pod Security Standards", Restricted.
"""

from __future__ import annotations

from busk8s.master.apiserver.admission.pod_security.baseline import Detail, added
from busk8s.master.apiserver.admission.pod_security.facts import (
    Json,
    containers,
    inside,
    many,
    names,
    quoted,
)

VOLUMES = frozenset((
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
    "projected", "secret",
))  # fmt: skip
PROFILES = ("RuntimeDefault", "Localhost")
_OS_FROM = 25  # From this minor version on pods of Windows are spared what Windows has not.


def _is_windows(pod: Json, minor: int) -> bool:
    return minor >= _OS_FROM and (pod["spec"].get("os") or {}).get("name") == "windows"


def escalation(pod: Json, minor: int) -> Detail:
    if _is_windows(pod, minor):
        return None
    bad = [c for c in containers(pod["spec"]) if inside(c, "allowPrivilegeEscalation") is not False]
    if not bad:
        return None
    said = many("container", names(bad))
    return f"{said} must set securityContext.allowPrivilegeEscalation=false"


def capabilities(pod: Json, minor: int) -> Detail:
    if _is_windows(pod, minor):
        return None
    keeping = [
        c for c in containers(pod["spec"]) if "ALL" not in (inside(c, "capabilities", "drop") or ())
    ]
    found = []
    if keeping:
        said = many("container", names(keeping))
        found.append(f'{said} must set securityContext.capabilities.drop=["ALL"]')
    if more := added(pod, frozenset({"NET_BIND_SERVICE"})):
        found.append(more)
    return "; ".join(found) or None


def volumes(pod: Json, minor: int) -> Detail:
    bad: list[Json] = []
    kinds: list[str] = []
    for volume in pod["spec"].get("volumes") or ():
        wrong = [key for key in volume if key != "name" and key not in VOLUMES]
        if wrong:
            bad.append(volume)
            kinds += wrong
    if not bad:
        return None
    verb = "use" if len(bad) > 1 else "uses"
    word = "types" if len(set(kinds)) > 1 else "type"
    return f"{many('volume', names(bad))} {verb} restricted volume {word} {quoted(sorted(kinds))}"


def non_root(pod: Json, minor: int) -> Detail:
    spec = pod["spec"]
    if minor >= 35 and spec.get("hostUsers") is False:
        return None
    of_pod = inside(spec, "runAsNonRoot")
    wrong = [c for c in containers(spec) if inside(c, "runAsNonRoot") is False]
    unset = [c for c in containers(spec) if inside(c, "runAsNonRoot") is None]
    bad = []
    if of_pod is False:
        bad.append("pod")
    if wrong:
        bad.append(many("container", names(wrong)))
    if bad:
        return f"{' and '.join(bad)} must not set securityContext.runAsNonRoot=false"
    if of_pod or not unset:
        return None
    said = many("container", names(unset))
    return f"pod or {said} must set securityContext.runAsNonRoot=true"


def run_as_user(pod: Json, minor: int) -> Detail:
    spec, bad = pod["spec"], []
    if minor >= 35 and spec.get("hostUsers") is False:
        return None
    if inside(spec, "runAsUser") == 0:
        bad.append("pod")
    wrong = [c for c in containers(spec) if inside(c, "runAsUser") == 0]
    if wrong:
        bad.append(many("container", names(wrong)))
    return f"{' and '.join(bad)} must not set runAsUser=0" if bad else None


def seccomp(pod: Json, minor: int) -> Detail:
    if _is_windows(pod, minor):
        return None
    spec, bad = pod["spec"], []
    setting = "securityContext.seccompProfile.type"
    of_pod = inside(spec, "seccompProfile", "type")
    if of_pod is not None and of_pod not in PROFILES:
        bad.append("pod")
    kinds = {id(c): inside(c, "seccompProfile", "type") for c in containers(spec)}
    wrong = [c for c in containers(spec) if kinds[id(c)] not in (None, *PROFILES)]
    unset = [c for c in containers(spec) if kinds[id(c)] is None]
    if wrong:
        bad.append(many("container", names(wrong)))
    if bad:
        given = [of_pod] if bad[0] == "pod" else []
        said = quoted([*given, *(str(kinds[id(c)]) for c in wrong)])
        return f"{' and '.join(bad)} must not set {setting} to {said}"
    if of_pod is not None or not unset:
        return None
    said = many("container", names(unset))
    return f'pod or {said} must set {setting} to "RuntimeDefault" or "Localhost"'
