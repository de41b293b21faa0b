"""Service ports -> an nftables table, and the difference between two such tables. Pure.

Owns      the shape of our table: chains, maps, sets; the commands that lead from one to another.
Leaves    what a service port is (ports.py), running nft (nftables.py).
Shape     verdict maps by address, protocol and port lead to one chain a service port, which picks
          an endpoint at random. The cost of a packet does not grow with the number of services.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from busk8s.worker.proxy.ports import Endpoint, ServicePort

MARK = "0x4000"  # upstream's bit for "masquerade this"
ELEMENTS_A_COMMAND = 500  # keeps a line of nft input readable, and its parser's stack small

SETS = {
    "hairpin": "set {table} hairpin {{ type ipv4_addr . ipv4_addr; }}",
    "own_pods": "set {table} own_pods {{ type ipv4_addr; flags interval; }}",
    "all_pods": "set {table} all_pods {{ type ipv4_addr; flags interval; }}",
    "services": "map {table} services {{ type ipv4_addr . inet_proto . inet_service : verdict; }}",
    "nodeports": "map {table} nodeports {{ type inet_proto . inet_service : verdict; }}",
    "empty": "map {table} empty {{ type ipv4_addr . inet_proto . inet_service : verdict; }}",
    "emptyports": "map {table} emptyports {{ type inet_proto . inet_service : verdict; }}",
}
BASE: dict[str, tuple[str, tuple[str, ...]]] = {
    # A reset, as an ICMP answer is lost on the way back through a bridge.
    "refuse": ("", ("meta l4proto tcp reject with tcp reset", "reject")),
    "lose": ("", ("drop",)),
    "translate": (
        "",
        (
            "ip daddr . meta l4proto . th dport vmap @services",
            "fib daddr type local meta l4proto . th dport vmap @nodeports",
        ),
    ),
    "check": (
        "",
        (
            "ip daddr . meta l4proto . th dport vmap @empty",
            "fib daddr type local meta l4proto . th dport vmap @emptyports",
        ),
    ),
    # Services on 127.0.0.1 need route_localnet; nobody outside may use it to reach loopback.
    "guard": (
        "type filter hook prerouting priority -300;",
        ('iifname != "lo" ip daddr 127.0.0.0/8 drop',),
    ),
    "check_in": ("type filter hook input priority -110;", ("ct state new jump check",)),
    "check_forward": ("type filter hook forward priority -110;", ("ct state new jump check",)),
    "check_out": ("type filter hook output priority -110;", ("ct state new jump check",)),
    "pre": ("type nat hook prerouting priority -100;", ("jump translate",)),
    "out": ("type nat hook output priority -100;", ("jump translate",)),
    "post": (
        "type nat hook postrouting priority 100;",
        (
            f"meta mark & {MARK} == {MARK} meta mark set meta mark ^ {MARK} masquerade",
            "ip saddr . ip daddr @hairpin masquerade",
            "ip saddr @own_pods ip daddr != @all_pods masquerade",
        ),
    ),
}


@dataclass(frozen=True)
class Ruleset:
    """Everything that varies; the base chains and the maps themselves are always the same.

    `chains`: name -> rules. `sets`: name -> definition of a set of clients (session affinity).
    `elements`: map or set -> key -> verdict ("" in a set).
    """

    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    elements: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def ruleset(
    ports: Iterable[ServicePort],
    *,
    own_pods: Sequence[str] = (),
    all_pods: Sequence[str] = (),
    masquerade_all: bool = False,
) -> Ruleset:
    """`own_pods`, `all_pods`: this node's and all nodes' pod subnets. `masquerade_all`: where
    bridged packets bypass netfilter, answers come back only if calls seem to be the node's own.
    """
    table = _Builder(masquerade_all)
    for port in ports:
        table.add(port)
    table.elements["own_pods"] = dict.fromkeys(sorted(own_pods), "")
    table.elements["all_pods"] = dict.fromkeys(sorted({*all_pods, *own_pods}), "")
    return Ruleset(table.chains, table.sets, table.elements)


class _Builder:
    def __init__(self, masquerade_all: bool) -> None:
        self._masquerade_all = masquerade_all
        self.chains: dict[str, tuple[str, ...]] = {}
        self.sets: dict[str, str] = {}
        self.elements: dict[str, dict[str, str]] = {name: {} for name in SETS}

    def add(self, port: ServicePort) -> None:
        chain = _name("svc", port.key)
        if port.internal:
            mark = (f"meta mark set meta mark | {MARK}",) if self._masquerade_all else ()
            self.chains[chain] = mark + self._balance(port, port.internal)
        for ip in port.cluster_ips:
            verdict = f"goto {chain}" if port.internal else ""
            self._lead(port, ip, verdict, "goto refuse" if not port.all else "goto lose")
        if port.external_ips or port.node_port:
            self._add_external(port)
        for one in port.all:
            if one.local:
                self.elements["hairpin"][f"{one.ip} . {one.ip}"] = ""

    def _add_external(self, port: ServicePort) -> None:
        """Calls from outside: the answer must pass this node again, hence the mark."""
        chain, nobody = _name("ext", port.key), "goto refuse" if not port.all else "goto lose"
        rules: tuple[str, ...] = (f"meta mark set meta mark | {MARK}",)
        if not port.external_local:
            rules += self._balance(port, port.external)
        else:
            own = _name("own", port.key)
            self.chains[own] = rules + self._balance(port, port.all)
            # The node's own calls and its pods' are not "external": they may go anywhere.
            rules = (f"fib saddr type local goto {own}", f"ip saddr @all_pods goto {own}")
            rules += self._balance(port, port.external) if port.external else ("drop",)
        verdict = f"goto {chain}" if port.all else ""
        if verdict:
            self.chains[chain] = rules
        for ip in port.external_ips:
            self._lead(port, ip, verdict, nobody)
        if port.node_port:
            key = f"{port.protocol} . {port.node_port}"
            name = "nodeports" if verdict else "emptyports"
            self.elements[name].setdefault(key, verdict or nobody)

    def _lead(self, port: ServicePort, ip: str, verdict: str, nobody: str) -> None:
        name = "services" if verdict else "empty"
        # The first service to claim an address and port keeps it, as for conflicting externalIPs.
        key = f"{ip} . {port.protocol} . {port.port}"
        self.elements[name].setdefault(key, verdict or nobody)

    def _balance(self, port: ServicePort, endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
        if port.affinity_s:
            return self._sticky(port, endpoints)
        if not endpoints:
            return ()
        if len(endpoints) == 1:
            return (f"meta l4proto {port.protocol} dnat to {endpoints[0].ip}:{endpoints[0].port}",)
        pairs = ", ".join(f"{n} : {one.ip} . {one.port}" for n, one in enumerate(endpoints))
        choose = f"numgen random mod {len(endpoints)} map {{ {pairs} }}"
        return (f"meta l4proto {port.protocol} dnat ip to {choose}",)

    def _sticky(self, port: ServicePort, endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
        """One set of clients an endpoint: who came before goes where it went."""
        chains = []
        for one in endpoints:
            name = _name("to", f"{port.key}@{one.ip}:{one.port}")
            clients = name.replace("to_", "by_", 1)
            self.sets[clients] = (
                f"{{ type ipv4_addr; flags dynamic,timeout; timeout {port.affinity_s}s; }}"
            )
            self.chains[name] = (
                f"update @{clients} {{ ip saddr }}",
                f"meta l4proto {port.protocol} dnat to {one.ip}:{one.port}",
            )
            chains.append((name, clients))
        known = tuple(f"ip saddr @{clients} goto {name}" for name, clients in chains)
        pairs = ", ".join(f"{n} : goto {name}" for n, (name, _) in enumerate(chains))
        return (*known, f"numgen random mod {len(chains)} vmap {{ {pairs} }}") if chains else ()


def _name(kind: str, key: str) -> str:
    return f"{kind}_{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def replace(table: str, new: Ruleset) -> list[str]:
    """Commands that make the table from nothing, whatever was there."""
    commands = [f"add table {table}", f"delete table {table}", f"add table {table}"]
    commands += ["add " + definition.format(table=table) for definition in SETS.values()]
    for name, (hook, _) in BASE.items():
        commands.append(f"add chain {table} {name}" + (f" {{ {hook} }}" if hook else ""))
    for name, (_, rules) in BASE.items():
        commands += [f"add rule {table} {name} {rule}" for rule in rules]
    return commands + difference(table, Ruleset(), new)


def difference(table: str, old: Ruleset, new: Ruleset) -> list[str]:
    """Commands that lead from `old` to `new` in one transaction; none if they are the same."""
    changed = {name: r for name, r in new.chains.items() if old.chains.get(name) != r}
    gone_sets = [n for n, text in old.sets.items() if new.sets.get(n) != text]
    gone_chains = [name for name in old.chains if name not in new.chains]
    commands: list[str] = []
    # Rules that name a set must go before it; chains must be there before a rule names them.
    emptied = [*gone_chains, *(name for name in changed if name in old.chains)]
    commands += _elements(table, "delete", old, new)
    commands += [f"flush chain {table} {name}" for name in emptied]
    commands += [f"delete set {table} {name}" for name in gone_sets]
    commands += [f"delete chain {table} {name}" for name in gone_chains]
    commands += [
        f"add set {table} {name} {text}"
        for name, text in new.sets.items()
        if old.sets.get(name) != text
    ]
    commands += [f"add chain {table} {name}" for name in changed if name not in old.chains]
    for name, rules in changed.items():
        commands += [f"add rule {table} {name} {rule}" for rule in rules]
    return commands + _elements(table, "add", old, new)


def _elements(table: str, verb: str, old: Ruleset, new: Ruleset) -> list[str]:
    """`delete` what is no longer so, or `add` what is new; a changed verdict is both."""
    commands = []
    mine, other = (old, new) if verb == "delete" else (new, old)
    for name in SETS:
        there = other.elements.get(name, {})
        entries = [
            f"{key} : {verdict}" if verdict else key
            for key, verdict in mine.elements.get(name, {}).items()
            if there.get(key) != verdict
        ]
        for start in range(0, len(entries), ELEMENTS_A_COMMAND):
            some = ", ".join(entries[start : start + ELEMENTS_A_COMMAND])
            commands.append(f"{verb} element {table} {name} {{ {some} }}")
    return commands
