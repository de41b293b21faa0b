"""What a kubelet does to a container: probes, and hooks at its start and its end.

Source    Kubernetes API reference, Probe and Lifecycle; the rules of core validation.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.rules.cause import (
    forbidden,
    in_range,
    invalid,
    not_negative,
    not_supported,
    required,
)
from busk8s.api.rules.pod_context import PodContext
from busk8s.api.rules.ports import PORT_MAX, validate_port_or_name
from busk8s.errors import Cause

Json = dict[str, Any]

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_NUMBERS = (
    "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold",
    "failureThreshold",
)  # fmt: skip
_HEADER_NAME = re.compile(r"[-A-Za-z0-9]+", re.ASCII)
_HEADER_MESSAGE = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', "
    "regex used for validation is '[-A-Za-z0-9]+')"
)
WINDOWS_SIGNALS = ("SIGKILL", "SIGTERM")
_PLAIN_SIGNALS = (
    "SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCLD", "SIGCONT", "SIGFPE", "SIGHUP", "SIGILL",
    "SIGINT", "SIGIO", "SIGIOT", "SIGKILL", "SIGPIPE", "SIGPOLL", "SIGPROF", "SIGPWR", "SIGQUIT",
    "SIGSEGV", "SIGSTKFLT", "SIGSTOP", "SIGSYS", "SIGTERM", "SIGTRAP", "SIGTSTP", "SIGTTIN",
    "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGWINCH", "SIGXCPU", "SIGXFSZ",
    "SIGRTMIN", "SIGRTMAX",
)  # fmt: skip
LINUX_SIGNALS = tuple(sorted((
    *_PLAIN_SIGNALS,
    *(f"SIGRTMIN+{number}" for number in range(1, 16)),
    *(f"SIGRTMAX-{number}" for number in range(1, 15)),
)))  # fmt: skip


def validate_handlers(container: Json, path: str, pod: PodContext, causes: list[Cause]) -> None:
    """Of a container that runs on: a plain init container has none of these."""
    if (lifecycle := container.get("lifecycle")) is not None:
        for hook in ("postStart", "preStop"):
            if (handler := lifecycle.get(hook)) is not None:
                here = f"{path}.lifecycle.{hook}"
                _validate_handler(handler, _HOOK_HANDLERS, here, pod, causes)
        if (signal := lifecycle.get("stopSignal")) is not None:
            _validate_signal(signal, f"{path}.lifecycle.stopSignal", pod.system, causes)
    for name in PROBES:
        if (probe := container.get(name)) is not None:
            _validate_probe(probe, name, f"{path}.{name}", pod, causes)


def _validate_signal(signal: str, path: str, system: str, causes: list[Cause]) -> None:
    if not system:
        detail = "may not be set for containers with empty `spec.os.name`"
        causes.append(forbidden(path, detail))
        return
    known = {"windows": WINDOWS_SIGNALS, "linux": LINUX_SIGNALS}.get(system)
    if known is not None and signal not in known:
        causes.append(not_supported(path, signal, known))


def _validate_probe(
    probe: Json, name: str, path: str, pod: PodContext, causes: list[Cause]
) -> None:
    _validate_handler(probe, _PROBE_HANDLERS, path, pod, causes)
    for field in _NUMBERS:
        value = probe.get(field)
        if value is not None and value < 0:
            causes += not_negative(f"{path}.{field}", value)
    grace, here = probe.get("terminationGracePeriodSeconds"), "terminationGracePeriodSeconds"
    if grace is not None and grace <= 0:
        causes.append(invalid(f"{path}.{here}", grace, "must be greater than 0"))
    if name == "readinessProbe":
        if grace is not None:
            detail = "must not be set for readinessProbes"
            causes.append(invalid(f"{path}.{here}", grace, detail))
    elif probe.get("successThreshold", 1) != 1:
        causes.append(invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))


def _validate_handler(
    handler: Json, kinds: tuple[str, ...], path: str, pod: PodContext, causes: list[Cause]
) -> None:
    given = [name for name in kinds if handler.get(name) is not None]
    if not given:
        causes.append(required(path, "must specify a handler type"))
        return
    _validate_action(given[0], handler[given[0]], f"{path}.{given[0]}", pod, causes)
    for name in given[1:]:
        causes.append(forbidden(f"{path}.{name}", "may not specify more than 1 handler type"))


def _validate_action(
    name: str, action: Json, path: str, pod: PodContext, causes: list[Cause]
) -> None:
    if name == "exec":
        if not action.get("command"):
            causes.append(required(f"{path}.command"))
    elif name == "httpGet":
        _validate_http(action, path, causes)
    elif name == "sleep":
        seconds, grace = action.get("seconds", 0), pod.grace
        if grace is not None and not 0 <= seconds <= grace:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            causes.append(invalid(path, seconds, detail))
    elif name == "grpc":
        causes += in_range(f"{path}.port", action.get("port", 0), 1, PORT_MAX)
    else:
        causes += validate_port_or_name(action.get("port"), f"{path}.port")


def _validate_http(action: Json, path: str, causes: list[Cause]) -> None:
    if not action.get("path"):
        causes.append(required(f"{path}.path"))
    causes += validate_port_or_name(action.get("port"), f"{path}.port")
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        scheme = action.get("scheme") or ""
        causes.append(not_supported(f"{path}.scheme", scheme, ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        if not _HEADER_NAME.fullmatch(name):
            causes.append(invalid(f"{path}.httpHeaders", name, _HEADER_MESSAGE))
