"""Raw route netlink: the few messages a pod's network takes, over one socket.

Owns      encoding links, addresses and routes; an error answer becomes OSError.
Leaves    which ones (bridge.py, routes.py).
Why raw: a pod's network costs 1 ms this way, 21 ms through pyroute2's NetNS objects, and the
supervisor, which makes it, must stay small. A socket belongs to the network namespace that was
entered when it was made.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR = 20
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_REPLACE = 0x1, 0x4, 0x300, 0x100
NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_F_NESTED = 0x8000

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_PROTINFO = 1, 3, 4, 10, 12
IFLA_LINKINFO, IFLA_NET_NS_FD, IFLA_INFO_KIND, IFLA_INFO_DATA = 18, 28, 1, 2
VETH_INFO_PEER, IFLA_BRPORT_MODE = 1, 4
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY = 1, 4, 5, 6
IFF_UP = 1
RT_TABLE_MAIN, RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RTN_UNICAST = 254, 0, 253, 1
RTPROT_BUSK8S = 98  # marks our routes, so that only ours are ever taken away

HEADER = struct.Struct("=IHHII")
IFINFO = struct.Struct("=BxHiII")
IFADDR = struct.Struct("=BBBBI")
RTMSG = struct.Struct("=BBBBBBBBI")


def attribute(kind: int, value: bytes) -> bytes:
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + b"\0" * (-size % 4)


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            return
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]


def link_info(index: int = 0, *, up: bool = False, family: int = 0) -> bytes:
    flag = IFF_UP if up else 0
    return IFINFO.pack(family, 0, index, flag, flag)


class Netlink:
    """Blocking; the kernel answers at once."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    # -- links --------------------------------------------------------------------------------

    def index(self, name: str) -> int:
        """0 if there is no such link."""
        try:
            answer = self._ask(RTM_GETLINK, 0, link_info() + text(IFLA_IFNAME, name))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return 0
            raise
        return int(IFINFO.unpack_from(answer[0])[2])

    def add_bridge(self, name: str, mac: bytes) -> int:
        info = attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"))
        body = link_info(up=True) + text(IFLA_IFNAME, name) + attribute(IFLA_ADDRESS, mac) + info
        self._tell(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)
        return self.index(name)

    def add_veth(self, name: str, master: int, *, peer: str, peer_netns: int, mac: bytes) -> None:
        """A pair: `name` here, up, a port of `master`; `peer` in `peer_netns`, still down."""
        other = link_info() + text(IFLA_IFNAME, peer) + attribute(IFLA_ADDRESS, mac)
        other += number(IFLA_NET_NS_FD, peer_netns)
        data = attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, other))
        info = attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth") + data)
        body = link_info(up=True) + text(IFLA_IFNAME, name) + number(IFLA_MASTER, master) + info
        self._tell(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)

    def set_hairpin(self, name: str) -> None:
        """Let the bridge send a frame back where it came from: a pod that calls itself."""
        mode = attribute(IFLA_BRPORT_MODE, b"\1")
        index = socket.if_nametoindex(name)
        body = link_info(index, family=socket.AF_BRIDGE)
        self._tell(RTM_SETLINK, 0, body + attribute(IFLA_PROTINFO | NLA_F_NESTED, mode))

    def set_up(self, index: int) -> None:
        self._tell(RTM_NEWLINK, 0, link_info(index, up=True))

    def remove_link(self, name: str) -> None:
        """Idempotent."""
        self._tell(RTM_DELLINK, 0, link_info() + text(IFLA_IFNAME, name), ignore=errno.ENODEV)

    # -- addresses and routes -----------------------------------------------------------------

    def add_address(self, index: int, ip: str, prefix: int) -> None:
        """Idempotent."""
        packed = socket.inet_aton(ip)
        body = IFADDR.pack(socket.AF_INET, prefix, 0, 0, index)
        body += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
        self._tell(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body)

    def add_route(
        self, ip: str, prefix: int, *, gateway: str = "", index: int = 0, metric: int = 0
    ) -> None:
        """Replaces a route of the same destination and metric. `0.0.0.0/0` is the default."""
        body = self._route(ip, prefix, gateway=gateway, index=index, metric=metric)
        self._tell(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body)

    def remove_route(self, ip: str, prefix: int, *, gateway: str = "", metric: int = 0) -> None:
        """Idempotent."""
        body = self._route(ip, prefix, gateway=gateway, index=0, metric=metric)
        self._tell(RTM_DELROUTE, 0, body, ignore=errno.ESRCH)

    def our_routes(self) -> list[tuple[str, int, str, int]]:
        """(network, prefix, gateway, metric) of every route in the main table that we made."""
        found = []
        body = RTMSG.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
        for answer in self._ask(RTM_GETROUTE, NLM_F_DUMP, body):
            _, prefix, _, _, table, protocol, _, _, _ = RTMSG.unpack_from(answer)
            if table != RT_TABLE_MAIN or protocol != RTPROT_BUSK8S:
                continue
            fields = dict(attributes(answer[RTMSG.size :]))
            network = socket.inet_ntoa(fields.get(RTA_DST, b"\0\0\0\0"))
            gateway = socket.inet_ntoa(fields[RTA_GATEWAY]) if RTA_GATEWAY in fields else ""
            (metric,) = struct.unpack("=I", fields.get(RTA_PRIORITY, b"\0\0\0\0"))
            found.append((network, prefix, gateway, metric))
        return found

    def _route(self, ip: str, prefix: int, *, gateway: str, index: int, metric: int) -> bytes:
        scope = RT_SCOPE_UNIVERSE if gateway else RT_SCOPE_LINK
        body = RTMSG.pack(
            socket.AF_INET, prefix, 0, 0, RT_TABLE_MAIN, RTPROT_BUSK8S, scope, RTN_UNICAST, 0
        )
        if prefix:
            body += attribute(RTA_DST, socket.inet_aton(ip))
        if gateway:
            body += attribute(RTA_GATEWAY, socket.inet_aton(gateway))
        if index:
            body += number(RTA_OIF, index)
        return body + number(RTA_PRIORITY, metric) if metric else body

    # -- messages -----------------------------------------------------------------------------

    def _tell(self, kind: int, flags: int, body: bytes, *, ignore: int = 0) -> None:
        try:
            self._ask(kind, flags | NLM_F_ACK, body)
        except OSError as error:
            if error.errno != ignore:
                raise

    def _ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """The bodies of the answers; an acknowledgement has none."""
        self._sequence += 1
        size = HEADER.size + len(body)
        header = HEADER.pack(size, kind, flags | NLM_F_REQUEST, self._sequence, 0)
        self._socket.send(header + body)
        answers: list[bytes] = []
        while True:
            for answer_kind, answer in self._answers():
                if answer_kind == NLMSG_ERROR:
                    _raise(struct.unpack_from("=i", answer)[0], kind)
                    return answers
                if answer_kind == NLMSG_DONE:
                    return answers
                answers.append(answer)
            if answers and not flags & NLM_F_DUMP:
                return answers

    def _answers(self) -> list[tuple[int, bytes]]:
        data = self._socket.recv(1 << 18)
        found = []
        while len(data) >= HEADER.size:
            size, kind, _, sequence, _ = HEADER.unpack_from(data)
            if sequence == self._sequence:
                found.append((kind, data[HEADER.size : size]))
            data = data[(size + 3) & ~3 :]
        return found


def _raise(code: int, kind: int) -> None:
    if code:
        raise OSError(-code, f"netlink message {kind}: {os.strerror(-code)}")
