"""ConfigMaps and Secrets: keys that can be file names, sizes, types, immutability.

Source    Kubernetes API reference, "Config and Storage"; the rules of core validation.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from busk8s.api.gojson import syntax_error
from busk8s.api.meta import config_key_errors
from busk8s.api.rules.cause import (
    forbidden,
    immutable,
    invalid,
    invalid_each,
    required,
    too_long,
)
from busk8s.errors import Cause

Json = dict[str, Any]

DATA_BYTES_MAX = 1024 * 1024
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_FIXED = "field is immutable when `immutable` is set"
_JSON_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"), (str, "string"), (list, "array"), ((int, float), "number"),
)  # fmt: skip
_DOCKER = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}


def validate_config_map(config_map: Json, causes: list[Cause]) -> None:
    data, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    size = 0
    for key, value in data.items():
        causes += invalid_each(f"data[{key}]", key, config_key_errors(key))
        if key in binary:
            detail = "duplicate of key present in binaryData"
            causes.append(invalid(f"data[{key}]", key, detail))
        size += len(value.encode())
    for key, value in binary.items():
        causes += invalid_each(f"binaryData[{key}]", key, config_key_errors(key))
        size += _decoded_size(value)
    if size > DATA_BYTES_MAX:
        causes.append(too_long("", DATA_BYTES_MAX))


def validate_config_map_update(new: Json, old: Json, causes: list[Cause]) -> None:
    _validate_fixed(new, old, ("data", "binaryData"), causes)
    validate_config_map(new, causes)


def validate_secret(secret: Json, causes: list[Cause]) -> None:
    data = secret.get("data") or {}
    for key in data:
        causes += invalid_each(f"data[{key}]", key, config_key_errors(key))
    if sum(map(_decoded_size, data.values())) > DATA_BYTES_MAX:
        causes.append(too_long("data", DATA_BYTES_MAX))
    _validate_type(secret, data, causes)


def validate_secret_update(new: Json, old: Json, causes: list[Cause]) -> None:
    if new.get("type") != old.get("type"):
        causes.append(immutable("type", new.get("type")))
    _validate_fixed(new, old, ("data",), causes)
    validate_secret(new, causes)


def _validate_type(secret: Json, data: Json, causes: list[Cause]) -> None:
    kind = secret.get("type")
    if kind == "kubernetes.io/service-account-token":
        annotations = (secret.get("metadata") or {}).get("annotations") or {}
        if not annotations.get(SERVICE_ACCOUNT_NAME):
            causes.append(required(f"metadata.annotations[{SERVICE_ACCOUNT_NAME}]"))
    elif kind in _DOCKER:
        key = _DOCKER[kind]
        if key not in data:
            causes.append(required(f"data[{key}]"))
        elif problem := _no_object(base64.b64decode(data[key])):
            causes.append(invalid(f"data[{key}]", "<secret contents redacted>", problem))
    elif kind == "kubernetes.io/basic-auth":
        if not data.keys() & {"username", "password"}:
            causes += [required("data[username]"), required("data[password]")]
    elif kind == "kubernetes.io/ssh-auth":
        if not data.get("ssh-privatekey"):
            causes.append(required("data[ssh-privatekey]"))
    elif kind == "kubernetes.io/tls":
        causes += [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]


def _validate_fixed(new: Json, old: Json, names: tuple[str, ...], causes: list[Cause]) -> None:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        causes.append(forbidden("immutable", _FIXED))
    causes += [
        forbidden(name, _FIXED) for name in names if (new.get(name) or {}) != (old.get(name) or {})
    ]


def _decoded_size(text: str) -> int:
    return len(text) // 4 * 3 - text[-2:].count("=")


def _no_object(text: bytes) -> str:
    """Why it is not read as one, in the words of Go."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return syntax_error(text)
    if value is None or isinstance(value, dict):
        return ""
    kind = next(name for types, name in _JSON_KINDS if isinstance(value, types))
    return f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
