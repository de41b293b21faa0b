"""Any well-typed object of any kind is defaulted and validated without a crash, purely."""

from __future__ import annotations

import random
from contextlib import suppress
from copy import deepcopy
from typing import Any, get_args, get_origin

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic_core import ValidationError as CoreValidationError

from busk8s.api import scheme
from busk8s.api.decode import decode
from busk8s.api.defaults import apply_defaults
from busk8s.api.formats import describe
from busk8s.api.patch import strategic_patch
from busk8s.api.shapes import validator_of
from busk8s.api.validation import validate_create, validate_status_update, validate_update
from busk8s.errors import Error

DEPTH_MAX = 7
TEXTS = (
    "", "a", "A", "x/y", "-", "/a/../b", "Always", "ClusterIP", "None", "NodePort", "Exists", "In",
    "RollingUpdate", "Recreate", "TCP", "IPv4", "10.0.0.1", "50%", "latest", "metadata.name",
)  # fmt: skip
BY_FORMAT = {
    "quantity": ("0", "1", "-1", "100m", "1.5Gi", "1e3", "1n"),
    "time": ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+01:00"),
    "micro-time": ("2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:05Z"),
    "bytes": ("", "YQ==", "e30="),
}


def made(annotation: Any, chance: random.Random, depth: int, metadata: Any = ()) -> Any:
    """A random value of the type, as JSON."""
    if texts := BY_FORMAT.get(describe(annotation, tuple(metadata)).format):
        if not isinstance(annotation, type) or annotation is not str:
            return leaf_container(annotation, chance, texts)
        return chance.choice(texts)
    if hasattr(annotation, "__metadata__"):
        return made(annotation.__origin__, chance, depth, annotation.__metadata__)
    origin, arms = get_origin(annotation), get_args(annotation)
    if origin is list:
        return [made(arms[0], chance, depth + 1) for _ in range(chance.choice((0, 1, 1, 2)))]
    if origin is dict:
        return {chance.choice(TEXTS): made(arms[1], chance, depth + 1) for _ in range(2)}
    arms = tuple(arm for arm in arms if arm is not type(None))
    if arms:
        return made(chance.choice(arms), chance, depth)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return struct(annotation, chance, depth + 1)
    if annotation is bool:
        return chance.random() < 0.5
    if annotation is int:
        return chance.choice((0, 1, 2, 80, -1, 70000))
    return 1.5 if annotation is float else chance.choice(TEXTS)


def leaf_container(annotation: Any, chance: random.Random, texts: tuple[str, ...]) -> Any:
    found = describe(annotation, ())
    if found.shape == "map":
        return {name: chance.choice(texts) for name in chance.sample(["cpu", "memory", "a/b"], 2)}
    return [chance.choice(texts)] if found.shape == "list" else chance.choice(texts)


def struct(model: type[BaseModel], chance: random.Random, depth: int) -> dict[str, Any]:
    share = 0.5 if depth < 4 else 0.25
    return {
        info.alias or name: made(info.annotation, chance, depth, info.metadata)
        for name, info in model.model_fields.items()
        if depth < DEPTH_MAX and (info.is_required() or chance.random() < share)
    }


def an_object(key: str, chance: random.Random) -> dict[str, Any] | None:
    resource = scheme.RESOURCES[key]
    obj = struct(scheme.model_of(resource), chance, 0)
    obj["kind"], obj["apiVersion"] = resource.kind, resource.api_version
    obj["metadata"] = {"name": "a", **obj.get("metadata", {})}
    try:
        return decode(resource, orjson.dumps(obj), "", "Strict")[0]
    except Error:
        return None  # a made-up text where a format is needed


@pytest.mark.parametrize("key", sorted(scheme.RESOURCES))
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_any_object_of_a_kind_is_completed_and_judged(key: str, seed: int) -> None:
    resource = scheme.RESOURCES[key]
    chance = random.Random(seed)
    obj, other = an_object(key, chance), an_object(key, chance)
    if obj is None or other is None:
        return
    for each in (obj, other):
        apply_defaults(resource, each)
    before = deepcopy((obj, other))
    apply_defaults(resource, obj)
    assert obj == before[0]
    validate_create(resource, obj)
    validate_update(resource, obj, other)
    validate_status_update(resource, obj, other)
    with suppress(Error):
        strategic_patch(obj, other, scheme.model_of(resource))
    assert (obj, other) == before


def complaints(check: Any) -> list[tuple[str, Any]]:
    try:
        check()
    except (ValidationError, CoreValidationError) as error:
        return sorted((each["type"], str(each["loc"])) for each in error.errors())
    return []


@given(st.integers(0, 2**32))
def test_the_quick_check_finds_what_the_model_finds(seed: int) -> None:
    chance = random.Random(seed)
    model = scheme.model_of(
        scheme.RESOURCES[chance.choice(["pods", "services", "deployments.apps"])]
    )
    obj = struct(model, chance, 0)
    spoil(obj, chance)
    quick = complaints(lambda: validator_of(model).validate_python(obj))
    whole = complaints(
        lambda: model.model_validate(obj, strict=True, extra="forbid", by_alias=True, by_name=False)
    )
    assert names(quick) == names(whole)


def names(found: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    same = {"dict_type": "struct", "model_type": "struct", "model_attributes_type": "struct"}
    return sorted((same.get(kind, kind), where) for kind, where in found)


def spoil(obj: Any, chance: random.Random) -> None:
    """Breaks something, somewhere."""
    while isinstance(obj, dict) and obj:
        if chance.random() < 0.3:
            obj[chance.choice([*obj, "unheard-of"])] = chance.choice(["x", 1, [], {}, 1.5, True])
        obj = obj[chance.choice(list(obj))]
        if isinstance(obj, list) and obj:
            obj = obj[0]
