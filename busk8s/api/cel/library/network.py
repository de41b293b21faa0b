"""IP addresses, CIDRs and URLs."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from busk8s.api.cel import types
from busk8s.api.cel.errors import CelEvalError
from busk8s.api.cel.library.standard import by_first, tenth
from busk8s.api.cel.signatures import Overload, declare
from busk8s.api.cel.types import CelType
from busk8s.api.cel.values import size_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Ip:
    address: Address
    cel_type: ClassVar[CelType] = types.opaque("net.IP")

    def __str__(self) -> str:
        return str(self.address)

    @property
    def cel_size(self) -> int:
        return self.address.max_prefixlen // 8


@dataclass(frozen=True, slots=True)
class Cidr:
    address: Address
    prefix: int
    cel_type: ClassVar[CelType] = types.opaque("net.CIDR")

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"

    @property
    def cel_size(self) -> int:
        return (self.prefix + 7) // 8

    @property
    def network(self) -> Network:
        return ipaddress.ip_network((self.address, self.prefix), strict=False)


def _ip(text: str) -> Ip:
    if "%" in text:
        raise CelEvalError(f'IP Address "{text[:64]}" with zone value is not allowed')
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise CelEvalError(
            f'IP Address "{text[:64]}" parse error during conversion from string'
        ) from None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        raise CelEvalError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return Ip(found)


def _cidr(text: str) -> Cidr:
    address, slash, prefix = text.partition("/")
    wrong = CelEvalError(
        f'network address parse error during conversion from string: "{text[:64]}"'
    )
    if not slash or not (prefix.isascii() and prefix.isdigit()) or len(prefix) > 3:
        raise wrong
    if len(prefix) > 1 and prefix[0] == "0":
        raise wrong
    found = _ip(address).address
    if int(prefix) > found.max_prefixlen:
        raise wrong
    return Cidr(found, int(prefix))


def _valid(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            parse(text)
        except CelEvalError:
            return False
        return True

    return test


def _contains_ip(cidr: Cidr, ip: Ip) -> bool:
    return ip.address.version == cidr.address.version and ip.address in cidr.network


def _contains_cidr(outer: Cidr, inner: Cidr) -> bool:
    if outer.address.version != inner.address.version:
        return False
    return outer.prefix <= inner.prefix and inner.address in outer.network


def _masked(cidr: Cidr) -> Cidr:
    return Cidr(cidr.network.network_address, cidr.prefix)


def _global(ip: Ip) -> bool:
    a = ip.address
    broadcast = isinstance(a, ipaddress.IPv4Address) and int(a) == 2**32 - 1
    return not (a.is_unspecified or a.is_loopback or a.is_multicast or a.is_link_local or broadcast)


def _local_multicast(ip: Ip) -> bool:
    block = "224.0.0.0/24" if ip.address.version == 4 else "ff02::/16"
    return ip.address in ipaddress.ip_network(block)


def _twice(values: Sequence[Any], _: Any) -> int:
    return tenth(2 * size_of(values[0]))


def _parsed_too(values: Sequence[Any], _: Any) -> int:
    return tenth(2 * size_of(values[0])) + tenth(size_of(values[1]))


def _cidrs(values: Sequence[Any], _: Any) -> int:
    return tenth(2 * size_of(values[0])) + tenth(size_of(values[0])) + 1


def _cidrs_parsed(values: Sequence[Any], found: Any) -> int:
    return _cidrs(values, found) + tenth(size_of(values[1]))


_ADDRESSES = (
    declare("ip::string -> net.IP", _ip, by_first),
    declare("isIP::string -> bool", _valid(_ip), by_first),
    declare("ip.isCanonical::string -> bool", lambda t: str(_ip(t)) == t, _twice),
    declare("string::net.IP -> string", str),
    declare(".family::net.IP -> int", lambda ip: ip.address.version),
    declare(".isUnspecified::net.IP -> bool", lambda ip: ip.address.is_unspecified),
    declare(".isLoopback::net.IP -> bool", lambda ip: ip.address.is_loopback),
    declare(".isLinkLocalMulticast::net.IP -> bool", _local_multicast),
    declare(".isLinkLocalUnicast::net.IP -> bool", lambda ip: ip.address.is_link_local),
    declare(".isGlobalUnicast::net.IP -> bool", _global),
    declare("cidr::string -> net.CIDR", _cidr, by_first),
    declare("isCIDR::string -> bool", _valid(_cidr), by_first),
    declare("string::net.CIDR -> string", str),
    declare(".ip::net.CIDR -> net.IP", lambda c: Ip(c.address), None, "cidr_ip"),
    declare(".prefixLength::net.CIDR -> int", lambda c: c.prefix),
    declare(".masked::net.CIDR -> net.CIDR", _masked),
    declare(".containsIP::net.CIDR,net.IP -> bool", _contains_ip, _twice),
    declare(
        ".containsIP::net.CIDR,string -> bool", lambda c, t: _contains_ip(c, _ip(t)), _parsed_too
    ),
    declare(".containsCIDR::net.CIDR,net.CIDR -> bool", _contains_cidr, _cidrs),
    declare(
        ".containsCIDR::net.CIDR,string -> bool",
        lambda c, t: _contains_cidr(c, _cidr(t)),
        _cidrs_parsed,
    ),
)


# ---- URLs ----


@dataclass(frozen=True, slots=True)
class Url:
    text: str
    scheme: str
    host: str
    port: str
    hostname: str
    path: str
    query: str
    cel_type: ClassVar[CelType] = types.opaque("kubernetes.URL")


def parse_url(text: str) -> Url:
    wrong = CelEvalError(f"URL parse error during conversion from string: parse {text[:64]!r}")
    if not text or any(c.isspace() or ord(c) < 32 or ord(c) == 127 for c in text.partition("?")[0]):
        raise wrong
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError:
        raise wrong from None
    if not (found.scheme or text.startswith("/")):
        raise CelEvalError(
            f'URL parse error during conversion from string: parse "{text[:64]}": '
            "invalid URI for request"
        )
    host = found.netloc.rpartition("@")[2]
    name = (found.hostname or "") if not host.startswith("[") else host[1:].partition("]")[0]
    bare = host if port is None else host.rpartition(":")[0]
    name = bare.strip("[]") if name.lower() == bare.strip("[]").lower() else name
    return Url(
        text, found.scheme, host, "" if port is None else str(port), name, found.path, found.query
    )


def _query(url: Url) -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    for key, value in parse_qsl(url.query, keep_blank_values=True, max_num_fields=10_000):
        made.setdefault(key, []).append(value)
    return made


_URLS = (
    declare("url::string -> kubernetes.URL", parse_url, by_first),
    declare("isURL::string -> bool", _valid(parse_url), by_first),
    declare("string::kubernetes.URL -> string", lambda u: u.text),
    declare(".getScheme::kubernetes.URL -> string", lambda u: u.scheme),
    declare(".getHost::kubernetes.URL -> string", lambda u: unquote(u.host)),
    declare(".getHostname::kubernetes.URL -> string", lambda u: unquote(u.hostname)),
    declare(".getPort::kubernetes.URL -> string", lambda u: u.port),
    declare(".getEscapedPath::kubernetes.URL -> string", lambda u: u.path),
    declare(".getQuery::kubernetes.URL -> map(string,list(string))", _query),
)

OVERLOADS: tuple[Overload, ...] = (*_ADDRESSES, *_URLS)
