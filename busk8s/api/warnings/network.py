"""Warnings about Services, Endpoints and Ingresses.

Source    upstream pkg/api/service warnings, apimachinery's IP and CIDR warnings.
"""

from __future__ import annotations

import ipaddress
from typing import Any

Json = dict[str, Any]

_HINTS = "service.kubernetes.io/topology-aware-hints"
_MODE = "service.kubernetes.io/topology-mode"
_INGRESS_CLASS = "kubernetes.io/ingress.class"
_MANAGED_BY = "endpoints.kubernetes.io/managed-by"
_FUTURE = "will be considered invalid in a future Kubernetes release: use"


def of_service(service: Json) -> list[str]:
    spec = service.get("spec") or {}
    annotations = (service.get("metadata") or {}).get("annotations") or {}
    said: list[str] = []
    if _HINTS in annotations:
        said.append(f"annotation {_HINTS} is deprecated, please use {_MODE} instead")
    kind, external = spec.get("type", "ClusterIP"), spec.get("externalIPs") or ()
    headless = kind == "ClusterIP" and spec.get("clusterIP") == "None"
    if not headless:
        said += _of_addresses(spec.get("clusterIPs") or (), "spec.clusterIPs")
    else:
        ignored = {
            "loadBalancerIP": bool(spec.get("loadBalancerIP")),
            "externalIPs": bool(external),
            "SessionAffinity": spec.get("sessionAffinity", "None") != "None",
        }
        said += [f"spec.{k} is ignored for headless services" for k, yes in ignored.items() if yes]
    said += _of_addresses(external, "spec.externalIPs")
    if external and not headless and kind != "ExternalName":
        said.append(
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
        )
    if spec.get("loadBalancerIP"):
        said += of_ip(spec["loadBalancerIP"], "spec.loadBalancerIP")
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        said += of_cidr(text, f"spec.loadBalancerSourceRanges[{index}]")
    return said + _of_type(spec, kind, bool(external))


def _of_type(spec: Json, kind: str, external: bool) -> list[str]:
    said: list[str] = []
    if kind == "ExternalName" and external:
        said.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        said.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        said.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return said


def of_endpoints(endpoints: Json) -> list[str]:
    metadata_labels = (endpoints.get("metadata") or {}).get("labels") or {}
    if metadata_labels.get(_MANAGED_BY) == "endpoint-controller":
        return []
    return [
        said
        for i, subset in enumerate(endpoints.get("subsets") or ())
        for part in ("addresses", "notReadyAddresses")
        for j, address in enumerate(subset.get(part) or ())
        for said in of_ip(address.get("ip", ""), f"subsets[{i}].{part}[{j}].ip")
    ]


def of_ingress(ingress: Json) -> list[str]:
    if _INGRESS_CLASS not in ((ingress.get("metadata") or {}).get("annotations") or {}):
        return []
    return [
        f"annotation \"{_INGRESS_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"
    ]


def of_ip(text: str, at: str) -> list[str]:
    """An address that is accepted, and in a form that is not the usual one."""
    plain = _sloppy(text)
    if plain is None:
        return []
    if ("." in text and ":" in text) or (text != plain and ":" not in text):
        return [f'{at}: non-standard IP address "{text}" {_FUTURE} "{plain}"']
    if text != plain:
        return [f'{at}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{plain}")']
    return []


def of_cidr(text: str, at: str) -> list[str]:
    address, _, length = text.partition("/")
    plain = _sloppy(address)
    if plain is None or not length.isdigit():
        return []
    try:
        network = ipaddress.ip_network(f"{plain}/{int(length)}", strict=False)
    except ValueError:
        return []
    odd = (":" not in address and address != plain) or length != str(int(length))
    if odd or str(network.network_address) != plain:
        return [f'{at}: non-standard CIDR value "{text}" {_FUTURE} "{network}"']
    if address != plain:
        return [
            f'{at}: IPv6 CIDR value "{text}" should be in RFC 5952 canonical format ("{network}")'
        ]
    return []


def _of_addresses(addresses: Any, at: str) -> list[str]:
    return [said for i, text in enumerate(addresses) for said in of_ip(text, f"{at}[{i}]")]


def _sloppy(text: str) -> str | None:
    """The usual form of an address; leading zeros are decimal, as old parsers had it."""
    if ":" not in text:
        text = ".".join(part.lstrip("0") or "0" for part in text.split(".") if part)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
