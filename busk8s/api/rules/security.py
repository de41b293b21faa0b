"""As whom and how confined a pod and its containers run.

Leaves    what a namespace's level of Pod Security allows (admission).
Source    Kubernetes API reference, PodSecurityContext and SecurityContext; core validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    not_supported,
    required,
    too_long,
)
from busk8s.api.rules.paths import relative_path
from busk8s.api.rules.tolerance import STRICT, Tolerance
from busk8s.api.rules.windows import validate_windows_options
from busk8s.errors import Cause

Json = dict[str, Any]

ID_MAX = 2**31 - 1
PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
PROFILE_LENGTH_MAX = 4095
SYSCTL_LENGTH_MAX = 253
_CHOICES = (
    ("fsGroupChangePolicy", ("Always", "OnRootMismatch")),
    ("supplementalGroupsPolicy", ("Merge", "Strict")),
    ("seLinuxChangePolicy", ("MountOption", "Recursive")),
)
_SYSCTL_PART = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_FORM = rf"^({_SYSCTL_PART}[\./])*{_SYSCTL_PART}$"
_SYSCTL = re.compile(_SYSCTL_FORM, re.ASCII)
_IPC_SYSCTLS = frozenset((
    "kernel.sem", "kernel.shm", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
    "kernel.shm_rmid_forced", "kernel.msg", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni",
))  # fmt: skip
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
APPARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"
_GROUPS = ("initContainers", "containers", "ephemeralContainers")


def containers_of(spec: Json, path: str) -> Iterator[tuple[Json, str]]:
    """All containers with their paths, in upstream's order."""
    for group in _GROUPS:
        for index, container in enumerate(spec.get(group) or ()):
            yield container, f"{path}.{group}[{index}]"


def validate_pod_security(
    spec: Json, path: str, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    context, here = spec["securityContext"], f"{path}.securityContext"
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        causes += in_range(f"{here}.{name}", context.get(name), 0, ID_MAX)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        causes += in_range(f"{here}.supplementalGroups[{index}]", group, 0, ID_MAX)
    if context.get("sysctls"):
        _validate_sysctls(spec, context["sysctls"], f"{here}.sysctls", allowed, causes)
    _validate_profiles(context, here, causes)
    for name, supported in _CHOICES:
        if (value := context.get(name)) is not None and value not in supported:
            causes.append(not_supported(f"{here}.{name}", value, supported))


def validate_shared_processes(spec: Json, path: str, causes: list[Cause]) -> None:
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.append(invalid(f"{path}.securityContext.shareProcessNamespace", True, detail))


def _validate_sysctls(
    spec: Json, sysctls: list[Json], path: str, allowed: Tolerance, causes: list[Cause]
) -> None:
    seen = set()
    for index, sysctl in enumerate(sysctls):
        here, name = f"{path}[{index}].name", sysctl.get("name") or ""
        if not name:
            causes.append(required(here))
        elif len(name) > SYSCTL_LENGTH_MAX or not _SYSCTL.fullmatch(name):
            detail = f"must have at most {SYSCTL_LENGTH_MAX} characters and match regex"
            causes.append(invalid(here, name, f"{detail} {_SYSCTL_FORM}"))
        elif name in seen:
            causes.append(duplicate(here, name))
        seen.add(name)
        if (shared := shared_namespace(spec, name)) and not allowed.host_sysctls:
            detail = f"may not be specified when '{shared}' is true"
            causes.append(invalid(here, name, detail))


def shared_namespace(spec: Json, sysctl: str) -> str:
    """The field by which the pod shares with its host what that sysctl sets."""
    dotted = sysctl.replace("/", ".") if "." not in sysctl.partition("/")[0] else sysctl
    if spec.get("hostNetwork") and dotted.startswith("net."):
        return "hostNetwork"
    ipc = dotted in _IPC_SYSCTLS or dotted.startswith("fs.mqueue.")
    if spec.get("hostIPC") and ipc:
        return "hostIPC"
    return ""


def _validate_profiles(context: Json, path: str, causes: list[Cause]) -> None:
    if (seccomp := context.get("seccompProfile")) is not None:
        _validate_seccomp(seccomp, f"{path}.seccompProfile", causes)
    if (windows := context.get("windowsOptions")) is not None:
        validate_windows_options(windows, f"{path}.windowsOptions", causes)
    if (apparmor := context.get("appArmorProfile")) is not None:
        _validate_apparmor(apparmor, f"{path}.appArmorProfile", causes)


def _validate_seccomp(profile: Json, path: str, causes: list[Cause]) -> None:
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    if not kind:
        detail = "type is required when seccompProfile is set"
        causes.append(required(f"{path}.type", detail))
    elif kind not in PROFILE_TYPES:
        causes.append(not_supported(f"{path}.type", kind, PROFILE_TYPES))
    here = f"{path}.localhostProfile"
    if kind == "Localhost":
        if local is None:
            causes.append(required(here, "must be set when seccomp type is Localhost"))
        else:
            causes += relative_path(local, here)
    elif local is not None:
        causes.append(invalid(here, profile, "can only be set when seccomp type is Localhost"))


def _validate_apparmor(profile: Json, path: str, causes: list[Cause]) -> None:
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    here, needed = f"{path}.localhostProfile", "must be set when AppArmor type is Localhost"
    if not kind:
        detail = "type is required when appArmorProfile is set"
        causes.append(required(f"{path}.type", detail))
    elif kind not in PROFILE_TYPES:
        causes.append(not_supported(f"{path}.type", kind, PROFILE_TYPES))
    elif kind != "Localhost":
        if local is not None:
            detail = "can only be set when AppArmor type is Localhost"
            causes.append(invalid(here, local, detail))
    elif not local:
        causes.append(required(here, needed))
    elif local.strip() != local:
        causes.append(invalid(here, local, "must not be padded with whitespace"))
    elif len(local.encode()) > PROFILE_LENGTH_MAX:
        causes.append(too_long(here, PROFILE_LENGTH_MAX))


def validate_container_security(
    context: Json, path: str, host_users: bool, causes: list[Cause]
) -> None:
    for name in ("runAsUser", "runAsGroup"):
        causes += in_range(f"{path}.{name}", context.get(name), 0, ID_MAX)
    if (mount := context.get("procMount")) is not None:
        if mount not in ("Default", "Unmasked"):
            causes.append(not_supported(f"{path}.procMount", mount, ("Default", "Unmasked")))
        elif mount == "Unmasked" and host_users:
            detail = "`hostUsers` must be false to use `Unmasked`"
            causes.append(invalid(f"{path}.procMount", mount, detail))
    if context.get("allowPrivilegeEscalation") is False:
        added = (context.get("capabilities") or {}).get("add") or ()
        for wrong, what in (
            (context.get("privileged"), "`privileged` to true"),
            ("CAP_SYS_ADMIN" in added, "`capabilities.Add` CAP_SYS_ADMIN"),
        ):
            if wrong:
                detail = f"cannot set `allowPrivilegeEscalation` to false and {what}"
                causes.append(invalid(path, context, detail))
    _validate_profiles(context, path, causes)


def validate_host_users(
    spec: Json, path: str, causes: list[Cause], allowed: Tolerance = STRICT
) -> None:
    """With a user namespace of its own a pod shares no other namespace with the host."""
    detail = "when `hostUsers` is false"
    for field, shown in (
        ("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"),
    ):  # fmt: skip
        if spec.get(field):
            causes.append(forbidden(f"{path}.{shown}", detail))
    for container, here in () if allowed.shared_devices else containers_of(spec, path):
        if container.get("volumeDevices"):
            causes.append(forbidden(f"{here}.volumeDevices", detail))


def validate_profiles_match(annotations: Json, spec: Json, path: str, causes: list[Cause]) -> None:
    """On create: an annotation that says what a field says too says the same."""
    context = spec.get("securityContext") or {}
    if seccomp := context.get("seccompProfile"):
        here = f"{path}.securityContext.seccompProfile"
        _match(annotations.get(_SECCOMP_POD), seccomp, "seccomp", here, causes)
    windows = (spec.get("os") or {}).get("name") == "windows"
    for container, at in containers_of(spec, path):
        own, name = container.get("securityContext") or {}, container.get("name") or ""
        if seccomp := own.get("seccompProfile"):
            here = f"{at}.securityContext.seccompProfile"
            said = annotations.get(f"{_SECCOMP_CONTAINER}{name}")
            _match(said, seccomp, "seccomp", here, causes)
    for container, at in () if windows else containers_of(spec, path):
        own, name = container.get("securityContext") or {}, container.get("name") or ""
        if profile := own.get("appArmorProfile") or context.get("appArmorProfile"):
            here = f"{at}.securityContext.appArmorProfile"
            _match(annotations.get(f"{APPARMOR_PREFIX}{name}"), profile, "apparmor", here, causes)


_BY_TYPE = {
    "Unconfined": ("unconfined",),
    "RuntimeDefault": ("runtime/default", "docker/default"),
}


def _match(said: str | None, profile: Json, what: str, path: str, causes: list[Cause]) -> None:
    kind = profile.get("type")
    if said is None or kind not in (*_BY_TYPE, "Localhost"):
        return
    if kind == "Localhost":
        fits = said.startswith("localhost/")
    elif what == "seccomp":
        fits = said in _BY_TYPE[kind]
    else:
        fits = said == _BY_TYPE[kind][0]
    if not fits:
        detail = f"{what} type in annotation and field must match"
        causes.append(forbidden(f"{path}.type", detail))
    elif kind == "Localhost" and said.removeprefix("localhost/") != profile.get("localhostProfile"):
        detail = f"{what} profile in annotation and field must match"
        causes.append(forbidden(f"{path}.localhostProfile", detail))


def validate_profile_annotations(annotations: Json, spec: Json, path: str) -> list[Cause]:
    """The older form of profiles, in annotations of a pod or of a template."""
    causes: list[Cause] = []
    for key, value in annotations.items():
        if key == _SECCOMP_POD or key.startswith(_SECCOMP_CONTAINER):
            causes += _seccomp_name(value, f"{path}.{key}")
        elif key.startswith(APPARMOR_PREFIX):
            name, here = key.removeprefix(APPARMOR_PREFIX), f"{path}[{key}]"
            if all(each.get("name") != name for each, _ in containers_of(spec, "")):
                causes.append(invalid(here, name, "container not found"))
            if value not in ("", "runtime/default", "unconfined") and not value.startswith(
                "localhost/"
            ):
                detail = f'invalid AppArmor profile name: "{value}"'
                causes.append(invalid(here, value, detail))
    return causes


def _seccomp_name(name: str, path: str) -> list[Cause]:
    if name in ("runtime/default", "docker/default", "unconfined"):
        return []
    if name.startswith("localhost/"):
        return relative_path(name.removeprefix("localhost/"), path)
    return [invalid(path, name, "must be a valid seccomp profile")]
