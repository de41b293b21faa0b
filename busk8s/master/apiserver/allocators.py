"""Cluster IPs and node ports: which are taken, and which a Service gets.

Owns      the addresses and ports in use (from the stored Services) and those promised to writes
          under way; the rules of a Service's type changing.
Leaves    the fields' own validity (api/validation), proxying (worker/proxy).
Invariant no address and no port belongs to two Services: what is promised is never promised
          again until its write is known to have failed; what is stored is the only other truth,
          so nothing leaks in a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, ip_address
from itertools import chain

from busk8s import errors
from busk8s.api.object import Json
from busk8s.api.scheme import Resource
from busk8s.master.store.watch import Event, WatchCache

NETWORK_DEFAULT = "10.96.0.0/16"
NODE_PORTS_DEFAULT = (30_000, 32_767)
STATIC_BAND_MAX = 256  # Low addresses left to those who ask for one by number, as upstream.
SERVICES = "services"

_WITH_PORTS = ("NodePort", "LoadBalancer")


class Pool:
    """Numbers from `first` to `last`: given out in turn, so that a freed one rests a while."""

    def __init__(self, first: int, last: int, dynamic_from: int) -> None:
        self.first, self.last = first, last
        self._dynamic_from = dynamic_from
        self._cursor = dynamic_from
        self._used: dict[int, int] = {}  # number -> how many hold it (stored + promised)

    def __contains__(self, number: int) -> bool:
        return number in self._used

    def take(self, number: int) -> None:
        self._used[number] = self._used.get(number, 0) + 1

    def give(self, number: int) -> None:
        left = self._used.get(number, 0) - 1
        if left > 0:
            self._used[number] = left
        else:
            self._used.pop(number, None)

    def next(self) -> int | None:
        """A free number: from the dynamic band after the last one given, else from the low band."""
        for low, high, start in (
            (self._dynamic_from, self.last, self._cursor),
            (self.first, self._dynamic_from - 1, self.first),
        ):
            for number in chain(range(start, high + 1), range(low, start)):
                if number not in self._used:
                    if low == self._dynamic_from:
                        self._cursor = number + 1 if number < high else low
                    return number
        return None


class ServiceAllocators:
    """Fed with the stored Services by `open` and events; `reserve` wraps one write."""

    def __init__(
        self,
        network: str = NETWORK_DEFAULT,
        node_ports: tuple[int, int] = NODE_PORTS_DEFAULT,
    ) -> None:
        self.network = IPv4Network(network)
        first = int(self.network.network_address) + 1
        last = int(self.network.broadcast_address) - 1
        static = min(max(16, self.network.num_addresses // 16), STATIC_BAND_MAX)
        self._ips = Pool(first, last, min(first + static, last))
        low, high = node_ports
        band = min(max(16, (high - low) // 32), 128)
        self._ports = Pool(low, high, min(low + band, high))

    def open(self, cache: WatchCache) -> None:
        for obj in cache.list(SERVICES):
            self._take(obj.data)
        cache.on_events(self._observe)

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.object.resource.key != SERVICES:
                continue
            if event.type != "DELETED":
                self._take(event.object.data)
            if event.previous is not None:
                self._give(event.previous.data)

    def _take(self, service: Json) -> None:
        for address in _addresses(service):
            self._ips.take(address)
        for port in ports_of(service):
            self._ports.take(port)

    def _give(self, service: Json) -> None:
        for address in _addresses(service):
            self._ips.give(address)
        for port in ports_of(service):
            self._ports.give(port)

    @contextmanager
    def reserve(
        self, resource: Resource, namespace: str, new: Json, old: Json | None
    ) -> Iterator[None]:
        """Complete a Service in place and hold what it gets while its write is under way."""
        if resource.key != SERVICES:
            yield
            return
        held_ips: list[int] = []
        held_ports: list[int] = []
        try:
            self._assign_ip(new, old, held_ips)
            self._assign_ports(new, old, held_ports)
            yield
        finally:
            for address in held_ips:
                self._ips.give(address)
            for port in held_ports:
                self._ports.give(port)

    def _assign_ip(self, new: Json, old: Json | None, held: list[int]) -> None:
        spec = new["spec"]
        before = (old or {}).get("spec") or {}
        if spec.get("type") == "ExternalName":
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                if spec.get(field) == before.get(field) or not spec.get(field):
                    spec.pop(field, None)
            return
        had = before.get("clusterIP") if before.get("type") != "ExternalName" else None
        wanted = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0] or had or ""
        _check_same(new, had, wanted)
        if wanted and wanted != "None" and wanted != had:
            held.append(self._claim(new, wanted))
        elif not wanted:
            number = self._ips.next()
            if number is None:
                raise errors.internal("failed to allocate a serviceIP: range is full")
            self._ips.take(number)
            held.append(number)
            wanted = str(IPv4Address(number))
        spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]
        if wanted != "None" or spec.get("selector"):
            spec.setdefault("ipFamilies", ["IPv4"])
            spec.setdefault("ipFamilyPolicy", "SingleStack")
        else:
            spec.setdefault("ipFamilies", ["IPv4"])
            spec.setdefault("ipFamilyPolicy", "RequireDualStack")

    def _claim(self, service: Json, text: str) -> int:
        """Hold the address a user asked for by number."""
        try:
            address = ip_address(text)
        except ValueError:
            raise _refused(service, text, "must be a valid IP address") from None
        if not isinstance(address, IPv4Address) or address not in self.network:
            why = f"the provided IP ({text}) is not in the valid range. The range of valid IPs is "
            raise _refused(service, text, f"failed to allocate IP {text}: {why}{self.network}")
        number = int(address)
        if not self._ips.first <= number <= self._ips.last:
            why = f"failed to allocate IP {text}: provided IP is not in the valid range"
            raise _refused(service, text, why)
        if number in self._ips:
            raise _refused(
                service, text, f"failed to allocate IP {text}: provided IP is already allocated"
            )
        self._ips.take(number)
        return number

    def _assign_ports(self, new: Json, old: Json | None, held: list[int]) -> None:
        spec = new["spec"]
        owned = dict.fromkeys(ports_of(old or {}))
        if not _wants_ports(spec):
            if old is not None:
                _drop_ports(spec, owned)
            return
        before = ((old or {}).get("spec") or {}).get("ports") or ()
        given: dict[tuple[int, str], int] = {}
        for index, port in enumerate(spec.get("ports") or ()):
            number = port.get("nodePort") or _former(port, before, owned, given)
            if number:
                same = (number, port.get("protocol", "TCP"))
                if same in given:
                    raise _port_refused(new, index, number, "duplicate nodePort")
                if number not in owned and number not in given.values():
                    held.append(self._claim_port(new, index, number))
            port["nodePort"] = number or self._next_port(port, given, held)
            given[(port["nodePort"], port.get("protocol", "TCP"))] = port["nodePort"]
        self._assign_health_port(spec, owned, held)

    def _claim_port(self, service: Json, index: int, number: int) -> int:
        if not self._ports.first <= number <= self._ports.last:
            why = f"provided port is not in the valid range. The range of valid ports is {self}"
            raise _port_refused(service, index, number, why)
        if number in self._ports:
            raise _port_refused(service, index, number, "provided port is already allocated")
        self._ports.take(number)
        return number

    def _next_port(self, port: Json, given: dict[tuple[int, str], int], held: list[int]) -> int:
        number = self._ports.next()
        if number is None:
            raise errors.internal("failed to allocate a nodePort: range is full")
        self._ports.take(number)
        held.append(number)
        return number

    def _assign_health_port(self, spec: Json, owned: dict[int, None], held: list[int]) -> None:
        local = spec.get("externalTrafficPolicy") == "Local" and spec["type"] == "LoadBalancer"
        if not local:
            spec.pop("healthCheckNodePort", None)
        elif not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = self._next_port({}, {}, held)
        elif spec["healthCheckNodePort"] not in owned:
            held.append(self._claim_port({"metadata": {}}, 0, spec["healthCheckNodePort"]))

    def __str__(self) -> str:
        return f"{self._ports.first}-{self._ports.last}"


def _addresses(service: Json) -> list[int]:
    """The cluster IPs a stored Service holds."""
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return []
    found = []
    for text in spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else []):
        try:
            address = ip_address(text)
        except ValueError:
            continue  # "None": headless.
        if isinstance(address, IPv4Address):
            found.append(int(address))
    return found


def ports_of(service: Json) -> list[int]:
    """The node ports a Service holds, each once."""
    spec = service.get("spec") or {}
    ports = [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]
    if spec.get("healthCheckNodePort"):
        ports.append(spec["healthCheckNodePort"])
    return list(dict.fromkeys(ports))


def _wants_ports(spec: Json) -> bool:
    if spec.get("type") == "NodePort":
        return True
    return spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)


def _former(
    port: Json, before: Sequence[Json], owned: dict[int, None], given: dict[tuple[int, str], int]
) -> int:
    """The node port the same port had, when an update leaves it out."""
    for old in before:
        number = old.get("nodePort")
        same = old.get("port") == port.get("port") and old.get("protocol") == port.get("protocol")
        if number and same and number in owned and number not in given.values():
            return int(number)
    return 0


def _drop_ports(spec: Json, owned: dict[int, None]) -> None:
    """A Service that no longer has node ports loses those it had."""
    if spec.get("type") in _WITH_PORTS:
        return
    for port in spec.get("ports") or ():
        if port.get("nodePort") in owned:
            del port["nodePort"]
    if spec.get("healthCheckNodePort") in owned:
        del spec["healthCheckNodePort"]


def _check_same(service: Json, had: str | None, wanted: str) -> None:
    if had and wanted != had:
        cause = errors.Cause(
            "FieldValueInvalid",
            f'Invalid value: ["{wanted}"]: may not change once set',
            "spec.clusterIPs[0]",
        )
        raise errors.invalid("Service", service["metadata"].get("name", ""), [cause])


def _refused(service: Json, text: str, why: str) -> errors.Error:
    causes = [
        errors.Cause("FieldValueInvalid", f'Invalid value: ["{text}"]: {why}', "spec.clusterIPs")
    ]
    return errors.invalid("Service", service["metadata"].get("name", ""), causes)


def _port_refused(service: Json, index: int, number: int, why: str) -> errors.Error:
    field = f"spec.ports[{index}].nodePort"
    causes = [errors.Cause("FieldValueInvalid", f"Invalid value: {number}: {why}", field)]
    return errors.invalid("Service", service["metadata"].get("name", ""), causes)
