"""The status of a ResourceClaim: what was allocated, for whom it is kept, what drivers report.

Source    Kubernetes API reference, ResourceClaimStatus; the rules of resource.k8s.io.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from busk8s.api.rules.cause import (
    forbidden,
    immutable,
    invalid,
    one_of,
    required,
    too_long,
    too_many,
)
from busk8s.api.rules.conditions import validate_conditions
from busk8s.api.rules.device_names import (
    validate_binding,
    validate_label,
    validate_pool_name,
    validate_uid,
)
from busk8s.api.rules.device_requests import (
    CONFIGS_MAX,
    REQUESTS_MAX,
    Names,
    names_of,
    validate_config,
    validate_raw,
    validate_reference,
)
from busk8s.api.rules.disks import driver_errors
from busk8s.api.rules.scheduling import validate_node_selector
from busk8s.api.rules.sized import validate_set, validate_slice
from busk8s.errors import Cause

Json = dict[str, Any]

RESERVED_MAX = 256
DATA_MAX = 10 * 1024
CONDITIONS_MAX = 8
INTERFACE_MAX = 256
HARDWARE_MAX = 128
ADDRESSES_MAX = 16
SOURCES = ("FromClaim", "FromClass")
_ADDRESS = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"


def validate_status(new: Json, old: Json, causes: list[Cause]) -> None:
    status, before = new.get("status") or {}, old.get("status") or {}
    names = names_of((new.get("spec") or {}).get("devices") or {})
    reserved, allocation = status.get("reservedFor") or [], status.get("allocation")
    here = "status.reservedFor"
    validate_set(reserved, RESERVED_MAX, _validate_user, _uid, here, causes)
    _validate_devices(status, allocation, causes)
    if reserved and allocation is None:
        causes.append(forbidden(here, "may not be specified when `allocated` is not set"))
    elif reserved and (new.get("metadata") or {}).get("deletionTimestamp"):
        known = before.get("reservedFor") or []
        if any(each not in known for each in reserved):
            detail = (
                "new entries may not be added while `deallocationRequested` or "
                "`deletionTimestamp` are set"
            )
            causes.append(forbidden(here, detail))
    earlier = before.get("allocation")
    if allocation is None:
        return
    if earlier is None:
        _validate_allocation(allocation, names, causes)
    elif allocation != earlier:
        causes.append(immutable("status.allocation", allocation))


def _uid(user: Json) -> str:
    return user.get("uid") or ""


def _validate_user(user: Json, path: str, causes: list[Cause]) -> None:
    causes += [
        required(f"{path}.{field}") for field in ("resource", "name", "uid") if not user.get(field)
    ]


def _identity(device: Json) -> str:
    parts = [device.get(name) or "" for name in ("driver", "pool", "device")]
    return "/".join([*parts, *([device["shareID"]] if device.get("shareID") is not None else [])])


def _validate_devices(status: Json, allocation: Json | None, causes: list[Cause]) -> None:
    results = ((allocation or {}).get("devices") or {}).get("results") or ()
    allocated = frozenset(map(_identity, results))

    def device(each: Json, path: str, found: list[Cause]) -> None:
        _validate_device(each, allocated, path, found)

    listed = status.get("devices") or ()
    validate_set(listed, None, device, _identity, "status.devices", causes)


def _validate_place(device: Json, path: str, causes: list[Cause]) -> None:
    causes += driver_errors(device.get("driver") or "", f"{path}.driver")
    validate_pool_name(device.get("pool") or "", f"{path}.pool", causes)
    validate_label(device.get("device") or "", f"{path}.device", causes)


def _validate_device(
    device: Json, allocated: frozenset[str], path: str, causes: list[Cause]
) -> None:
    _validate_place(device, path, causes)
    if (share := device.get("shareID")) is not None:
        validate_uid(share, f"{path}.shareID", causes)
    if (identity := _identity(device)) not in allocated:
        causes.append(invalid(path, identity, "must be an allocated device in the claim"))
    conditions = device.get("conditions") or ()
    if len(conditions) > CONDITIONS_MAX:
        causes.append(too_many(f"{path}.conditions", len(conditions), CONDITIONS_MAX))
    validate_conditions(conditions, f"{path}.conditions", causes)
    if device.get("data") is not None:
        validate_raw(device["data"], DATA_MAX, f"{path}.data", causes)
    if (network := device.get("networkData")) is not None:
        _validate_network(network, f"{path}.networkData", causes)


def _validate_network(network: Json, path: str, causes: list[Cause]) -> None:
    for field, most in (("interfaceName", INTERFACE_MAX), ("hardwareAddress", HARDWARE_MAX)):
        if len((network.get(field) or "").encode()) > most:
            causes.append(too_long(f"{path}.{field}", most))
    listed = network.get("ips") or ()
    validate_set(listed, ADDRESSES_MAX, _validate_address, str, f"{path}.ips", causes)


def _validate_address(text: str, path: str, causes: list[Cause]) -> None:
    try:
        address = ipaddress.ip_interface(text)
    except ValueError:
        address = None
    if address is None or "/" not in text:
        causes.append(invalid(path, text, _ADDRESS))
    elif str(address) != text:
        causes.append(invalid(path, text, f'must be in canonical form ("{address}")'))


def _validate_allocation(allocation: Json, names: Names, causes: list[Cause]) -> None:
    """Only of a new one: what was allocated earlier was held to fewer rules."""
    path, devices = "status.allocation", allocation.get("devices") or {}

    def result(each: Json, at: str, found: list[Cause]) -> None:
        _validate_result(each, names, at, found)

    def config(each: Json, at: str, found: list[Cause]) -> None:
        found += one_of(f"{at}.source", each.get("source"), SOURCES)
        validate_config(each, names, at, found)

    here, most = f"{path}.devices", 2 * CONFIGS_MAX
    validate_slice(devices.get("results") or (), REQUESTS_MAX, result, f"{here}.results", causes)
    validate_slice(devices.get("config") or (), most, config, f"{here}.config", causes)
    if (selector := allocation.get("nodeSelector")) is not None:
        validate_node_selector(selector, f"{path}.nodeSelector", causes)


def _validate_result(result: Json, names: Names, path: str, causes: list[Cause]) -> None:
    validate_reference(result.get("request") or "", names, f"{path}.request", causes)
    _validate_place(result, path, causes)
    validate_binding(result, path, causes)
    if (share := result.get("shareID")) is not None:
        validate_uid(share, f"{path}.shareID", causes)
