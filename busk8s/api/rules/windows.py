"""What a pod for Windows may say, and what only such a pod may.

Source    Kubernetes API reference, PodOS and WindowsSecurityContextOptions; core validation.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.meta import subdomain_errors
from busk8s.api.rules.cause import forbidden, invalid, invalid_each, not_supported, required
from busk8s.errors import Cause

Json = dict[str, Any]

SYSTEMS = ("linux", "windows")
CREDENTIAL_BYTES_MAX = 64 * 1024
DOMAIN_LENGTH_MAX = 256
USER_LENGTH_MAX = 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NETBIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DNS_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS = re.compile(rf"{_DNS_PART}(?:\.{_DNS_PART})*", re.ASCII)
_BAD_IN_USER = re.compile(r'["/\\:;|=,+*?<>@\[\]]')
_POD_LINUX = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy",
    "sysctls", "runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
)  # fmt: skip
_SPEC_LINUX = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
_CONTAINER_LINUX = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities",
    "readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation", "procMount", "runAsUser",
    "runAsGroup",
)  # fmt: skip
_GROUPS = ("initContainers", "containers", "ephemeralContainers")


def validate_system(spec: Json, path: str, causes: list[Cause]) -> None:
    """`spec.os`, and what it forbids."""
    name = (spec.get("os") or {}).get("name") or ""
    if not name:
        causes.append(required(f"{path}.os.name"))
    elif name not in SYSTEMS:
        causes.append(not_supported(f"{path}.os", name, SYSTEMS))
    elif name == "windows":
        _forbid_linux(spec, path, causes)
    else:
        detail = "windows options cannot be set for a linux pod"
        for context, here in _contexts(spec, path):
            if context.get("windowsOptions") is not None:
                causes.append(forbidden(f"{here}.windowsOptions", detail))


def _forbid_linux(spec: Json, path: str, causes: list[Cause]) -> None:
    detail = "cannot be set for a windows pod"
    for field in _SPEC_LINUX:
        if spec.get(field) is not None and (spec[field] or field not in ("hostPID", "hostIPC")):
            causes.append(forbidden(f"{path}.{field}", detail))
    for context, here in _contexts(spec, path):
        whole = here == f"{path}.securityContext"
        for field in _POD_LINUX if whole else _CONTAINER_LINUX:
            if context.get(field) is not None:
                causes.append(forbidden(f"{here}.{field}", detail))


def _contexts(spec: Json, path: str) -> list[tuple[Json, str]]:
    """The pod's security context and its containers', with their paths."""
    found = [(spec.get("securityContext") or {}, f"{path}.securityContext")]
    for group in _GROUPS:
        for index, container in enumerate(spec.get(group) or ()):
            context = container.get("securityContext") or {}
            found.append((context, f"{path}.{group}[{index}].securityContext"))
    return found


def validate_host_processes(spec: Json, path: str, causes: list[Cause]) -> None:
    """Either all containers are processes of the host, or none is."""
    (own, _), *contexts = _contexts(spec, path)
    whole = (own.get("windowsOptions") or {}).get("hostProcess")
    as_host = 0
    for context, here in contexts:
        options = context.get("windowsOptions") or {}
        each = options.get("hostProcess")
        if whole is not None and each is not None and whole != each:
            said = "true" if whole else "false"
            detail = f"pod hostProcess value must be identical if both are specified, was {said}"
            causes.append(invalid(f"{here}.windowsOptions.hostProcess", each, detail))
        as_host += bool(whole if each is None else each)
    if as_host == 0:
        return
    if as_host != len(contexts):
        detail = (
            "If pod contains any hostProcess containers then all containers must be HostProcess "
            "containers"
        )
        causes.append(invalid(path, "", detail))
    if not spec.get("hostNetwork"):
        detail = "hostNetwork must be true if pod contains any hostProcess containers"
        causes.append(invalid(f"{path}.hostNetwork", False, detail))


def validate_windows_options(options: Json, path: str, causes: list[Cause]) -> None:
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        causes += invalid_each(f"{path}.gmsaCredentialSpecName", name, subdomain_errors(name))
    if (credential := options.get("gmsaCredentialSpec")) is not None:
        here, name = f"{path}.gmsaCredentialSpec", "gmsaCredentialSpec"
        if not credential:
            causes.append(invalid(here, credential, f"{name} cannot be an empty string"))
        elif len(credential.encode()) > CREDENTIAL_BYTES_MAX:
            causes.append(invalid(here, credential, f"{name} size must be under 64 KiB"))
    if (user := options.get("runAsUserName")) is not None:
        here = f"{path}.runAsUserName"
        causes += [invalid(here, user, f"runAsUserName{why}") for why in _user_errors(user)]


def _user_errors(text: str) -> list[str]:
    """Of a local or a domain's user, as Windows names them."""
    if not text:
        return [" cannot be an empty string"]
    if _CONTROL.search(text):
        return [" cannot contain control characters"]
    *domains, user = text.split("\\")
    if len(domains) > 1:
        return [" cannot contain more than one backslash"]
    errors = []
    for domain in domains:
        if len(domain) >= DOMAIN_LENGTH_MAX:
            errors.append(f"'s Domain length must be under {DOMAIN_LENGTH_MAX} characters")
        if not _NETBIOS.fullmatch(domain) and not _DNS.fullmatch(domain):
            errors.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        errors.append("'s User cannot be empty")
    elif len(user) > USER_LENGTH_MAX:
        errors.append(f"'s User length must not be longer than {USER_LENGTH_MAX} characters")
    if user and not user.strip(". "):
        errors.append("'s User cannot contain only periods or spaces")
    if _BAD_IN_USER.search(user):
        errors.append("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return errors
