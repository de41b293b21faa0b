"""Services: what they select, their ports, and the addresses they have or ask for.

Leaves    giving addresses and ports out (apiserver), endpoint slices.
Source    Kubernetes API reference, ServiceSpec; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import label_errors, qualified_name_errors, subdomain_errors
from busk8s.api.rules.addresses import cidr_errors, ip_errors, is_ip, reachable_errors
from busk8s.api.rules.cause import (
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalid_each,
    not_supported,
    one_of,
    required,
)
from busk8s.api.rules.metadata import validate_labels
from busk8s.api.rules.ports import PORT_MAX, PROTOCOLS, validate_port_or_name
from busk8s.errors import Cause

Json = dict[str, Any]

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITIES = ("ClientIP", "None")
TRAFFIC_POLICIES = ("Cluster", "Local")
FAMILIES = ("IPv4", "IPv6")
FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
IP_MODES = ("Proxy", "VIP")
AFFINITY_TIMEOUT_MAX_S = 86400
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
HINTS = "service.kubernetes.io/topology-aware-hints"
MODE = "service.kubernetes.io/topology-mode"
_ONLY_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_NOT_FOR_NAMES = "may not be set for ExternalName services"
_KEPT = "may not change once set"


def validate_service(service: Json, causes: list[Cause]) -> None:
    _validate(service, {}, causes)


def validate_service_update(new: Json, old: Json, causes: list[Cause]) -> None:
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" not in (spec.get("type"), was.get("type")):
        _validate_kept(spec, was, causes)
    name = "loadBalancerClass"
    if spec.get("type") == was.get("type") == "LoadBalancer" and spec.get(name) != was.get(name):
        causes.append(invalid(f"spec.{name}", spec.get(name), _KEPT))
    port = "healthCheckNodePort"
    kept = (spec.get(port) or was.get(port)) == was.get(port)
    if _checks_health(spec) and _checks_health(was) and not kept:
        causes.append(forbidden(f"spec.{port}", "field is immutable"))
    _validate(new, old, causes)


def _validate(service: Json, old: Json, causes: list[Cause]) -> None:
    """`old`: empty on create. In upstream's order."""
    spec, was = service.get("spec") or {}, old.get("spec") or {}
    kind, headless = spec.get("type") or "", _is_headless(spec)
    notes = (service.get("metadata") or {}).get("annotations") or {}
    if notes.get(MODE, notes.get(HINTS)) != notes.get(HINTS, notes.get(MODE)):
        detail = f"must match annotations[{HINTS}] when both are specified"
        causes.append(invalid(f"metadata.annotations[{MODE}]", notes[MODE], detail))
    ports = spec.get("ports") or []
    if not ports and not headless and kind != "ExternalName":
        causes.append(required("spec.ports"))
    if kind == "ExternalName":
        _validate_external_name(spec, causes)
    elif headless and kind in ("LoadBalancer", "NodePort"):
        detail = f"may not be set to 'None' for {kind} services"
        causes.append(invalid("spec.clusterIPs[0]", "None", detail))
    _validate_ports(ports, causes)
    if selector := spec.get("selector"):
        causes += validate_labels(selector, "spec.selector")
    _validate_affinity(spec, causes)
    if kind != "ExternalName":
        _validate_cluster_ips(spec, was, causes)
    for index, ip in enumerate(spec.get("externalIPs") or ()):
        here = f"spec.externalIPs[{index}]"
        errors = ip_errors(ip, here, was.get("externalIPs") or ())
        causes += errors or reachable_errors(ip, here)
    causes += one_of("spec.type", kind, TYPES)
    _validate_port_uses(ports, kind, causes)
    _validate_source_ranges(service, old, causes)
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        causes.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCER))
    if (name := spec.get("loadBalancerClass")) is not None:
        if kind == "LoadBalancer":
            causes += invalid_each("spec.loadBalancerClass", name, qualified_name_errors(name))
        else:
            causes.append(forbidden("spec.loadBalancerClass", _ONLY_BALANCER))
    _validate_traffic(spec, kind, causes)


def _is_headless(spec: Json) -> bool:
    return _ips(spec) == ["None"]


def _checks_health(spec: Json) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _validate_external_name(spec: Json, causes: list[Cause]) -> None:
    if spec.get("clusterIP") or spec.get("clusterIPs"):
        causes.append(forbidden("spec.clusterIPs", _NOT_FOR_NAMES))
    if spec.get("ipFamilies"):
        causes.append(forbidden("spec.ipFamilies", _NOT_FOR_NAMES))
    if spec.get("ipFamilyPolicy") is not None:
        causes.append(forbidden("spec.ipFamilyPolicy", _NOT_FOR_NAMES))
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        causes.append(required("spec.externalName"))
    else:
        causes += invalid_each("spec.externalName", name, subdomain_errors(name))


def _validate_ports(ports: list[Json], causes: list[Cause]) -> None:
    names = set()
    for index, port in enumerate(ports):
        here, name = f"spec.ports[{index}]", port.get("name") or ""
        if name:
            causes += invalid_each(f"{here}.name", name, label_errors(name))
            if name in names:
                causes.append(duplicate(f"{here}.name", name))
            names.add(name)
        elif len(ports) > 1:
            causes.append(required(f"{here}.name"))
        causes += in_range(f"{here}.port", port.get("port", 0), 1, PORT_MAX)
        causes += one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS)
        causes += validate_port_or_name(port.get("targetPort"), f"{here}.targetPort")
        if (protocol := port.get("appProtocol")) is not None:
            errors = qualified_name_errors(protocol)
            causes += invalid_each(f"{here}.appProtocol", protocol, errors)


def _validate_port_uses(ports: list[Json], kind: str, causes: list[Cause]) -> None:
    """No number twice, but for different protocols."""
    if kind == "ClusterIP":
        detail = "may not be used when `type` is 'ClusterIP'"
        causes += [
            forbidden(f"spec.ports[{index}].nodePort", detail)
            for index, port in enumerate(ports)
            if port.get("nodePort")
        ]
    for field in ("nodePort", "port"):
        seen = set()
        for index, port in enumerate(ports):
            protocol, number = port.get("protocol"), port.get(field)
            if field == "nodePort" and not number:
                continue
            if (protocol, number) in seen:
                here = f"spec.ports[{index}]"
                causes.append(
                    duplicate(f"{here}.nodePort", number)
                    if field == "nodePort"
                    else duplicate(here, _shown(protocol, number))
                )
            seen.add((protocol, number))


def _shown(protocol: Any, number: Any) -> Json:
    """As upstream's internal type is written out."""
    return {
        "Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number, "TargetPort": 0,
        "NodePort": 0,
    }  # fmt: skip


def _validate_affinity(spec: Json, causes: list[Cause]) -> None:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    path = "spec.sessionAffinityConfig"
    causes += one_of("spec.sessionAffinity", affinity, AFFINITIES)
    if affinity == "None" and config is not None:
        causes.append(forbidden(path, "must not be set when session affinity is None"))
    if affinity != "ClientIP":
        return
    missing = "when session affinity type is ClientIP"
    if config is None:
        causes.append(required(path, missing))
    elif config.get("clientIP") is None:
        causes.append(required(f"{path}.clientIP", missing))
    elif (timeout := config["clientIP"].get("timeoutSeconds")) is None:
        causes.append(required(f"{path}.clientIP.timeoutSeconds", missing))
    elif not 0 < timeout <= AFFINITY_TIMEOUT_MAX_S:
        detail = f"must be greater than 0 and less than {AFFINITY_TIMEOUT_MAX_S}"
        causes.append(invalid(f"{path}.clientIP.timeoutSeconds", timeout, detail))


def _validate_traffic(spec: Json, kind: str, causes: list[Cause]) -> None:
    external = kind in ("NodePort", "LoadBalancer") or (
        kind == "ClusterIP" and spec.get("externalIPs")
    )
    if policy := spec.get("externalTrafficPolicy"):
        if not external:
            detail = "may only be set for externally-accessible services"
            causes.append(invalid("spec.externalTrafficPolicy", policy, detail))
        elif policy not in TRAFFIC_POLICIES:
            causes.append(not_supported("spec.externalTrafficPolicy", policy, TRAFFIC_POLICIES))
    elif external:
        causes.append(required("spec.externalTrafficPolicy"))
    if number := spec.get("healthCheckNodePort"):
        if _checks_health(spec):
            causes += in_range("spec.healthCheckNodePort", number, 1, PORT_MAX)
        else:
            detail = (
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is "
                "'Local'"
            )
            causes.append(invalid("spec.healthCheckNodePort", number, detail))
    inside = spec.get("internalTrafficPolicy")
    if inside is None:
        if kind in ("NodePort", "LoadBalancer", "ClusterIP"):
            causes.append(required("spec.internalTrafficPolicy"))
    elif inside not in TRAFFIC_POLICIES:
        causes.append(not_supported("spec.internalTrafficPolicy", inside, TRAFFIC_POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in DISTRIBUTIONS:
        causes.append(not_supported("spec.trafficDistribution", distribution, DISTRIBUTIONS))


def _validate_source_ranges(service: Json, old: Json, causes: list[Cause]) -> None:
    """The field, or the annotation that was before it; blanks around a range are let pass."""
    spec = service.get("spec") or {}
    other = spec.get("type") != "LoadBalancer"
    notes, before = (
        (each.get("metadata") or {}).get("annotations") or {} for each in (service, old)
    )
    if ranges := spec.get("loadBalancerSourceRanges"):
        path = "spec.LoadBalancerSourceRanges"
        had = (old.get("spec") or {}).get("loadBalancerSourceRanges") or ()
        if other:
            causes.append(forbidden(path, _ONLY_BALANCER))
        known = [each.strip() for each in had]
        for index, text in enumerate(ranges):
            causes += cidr_errors(text.strip(), f"{path}[{index}]", known)
    elif (text := notes.get(SOURCE_RANGES)) is not None:
        path = f"metadata.annotations[{SOURCE_RANGES}]"
        if other:
            causes.append(forbidden(path, _ONLY_BALANCER))
        if text != before.get(SOURCE_RANGES) and text.strip():
            for each in text.split(","):
                causes += cidr_errors(each.strip(), path)


def _validate_cluster_ips(spec: Json, was: Json, causes: list[Cause]) -> None:
    ip, ips = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    path, families = "spec.clusterIPs", spec.get("ipFamilies") or []
    if ip and ips and ip != ips[0]:
        causes.append(invalid(path, ips, "first value must match `clusterIP`"))
    elif ips and not ip:
        detail = "must be empty when `clusterIP` is not specified"
        causes.append(invalid(path, ips, detail))
    for index, family in enumerate(families):
        if family not in FAMILIES:
            causes.append(not_supported(f"spec.ipFamilies[{index}]", family, FAMILIES))
        if family in families[:index]:
            causes.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in FAMILY_POLICIES:
        causes.append(not_supported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES))
    _validate_ips(_ips(spec), families, _ips(was), path, causes)


def _validate_ips(
    ips: list[str], families: list[str], had: list[str], path: str, causes: list[Cause]
) -> None:
    wrong: list[Cause] = []
    for index, ip in enumerate(ips):
        if index == 0 and ip == "None":
            if len(ips) > 1:
                wrong.append(invalid(path, ips, "'None' must be the first and only value"))
        else:
            wrong += ip_errors(ip, f"{path}[{index}]", had)
    causes += wrong
    if len(ips) > 2:
        causes.append(invalid(path, ips, "may only hold up to 2 values"))
    if wrong or ips == ["None"]:
        return
    six = [":" in ip for ip in ips]
    if len(ips) > 1 and len(set(six)) != len(ips):
        detail = "may specify no more than one IP for each IP family"
        causes.append(invalid(path, ips, detail))
    for index, (ip, family) in enumerate(zip(ips, families, strict=False)):
        if family in FAMILIES and six[index] is not (family == "IPv6"):
            detail = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            causes.append(invalid(f"{path}[{index}]", ip, detail))


def _validate_kept(spec: Json, was: Json, causes: list[Cause]) -> None:
    """The first address and family stay; a second one may come and, said so, go."""
    headless, before = _is_headless(spec), _is_headless(was)
    single = spec.get("ipFamilyPolicy") == "SingleStack"
    ips, had = _ips(spec), _ips(was)
    if not (headless and before) and ips:
        _kept(ips, had, "spec.clusterIPs", causes)
        if len(had) > len(ips) == 1 and not single:
            detail = "must be set to 'SingleStack' when releasing the secondary clusterIP"
            causes.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), detail))
    families, old = spec.get("ipFamilies") or [], was.get("ipFamilies") or []
    if not headless and not before and families:
        _kept(families, old, "spec.ipFamilies", causes)
        if len(old) > len(families) == 1 and not single:
            detail = "must be set to 'SingleStack' when releasing the secondary ipFamily"
            causes.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), detail))


def _ips(spec: Json) -> list[str]:
    """The one stands for the list until that is filled."""
    return spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])


def _kept(now: list[str], before: list[str], path: str, causes: list[Cause]) -> None:
    looked_at = len(before) if len(now) == len(before) else 1
    for index, (new, old) in enumerate(zip(now[:looked_at], before, strict=False)):
        if new != old:
            causes.append(invalid(f"{path}[{index}]", now, _KEPT))


def validate_service_status(new: Json, old: Json, causes: list[Cause]) -> None:
    balancer, before = ((each.get("status") or {}).get("loadBalancer") or {} for each in (new, old))
    path, ways = "status.loadBalancer.ingress", balancer.get("ingress") or []
    if (new.get("spec") or {}).get("type") != "LoadBalancer":
        if ways:
            detail = "may only be used when `spec.type` is 'LoadBalancer'"
            causes.append(forbidden(path, detail))
        return
    known = [each["ip"] for each in before.get("ingress") or () if each.get("ip")]
    for index, way in enumerate(ways):
        here, ip, mode = f"{path}[{index}]", way.get("ip"), way.get("ipMode")
        if ip:
            causes += ip_errors(ip, f"{here}.ip", known)
        if mode is None:
            if ip:
                causes.append(required(f"{here}.ipMode", "must be specified when `ip` is set"))
        elif not ip:
            causes.append(forbidden(f"{here}.ipMode", "may not be specified when `ip` is not set"))
        elif mode not in IP_MODES:
            causes.append(not_supported(f"{here}.ipMode", mode, IP_MODES))
        if host := way.get("hostname"):
            causes += invalid_each(f"{here}.hostname", host, subdomain_errors(host))
            if is_ip(host):
                detail = "must be a DNS name, not an IP address"
                causes.append(invalid(f"{here}.hostname", host, detail))
