"""Ports: numbers, names, protocols, and which of a host are taken twice.

Source    Kubernetes API reference, ContainerPort; the rules of core validation; IANA service names.
"""

from __future__ import annotations

import re
from typing import Any

from busk8s.api.rules.cause import (
    duplicate,
    in_range,
    invalid_each,
    one_of,
    required,
)
from busk8s.errors import Cause

Json = dict[str, Any]

PROTOCOLS = ("SCTP", "TCP", "UDP")
PORT_NAME_LENGTH_MAX = 15
PORT_MAX = 65535
_PORT_NAME = re.compile(r"[-a-z0-9]+", re.ASCII)


def port_name_errors(name: str) -> list[str]:
    """IANA service names, as ports are named."""
    errors = []
    if len(name) > PORT_NAME_LENGTH_MAX:
        errors.append(f"must be no more than {PORT_NAME_LENGTH_MAX} bytes")
    if not _PORT_NAME.fullmatch(name):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= character <= "z" for character in name):
        errors.append("must contain at least one letter (a-z)")
    if "--" in name:
        errors.append("must not contain consecutive hyphens")
    if name and (name[0] == "-" or name[-1] == "-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def validate_port_or_name(port: Any, path: str) -> list[Cause]:
    if isinstance(port, int) or port is None:
        return in_range(path, port or 0, 1, PORT_MAX)
    return invalid_each(path, port, port_name_errors(port or ""))


def validate_ports(ports: list[Json], path: str, causes: list[Cause]) -> None:
    names = set()
    for index, port in enumerate(ports):
        if name := port.get("name"):
            if errors := port_name_errors(name):
                causes += invalid_each(f"{path}[{index}].name", name, errors)
            elif name in names:
                causes.append(duplicate(f"{path}[{index}].name", name))
            names.add(name)
        number, host = port.get("containerPort"), port.get("hostPort")
        if not number:
            causes.append(required(f"{path}[{index}].containerPort"))
        elif not 1 <= number <= PORT_MAX:
            causes += in_range(f"{path}[{index}].containerPort", number, 1, PORT_MAX)
        if host and not 1 <= host <= PORT_MAX:
            causes += in_range(f"{path}[{index}].hostPort", host, 1, PORT_MAX)
        if port.get("protocol") not in PROTOCOLS:
            causes += one_of(f"{path}[{index}].protocol", port.get("protocol"), PROTOCOLS)


def check_host_ports(
    container: Json, path: str, taken: set[tuple[str, str, int]], causes: list[Cause]
) -> None:
    """`taken`: of the containers that run beside this one."""
    for index, port in enumerate(container.get("ports") or ()):
        if number := port.get("hostPort"):
            key = (port.get("protocol") or "", port.get("hostIP") or "", number)
            if key in taken:
                shown = "/".join(map(str, key))
                causes.append(duplicate(f"{path}.ports[{index}].hostPort", shown))
            taken.add(key)
