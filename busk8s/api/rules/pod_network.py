"""How a pod is named and how it finds others: host names, aliases, DNS, ports of its host.

Source    Kubernetes API reference, PodSpec; the rules of core validation.
"""

from __future__ import annotations

from typing import Any

from busk8s.api.meta import label_errors, search_errors, subdomain_errors
from busk8s.api.rules.addresses import ip_errors
from busk8s.api.rules.cause import forbidden, invalid, invalid_each, required, too_long
from busk8s.errors import Cause

Json = dict[str, Any]

NAMESERVERS_MAX = 3
SEARCHES_MAX = 32
SEARCH_LENGTH_MAX = 2048
HOSTNAME_LENGTH_MAX = 64


def validate_dns(spec: Json, path: str, causes: list[Cause]) -> None:
    """`dnsConfig`, which policy None needs."""
    config, here = spec.get("dnsConfig"), f"{path}.dnsConfig"
    if spec.get("dnsPolicy") == "None":
        if config is None:
            causes.append(required(here, "must provide `dnsConfig` when `dnsPolicy` is None"))
            return
        if not config.get("nameservers"):
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            causes.append(required(f"{here}.nameservers", detail))
            return
    if config:
        _validate_config(config, here, causes)


def _validate_config(config: Json, path: str, causes: list[Cause]) -> None:
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > NAMESERVERS_MAX:
        detail = f"must not have more than {NAMESERVERS_MAX} nameservers"
        causes.append(invalid(f"{path}.nameservers", servers, detail))
    for index, server in enumerate(servers):
        causes += ip_errors(server, f"{path}.nameservers[{index}]")
    if len(searches) > SEARCHES_MAX:
        detail = f"must not have more than {SEARCHES_MAX} search paths"
        causes.append(invalid(f"{path}.searches", searches, detail))
    if len(" ".join(searches)) > SEARCH_LENGTH_MAX:
        detail = (
            f"must not have more than {SEARCH_LENGTH_MAX} characters (including spaces) in the "
            "search list"
        )
        causes.append(invalid(f"{path}.searches", searches, detail))
    for index, search in enumerate(searches):
        if search != ".":
            plain = search.removesuffix(".")
            causes += invalid_each(f"{path}.searches[{index}]", plain, search_errors(plain))
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            causes.append(required(f"{path}.options[{index}]", "must not be empty"))


def validate_hostname(spec: Json, path: str, causes: list[Cause]) -> None:
    """`hostnameOverride`, which replaces the host name as the pod itself sees it."""
    name, here = spec["hostnameOverride"], f"{path}.hostnameOverride"
    for field in ("setHostnameAsFQDN", "hostNetwork"):
        if spec.get(field):
            causes.append(forbidden(here, f"may not be specified when {field} is true"))
    if len(name) > HOSTNAME_LENGTH_MAX:
        causes.append(too_long(here, HOSTNAME_LENGTH_MAX))
    causes += invalid_each(here, name, subdomain_errors(name))


def validate_names(spec: Json, path: str, causes: list[Cause]) -> None:
    for name in ("hostname", "subdomain"):
        if value := spec.get(name):
            causes += invalid_each(f"{path}.{name}", value, label_errors(value))


def validate_aliases(aliases: list[Json], path: str, causes: list[Cause]) -> None:
    for index, alias in enumerate(aliases):
        causes += ip_errors(alias.get("ip") or "", f"{path}[{index}].ip")
        for number, name in enumerate(alias.get("hostnames") or ()):
            here = f"{path}[{index}].hostnames[{number}]"
            causes += invalid_each(here, name, subdomain_errors(name))


def validate_host_ports(spec: Json, path: str, whole: bool, causes: list[Cause]) -> None:
    """On the host's network a port is the host's; a template may leave that to the pod."""
    for index, container in enumerate(spec.get("containers") or ()):
        for number, port in enumerate(container.get("ports") or ()):
            host, own = port.get("hostPort") or 0, port.get("containerPort") or 0
            if (whole or host) and host != own:
                here = f"{path}.containers[{index}].ports[{number}].hostPort"
                detail = "must match `containerPort` when `hostNetwork` is true"
                causes.append(invalid(here, host, detail))
