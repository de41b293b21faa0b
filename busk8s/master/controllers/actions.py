"""What a controller may decide to do: values that `perform` carries out.

Owns      the vocabulary of actions, and the Plan that holds them.
Leaves    carrying them out (perform), why (each controller's plan).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource
from busk8s.client.interface import Client, PatchType, Propagation


@dataclass(frozen=True)
class Emit:
    """An Event about `about`, as the recorder writes it."""

    about: Object
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True)
class Told:
    """Which Events an action leaves behind; `{name}` and `{error}` are filled in."""

    about: Object
    success: tuple[str, str] | None = None  # (reason, message)
    failure: tuple[str, str] | None = None


@dataclass(frozen=True)
class Create:
    resource: Resource
    data: Json
    told: Told | None = None


@dataclass(frozen=True)
class Update:
    """PUT `data`, which carries the resourceVersion it was made from."""

    resource: Resource
    data: Json
    subresource: str = ""
    told: Told | None = None


@dataclass(frozen=True)
class Patch:
    object: Object
    patch: Json | Sequence[Json]
    kind: PatchType = "merge"
    subresource: str = ""
    told: Told | None = None


@dataclass(frozen=True)
class Delete:
    object: Object
    grace_period_s: int | None = None
    propagation: Propagation | None = None
    told: Told | None = None


@dataclass(frozen=True)
class Call:
    """A step that plain verbs cannot say (look at the server itself, sweep a namespace).

    Compared by what it is called, so that plans stay values.
    """

    name: str
    run: Callable[[Client], Awaitable[None]] = field(compare=False)


Action = Create | Update | Patch | Delete | Emit | Call


@dataclass(frozen=True)
class Plan:
    """`look_again_after_s`: nothing will wake us then, but time alone changes the answer."""

    actions: tuple[Action, ...] = ()
    look_again_after_s: float | None = None


NOTHING = Plan()


def patch_status(obj: Object, status: Json, told: Told | None = None) -> list[Action]:
    """The merge patch that turns the status of `obj` into `status`; nothing if it is that."""
    difference = merge_difference(obj.data.get("status") or {}, status)
    if not difference:
        return []
    return [Patch(obj, {"status": difference}, subresource="status", told=told)]


def put_status(obj: Object, status: Json) -> list[Action]:
    """As `patch_status`, but refused when `obj` has changed meanwhile: for counts that others
    write as well, or that must never be made from an old state."""
    if (obj.data.get("status") or {}) == status:
        return []
    return [Update(obj.resource, {**obj.data, "status": status}, subresource="status")]


def merge_difference(old: Json, new: Json) -> Json:
    """The JSON merge patch from `old` to `new`."""
    difference: Json = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if key in old and before == value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            difference[key] = merge_difference(before, value)
        else:
            difference[key] = value
    return difference


def sooner(*delays_s: float | None) -> float | None:
    """The first of several times to look again."""
    known = [delay for delay in delays_s if delay is not None]
    return min(known) if known else None
