"""Defaults of services and of what stands around them.

Differs from Kubernetes: the cluster has one address family, IPv4, so `ipFamilies` is known here
and not only when addresses are allocated.
Source    Kubernetes API reference, ServiceSpec; discovery/v1 and networking/v1 defaults.
"""

from __future__ import annotations

from busk8s.api.defaulting.pod import Json

CLIENT_IP_AFFINITY_S = 10800


def default_service(service: Json) -> None:
    spec = service.setdefault("spec", {})
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    _session_affinity(spec)
    for port in spec.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if port.get("targetPort") in (None, 0, "") and "port" in port:
            port["targetPort"] = port["port"]
    kind = spec["type"]
    if kind == "ExternalName":
        return
    external = kind in ("NodePort", "LoadBalancer") or spec.get("externalIPs")
    if external and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if not spec.get("internalTrafficPolicy"):
        spec["internalTrafficPolicy"] = "Cluster"
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        _ip_modes(service)


def _ip_modes(service: Json) -> None:
    """Of the balancer's addresses; lists are made anew, as a stored object may share them."""
    status = service.get("status") or {}
    balancer = status.get("loadBalancer") or {}
    ways = balancer.get("ingress") or ()
    if any(way.get("ip") and way.get("ipMode") is None for way in ways):
        filled = [
            {**way, "ipMode": way.get("ipMode") or "VIP"} if way.get("ip") else way for way in ways
        ]
        service["status"] = {**status, "loadBalancer": {**balancer, "ingress": filled}}


def _session_affinity(spec: Json) -> None:
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        if spec.get("sessionAffinityConfig") == {}:
            del spec["sessionAffinityConfig"]
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        client = config.get("clientIP") or {}
        if "timeoutSeconds" not in client:
            filled = {**client, "timeoutSeconds": CLIENT_IP_AFFINITY_S}
            spec["sessionAffinityConfig"] = {**config, "clientIP": filled}


def complete_families(service: Json) -> None:
    """What upstream's allocator adds: no default, so nobody's field."""
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return
    headless_alone = spec.get("clusterIP") == "None" and not spec.get("selector")
    if not spec.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = "RequireDualStack" if headless_alone else "SingleStack"
    if not spec.get("ipFamilies"):
        both = headless_alone and spec["ipFamilyPolicy"] != "SingleStack"
        spec["ipFamilies"] = ["IPv4", "IPv6"] if both else ["IPv4"]


def default_endpoints(endpoints: Json) -> None:
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"


def default_endpoint_slice(endpoint_slice: Json) -> None:
    for endpoint in endpoint_slice.get("endpoints") or ():
        endpoint.setdefault("conditions", {})
    for port in endpoint_slice.get("ports") or ():
        if "name" not in port:
            port["name"] = ""
        if not port.get("protocol"):
            port["protocol"] = "TCP"


def default_network_policy(policy: Json) -> None:
    spec = policy.setdefault("spec", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                if not port.get("protocol"):
                    port["protocol"] = "TCP"


def default_ingress_class(ingress_class: Json) -> None:
    parameters = (ingress_class.get("spec") or {}).get("parameters")
    if parameters and not parameters.get("scope"):
        parameters["scope"] = "Cluster"


_ADDRESSES = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
_BALANCER = ("allocateLoadBalancerNodePorts", "loadBalancerClass", "healthCheckNodePort")


def complete_update(new: Json, old: Json) -> None:
    _drop_type_dependent(new, old)
    complete_families(new)


def _drop_type_dependent(new: Json, old: Json) -> None:
    """What the former type needed and the new one may not have goes, if the sender left it as is.

    `kubectl patch` sends the type alone; without this every change of type would be refused.
    """
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    kind, former = spec.get("type"), was.get("type")
    if kind == former:
        return
    gone: tuple[str, ...] = ()
    if kind == "ExternalName":
        gone += (*_ADDRESSES, "internalTrafficPolicy")
    if kind not in ("NodePort", "LoadBalancer"):
        _drop_node_ports(spec, was)
        if not spec.get("externalIPs") or kind == "ExternalName":
            gone += ("externalTrafficPolicy",)
    if kind != "LoadBalancer":
        gone += _BALANCER
    for name in gone:
        if name in spec and spec[name] == was.get(name):
            del spec[name]


def _drop_node_ports(spec: Json, was: Json) -> None:
    """The list is rebuilt: its ports may be shared with the stored object."""
    had = {port.get("nodePort") for port in was.get("ports") or ()}
    ports = spec.get("ports")
    if ports and any(port.get("nodePort") in had for port in ports):
        spec["ports"] = [
            {k: v for k, v in port.items() if k != "nodePort" or v not in had} for port in ports
        ]
