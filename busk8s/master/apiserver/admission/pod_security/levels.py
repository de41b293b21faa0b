"""Levels, their versions, and what a pod breaks of one.

Owns      which checks a level has, from which version on; labels and their values.
Leaves    each check (baseline, restricted), what is done about it (plugin).
Invariant pure; a later version never has fewer checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from busk8s.api.discovery import KUBERNETES_VERSION
from busk8s.master.apiserver.admission.pod_security import baseline, restricted
from busk8s.master.apiserver.admission.pod_security.facts import Json

PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
MODES = ("enforce", "audit", "warn")
LATEST = int(KUBERNETES_VERSION.split(".")[1])
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]{0,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Check:
    reason: str
    find: Callable[[Json, int], str | None]
    since: int = 0  # The minor version that has it first.


@dataclass(frozen=True, slots=True)
class Policy:
    """`restricted:latest`, `baseline:v1.29`."""

    level: str = "privileged"
    version: str = "latest"

    @property
    def minor(self) -> int:
        if self.version == "latest":
            return LATEST
        return min(int(self.version.partition(".")[2]), LATEST)

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


_BASELINE: Mapping[str, Check] = {
    "appArmorProfile": Check("forbidden AppArmor profile", baseline.app_armor),
    "capabilities_baseline": Check("non-default capabilities", baseline.capabilities),
    "hostNamespaces": Check("host namespaces", baseline.host_namespaces),
    "hostPathVolumes": Check("hostPath volumes", baseline.host_path),
    "hostPorts": Check("hostPort", baseline.host_ports),
    "hostProbesAndHostLifecycle": Check("probe or lifecycle host", baseline.host_probes, 34),
    "privileged": Check("privileged", baseline.privileged),
    "procMount": Check("procMount", baseline.proc_mount),
    "seLinuxOptions": Check("seLinuxOptions", baseline.selinux),
    "seccompProfile_baseline": Check("seccompProfile", baseline.seccomp),
    "sysctls": Check("forbidden sysctls", baseline.sysctls),
    "windowsHostProcess": Check("hostProcess", baseline.host_process),
}
# Restricted has these checks in place of those of baseline.
_REPLACED = {
    "capabilities_restricted": "capabilities_baseline",
    "restrictedVolumes": "hostPathVolumes",
    "seccompProfile_restricted": "seccompProfile_baseline",
}
_RESTRICTED: Mapping[str, Check] = {
    "allowPrivilegeEscalation": Check(
        "allowPrivilegeEscalation != false", restricted.escalation, 8
    ),
    "capabilities_restricted": Check("unrestricted capabilities", restricted.capabilities, 22),
    "restrictedVolumes": Check("restricted volume types", restricted.volumes),
    "runAsNonRoot": Check("runAsNonRoot != true", restricted.non_root),
    "runAsUser": Check("runAsUser=0", restricted.run_as_user, 23),
    "seccompProfile_restricted": Check("seccompProfile", restricted.seccomp, 19),
}


@dataclass(frozen=True, slots=True)
class Violation:
    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})"


def violations(pod: Json, policy: Policy) -> list[Violation]:
    """What `pod` (metadata and spec, or a template) breaks of `policy`, in upstream's order."""
    minor = policy.minor
    found = []
    for check in _checks(policy.level, minor):
        detail = check.find(pod, minor)
        if detail is not None:
            found.append(Violation(check.reason, detail))
    return found


def _checks(level: str, minor: int) -> list[Check]:
    if level == "privileged":
        return []
    basic = dict(_BASELINE)
    more = _RESTRICTED if level == "restricted" else {}
    for name, replaced in _REPLACED.items():
        if name in more and more[name].since <= minor:
            del basic[replaced]
    return [check for check in (*basic.values(), *more.values()) if check.since <= minor]


def policy_of(labels: Mapping[str, str], mode: str) -> Policy:
    """What a namespace asks for in `mode`; a value that makes no sense is the strictest."""
    level = labels.get(PREFIX + mode, "privileged")
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    return Policy(
        level if level in LEVELS else "restricted",
        version if _is_version(version) else "latest",
    )


def _is_version(text: str) -> bool:
    return text == "latest" or _VERSION.fullmatch(text) is not None


def wrong_labels(labels: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(label, value, why) of each that makes no sense."""
    found = []
    for mode in MODES:
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        if level is not None and level not in LEVELS:
            found.append((PREFIX + mode, level, f"must be one of {', '.join(LEVELS)}"))
        if version is not None and not _is_version(version):
            why = 'must be "latest" or "v1.x"'
            found.append((f"{PREFIX}{mode}-version", version, why))
    return found
