"""Warnings about container ports that are defined twice or get in each other's way.

Source    upstream pkg/api/pod warnings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def of_ports(containers: Iterable[tuple[Json, str]]) -> list[str]:
    said: list[str] = []
    seen: dict[tuple[int, str], list[tuple[Json, str]]] = {}
    for container, at in containers:
        for index, port in enumerate(container.get("ports") or ()):
            path = f"{at}.ports[{index}]"
            if port.get("hostIP") and not port.get("hostPort"):
                said.append(f"{path}: hostIP set without hostPort: {_shown(port)}")
            others = seen.setdefault((port["containerPort"], port.get("protocol", "TCP")), [])
            for other, where in others:
                how = _clash(port, other)
                if how:
                    said.append(f"{path}: {how} port definition with {where}")
            others.append((port, path))
    return said


def _clash(port: Json, other: Json) -> str:
    mine, theirs = port.get("hostPort", 0), other.get("hostPort", 0)
    address, their_address = port.get("hostIP", ""), other.get("hostIP", "")
    if mine == theirs and address == their_address:
        return "duplicate"
    if not mine or not theirs:
        return "overlapping"
    if mine == theirs and (not address) != (not their_address):
        return "dangerously ambiguous"
    return ""


def _shown(port: Json) -> str:
    """As Go prints the struct."""
    return (
        f"{{Name:{port.get('name', '')} HostPort:{port.get('hostPort', 0)} "
        f"ContainerPort:{port['containerPort']} Protocol:{port.get('protocol', 'TCP')} "
        f"HostIP:{port['hostIP']}}}"
    )
