"""`proxy` of pods, Services and nodes: HTTP to what runs in the cluster, through the API server.

Owns      reading `[scheme:]name[:port]`, where that leads, paths before and behind.
Leaves    passing on (proxying), asking kubelets (kubelet_reads), permission (authz: the verb of
          the method on `…/proxy`).
Differs from Kubernetes: kubelets here listen on no port, so theirs is asked over the bus, and only
reads; links in HTML pages are not rewritten, only Location.
Source    upstream's ResourceLocation of pods, services and nodes, and its proxy transport.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from busk8s import errors
from busk8s.api.object import Json
from busk8s.api.request import Request, Response
from busk8s.master.apiserver.attributes import Attributes, Operation
from busk8s.master.apiserver.endpoints import ready_endpoints
from busk8s.master.apiserver.join import public_key
from busk8s.master.apiserver.outgoing import Target
from busk8s.master.apiserver.parts import Parts
from busk8s.master.apiserver.proxying import Destination, forward, raw_path, unreachable
from busk8s.master.apiserver.subresources.kubelet_reads import ask_kubelet

KUBELET_PORT = "10250"  # Upstream's; here it is nobody's.
PORT_DEFAULT = {"http": 80, "https": 443}


async def proxy(parts: Parts, request: Request, attributes: Attributes) -> Response:
    """Any method on NAME/proxy[/PATH] of pods, services and nodes."""
    resource = attributes.resource
    assert resource is not None
    of_node = resource.key == "nodes"
    if parts.outgoing is None and not of_node:
        raise errors.Error(501, "NotImplemented", f"{resource.plural}/proxy is not available here")
    before, behind, query = split(raw_path(request), NODE_SEGMENTS if of_node else SEGMENTS)
    body: Json = {"kind": resource.kind + "ProxyOptions", "apiVersion": "v1"}
    operation = Operation(attributes, "CONNECT", {**body, "path": behind.lstrip("/")})
    await parts.admission.mutate(operation)
    await parts.admission.validate(operation)
    target = _OF[resource.key](parts, attributes)
    if not behind and request.method in ("GET", "HEAD") and not request.upgrade:
        return Response(301, headers=(("Location", f"{before}/{query}"),))
    if target is None:
        node = scheme_name_port(attributes.name)
        assert node is not None
        return await ask_kubelet(parts, request, node[1], unquote(behind) or "/")
    assert parts.outgoing is not None
    host = next((value for name, value in request.lines if name.lower() == "host"), "")
    added = (
        ("X-Forwarded-Uri", before + behind),
        ("X-Forwarded-Host", host or target.shown_authority),
        ("X-Forwarded-Proto", "https"),
    )
    to = Destination(target, (behind or "/") + query, added, _Redirects(target, before))
    return await forward(parts.outgoing, request, to)


SEGMENTS = 7  # api, v1, namespaces, NAMESPACE, services, NAME, proxy
NODE_SEGMENTS = 5  # api, v1, nodes, NAME, proxy


def split(path: str, segments: int = SEGMENTS) -> tuple[str, str, str]:
    """The raw path up to `/proxy`, what is behind it, and `?query`."""
    path, question, query = path.partition("?")
    at = seen = 0
    for part in path.split("/"):
        at += len(part) + 1
        seen += bool(part)
        if seen == segments:
            break
    return path[: at - 1], path[at - 1 :], question + query


class _Redirects:
    """A server's own addresses, as the client reaches them."""

    def __init__(self, target: Target, before: str) -> None:
        self._host = target.shown_authority
        self._before = before

    def __call__(self, location: str) -> str:
        parts = urlsplit(location)
        if parts.netloc and parts.netloc != self._host:
            return location
        if not parts.path.startswith("/") or parts.path.startswith(self._before + "/"):
            return location
        rest = f"?{parts.query}" if parts.query else ""
        return self._before + parts.path + rest + (f"#{parts.fragment}" if parts.fragment else "")


def scheme_name_port(text: str) -> tuple[str, str, str] | None:
    """`name`, `name:port` or `scheme:name:port`; None when it is none of them."""
    parts: Sequence[str] = text.split(":")
    if len(parts) == 1:
        parts = ("", parts[0], "")
    elif len(parts) == 2:
        parts = ("", *parts)
    if len(parts) != 3 or not parts[1] or parts[0] not in ("", "http", "https"):
        return None
    return parts[0], parts[1], parts[2]


def _of_service(parts: Parts, attributes: Attributes) -> Target:
    asked = scheme_name_port(attributes.name)
    if asked is None:
        raise errors.bad_request(f'invalid service request "{attributes.name}"')
    scheme, name, port = asked
    namespace = attributes.namespace
    service = parts.cache.get("services", namespace, name)
    if service is None:
        raise errors.not_found("services", name)
    if port.isascii() and port.isdigit():
        ports = (service.data.get("spec") or {}).get("ports") or ()
        found = next((p for p in ports if str(p.get("port")) == port), None)
        if found is None:
            raise unreachable(f'no service port {int(port)} found for service "{name}"')
        port = found.get("name") or ""
    endpoints = list(ready_endpoints(parts.cache, namespace, name, port))
    if not endpoints:
        raise unreachable(f'no endpoints available for service "{attributes.name}"')
    turn = int(parts.clock.monotonic() * 1000)  # no state to keep for so little
    return _target(scheme, *endpoints[turn % len(endpoints)])


def _of_pod(parts: Parts, attributes: Attributes) -> Target:
    asked = scheme_name_port(attributes.name)
    if asked is None:
        raise errors.bad_request(f'invalid pod request "{attributes.name}"')
    scheme, name, port = asked
    pod = parts.cache.get("pods", attributes.namespace, name)
    if pod is None:
        raise errors.not_found("pods", name)
    if not port:
        containers = (pod.data.get("spec") or {}).get("containers") or ()
        ports = next((c["ports"] for c in containers if c.get("ports")), ())
        port = str(ports[0].get("containerPort")) if ports else ""
    address = str((pod.data.get("status") or {}).get("podIP") or "")
    if not _allowed(address) or (port and not _is_port(port)):
        raise errors.bad_request("address not allowed")
    return _target(scheme, address, int(port) if port else PORT_DEFAULT[scheme or "http"])


def _of_node(parts: Parts, attributes: Attributes) -> Target | None:
    """None: its kubelet, which is asked over the bus."""
    asked = scheme_name_port(attributes.name)
    if asked is None:
        raise errors.bad_request(f'invalid node request "{attributes.name}"')
    scheme, name, port = asked
    node = parts.cache.get("nodes", "", name)
    if node is None:
        raise errors.not_found("nodes", name)
    if port in ("", KUBELET_PORT):
        if public_key(node) is None:
            why = f'the kubelet of node "{name}" is not on the bus: nodes/proxy is not supported'
            raise errors.Error(501, "NotImplemented", why)
        return None
    if parts.outgoing is None:
        raise errors.Error(501, "NotImplemented", "nodes/proxy is not available here")
    addresses = (node.data.get("status") or {}).get("addresses") or ()
    host = next((str(a.get("address")) for a in addresses if a.get("type") == "InternalIP"), "")
    if not _allowed(host) or not _is_port(port):
        raise errors.bad_request("address not allowed")
    return _target(scheme, host, int(port))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536


def _allowed(address: str) -> bool:
    """No loopback, no link-local: a pod's status must not lead into this host."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)


def _target(scheme: str, host: str, port: int) -> Target:
    return Target(host, port, insecure=True, plain=scheme != "https")


_OF: Mapping[str, Callable[[Parts, Attributes], Target | None]] = {
    "pods": _of_pod,
    "services": _of_service,
    "nodes": _of_node,
}
