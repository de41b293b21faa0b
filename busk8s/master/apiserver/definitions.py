"""The life of CustomResourceDefinitions: names accepted, established, and emptied at their end.

Owns      the conditions and acceptedNames of each definition, deleting what it defined.
Leaves    what a definition may say (api.custom.definition), serving it (catalog).
Invariant a name belongs to one definition; a definition goes after its last object, not before.
Source    Kubernetes API reference, CustomResourceDefinitionStatus; the reasons are upstream's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.custom.approval import approval
from busk8s.api.custom.conversions import bundle_is_sound
from busk8s.api.definitions import stored_as
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.request import Request
from busk8s.api.scheme import Resource
from busk8s.log import Logger
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.authn import LOOPBACK
from busk8s.master.apiserver.catalog import DEFINITIONS
from busk8s.master.apiserver.delete import delete_object
from busk8s.master.apiserver.delete_plan import CLEANUP, DeleteOptions
from busk8s.master.apiserver.loopback import Dispatch, ask
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.store.base import StoreError
from busk8s.master.store.watch import Event

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DELETES_MAX = 500  # Of one definition, before others get their turn.
AGAIN_S = 0.5  # Until the objects that finalizers hold are looked at again.

# The names each definition of a group has been given.
Names = dict[str, Json]

log = Logger("busk8s.definitions")


class DefinitionKeeper:
    """Work is by name: a definition costs what it costs, however many there are beside it."""

    def __init__(self, parts: Parts, dispatch: Dispatch) -> None:
        self._parts, self._cache, self._clock = parts, parts.cache, parts.clock
        self._dispatch = dispatch
        self._awake = asyncio.Event()
        self._due: dict[str, None] = {}
        self._taken: dict[str, Names] = {}  # By group.
        self._stuck: dict[str, str] = {}  # Why objects of a definition that ends stay.
        cache = parts.cache
        for definition in sorted(cache.list(DEFINITIONS), key=lambda each: each.revision):
            self._note(definition)
        cache.on_events(self._observe)

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.object.resource.key != DEFINITIONS:
                continue
            if event.type == "DELETED":
                names = self._taken.get(event.object.glance()["spec"]["group"], {})
                names.pop(event.object.name, None)
                self._stuck.pop(event.object.name, None)
                for waiting in names:  # Whoever wanted one of its names may have it now.
                    self._later(waiting)
            else:
                self._note(event.object)
                # Schemas are large when parsed, and seldom read: they stay bytes.
                event.object.forget()

    def _note(self, definition: Object) -> None:
        data = definition.glance()
        accepted = (data.get("status") or {}).get("acceptedNames") or {}
        self._taken.setdefault(data["spec"]["group"], {})[definition.name] = accepted
        self._later(definition.name)

    def _later(self, name: str) -> None:
        self._due[name] = None
        self._awake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            if await self.settle():
                await self._clock.sleep(AGAIN_S)
                self._awake.set()

    async def settle(self) -> bool:
        """Bring every changed definition forward; whether one is not yet where it should be."""
        unfinished: dict[str, None] = {}
        while self._due:
            name = next(iter(self._due))
            del self._due[name]
            if not await self._forward(name):
                unfinished[name] = None
        self._due |= unfinished
        return bool(unfinished)

    async def _forward(self, name: str) -> bool:
        definition = self._cache.get(DEFINITIONS, "", name)
        if definition is None:
            return True
        data = definition.glance()
        taken, stuck = self._taken[data["spec"]["group"]], self._stuck.get(name, "")
        status = decide(name, data, taken, self._clock.now(), stuck)
        if status != data.get("status"):
            return await self._write(name, {**data, "status": status})
        return "deletionTimestamp" not in data["metadata"] or await self._empty(definition, data)

    async def _write(self, name: str, body: Json) -> bool:
        path = f"{PATH}/{name}/status"
        code, answer = await ask(self._dispatch, "PUT", path, body)
        if code >= 400 and code not in (404, 409):
            log.warning("a definition's status was refused", name=name, why=answer)
        return code < 400 or code == 404

    async def _empty(self, definition: Object, data: Json) -> bool:
        """Delete what is left of its objects; let it go once there is nothing."""
        if CLEANUP not in (data["metadata"].get("finalizers") or ()):
            return True
        stored = stored_as(definition, data)
        for obj in self._cache.list(stored.key)[:DELETES_MAX]:
            if not obj.deleting and not await self._erase(definition.name, stored, obj):
                return False
        self._stuck.pop(definition.name, None)
        if self._cache.list(stored.key):
            return False
        rest_ = [each for each in data["metadata"]["finalizers"] if each != CLEANUP]
        metadata = {**data["metadata"], "finalizers": rest_}
        path = f"{PATH}/{definition.name}"
        code, _ = await ask(self._dispatch, "PUT", path, {**data, "metadata": metadata})
        return code < 400 or code == 404

    async def _erase(self, name: str, stored: Resource, obj: Object) -> bool:
        """Delete an object, in the version that is stored: that one may not be served, and nothing
        is converted for it, so a webhook may be gone before."""
        path = f"{stored.path}/{stored.plural}/{obj.name}"
        attributes = Attributes(LOOPBACK, "delete", stored, "", obj.namespace, obj.name, path)
        request = Request("DELETE", path, LOOPBACK)
        call = Call(request, attributes, stored, stored, rest.Accept(), self._clock.now())
        try:
            await delete_object(self._parts, call, DeleteOptions())
        except (errors.Error, StoreError) as error:
            if getattr(error, "code", 0) not in (404, 409):
                if self._stuck.get(name) != str(error):
                    log.warning("an object of a definition that ends stays", name=path, why=error)
                self._stuck[name] = str(error)
                return False
        return True


def decide(name: str, data: Json, taken: Names, now: float, stuck: str = "") -> Json:
    """The status definition `name` should have among the others."""
    spec, status = data["spec"], data.get("status") or {}
    names, accepted = spec["names"], dict(status.get("acceptedNames") or {})
    conflict = _conflict(name, data["spec"], taken)
    conditions: list[Json] = [dict(each) for each in status.get("conditions") or ()]
    if conflict is None:
        accepted = {key: value for key, value in names.items() if value}
        _set(conditions, "NamesAccepted", True, "NoConflicts", "no conflicts found", now)
    else:
        _set(conditions, "NamesAccepted", False, *conflict, now)
    established = _is(conditions, "Established")
    ending = "deletionTimestamp" in data["metadata"]
    if conflict is None and not established and not bundle_is_sound(spec.get("conversion")):
        text = "The conversion webhook CABundle is invalid"
        _set(conditions, "Established", False, "InvalidCABundle", text, now)
    elif conflict is None and not ending:
        text = "the initial names have been accepted"
        _set(conditions, "Established", True, "InitialNamesAccepted", text, now)
    elif conflict is not None and not established:
        text = "not all names are accepted"
        _set(conditions, "Established", False, "NotAccepted", text, now)
    reviewed = approval(spec["group"], data["metadata"].get("annotations") or {})
    if reviewed is not None:
        kind, said = "KubernetesAPIApprovalPolicyConformant", (reviewed.reason, reviewed.message)
        _set(conditions, kind, reviewed.approved, *said, now)
    if "deletionTimestamp" in data["metadata"]:
        why = ("InstanceDeletionInProgress", "CustomResource deletion is in progress")
        if stuck:
            why = ("InstanceDeletionFailed", f"could not issue all deletes: {stuck}")
        _set(conditions, "Terminating", True, *why, now)
    return {**status, "conditions": conditions, "acceptedNames": accepted}


def _conflict(own: str, spec: Json, accepted: Names) -> tuple[str, str] | None:
    """(reason, message) when a name is somebody else's already in the group."""
    names, group = spec["names"], spec["group"]
    resources: set[str] = set()
    kinds: set[str] = set()
    for other, taken in accepted.items():
        if other == own:
            continue
        resources |= {*_texts(taken, "plural", "singular"), *(taken.get("shortNames") or ())}
        kinds |= {*_texts(taken, "kind", "listKind")}
    for builtin in scheme.SERVED:
        if builtin.group == group:
            resources |= {builtin.plural, builtin.singular, *builtin.short_names}
            kinds |= {builtin.kind, builtin.list_kind}
    found: tuple[str, str] | None = None
    short = next((name for name in names.get("shortNames") or () if name in resources), "")
    for name, reason, taken_by in (
        (names.get("plural"), "PluralConflict", resources),
        (names.get("singular"), "SingularConflict", resources),
        (short, "ShortNamesConflict", resources),
        (names.get("kind"), "KindConflict", kinds),
        (names.get("listKind"), "ListKindConflict", kinds),
    ):
        if name and name in taken_by:  # As upstream, the last one is told.
            found = reason, f'"{name}" is already in use'
    return found


def _texts(names: Json, *fields: str) -> list[str]:
    return [str(names[field]) for field in fields if names.get(field)]


def _is(conditions: Iterable[Json], kind: str) -> bool:
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def _set(
    conditions: list[Json], kind: str, true: bool, reason: str, message: str, now: float
) -> None:
    """In place; the time of the transition stays while the status does."""
    status = "True" if true else "False"
    found = next((each for each in conditions if each["type"] == kind), None)
    if found is None:
        found = {"type": kind}
        conditions.append(found)
    if found.get("status") != status:
        found["lastTransitionTime"] = format_time(now)
    found.update(status=status, reason=reason, message=message)
