"""A cluster that obeys: plans are applied to objects in a dict, for laws over many steps.

Pods that are deleted stay, terminating, until `reap`; finalizers hold them beyond that.
"""

from __future__ import annotations

import copy
from typing import Any

from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.patch import merge_patch
from busk8s.api.scheme import PODS, Resource, model_of
from busk8s.api.strategic import strategic_patch
from busk8s.master.controllers.actions import Action, Create, Delete, Patch, Plan, Update


class Model:
    def __init__(self, now: float) -> None:
        self.now = now
        self.objects: dict[tuple[str, str], Json] = {}
        self.resources: dict[str, Resource] = {}
        self._serial = 0

    # -- reading -------------------------------------------------------------------------------

    def all(self, resource: Resource) -> list[Object]:
        found = [data for (key, _), data in self.objects.items() if key == resource.key]
        return [self._object(resource, data) for data in found]

    def get(self, resource: Resource, name: str) -> Object | None:
        data = self.objects.get((resource.key, name))
        return self._object(resource, data) if data is not None else None

    def one(self, resource: Resource, name: str) -> Object:
        found = self.get(resource, name)
        assert found is not None, name
        return found

    def _object(self, resource: Resource, data: Json) -> Object:
        # A copy: what a plan saw does not change under it.
        data = copy.deepcopy(data)
        metadata = data["metadata"]
        return Object(
            resource, metadata.get("namespace", ""), metadata["name"], revision=7, body=b"",
            data=data,
        )  # fmt: skip

    # -- writing -------------------------------------------------------------------------------

    def put(self, obj: Object) -> None:
        self.objects[obj.resource.key, obj.name] = copy.deepcopy(obj.data)

    def perform(self, plan: Plan) -> None:
        for action in plan.actions:
            self.act(action)

    def act(self, action: Action) -> None:
        match action:
            case Create(resource=resource, data=data):
                self._create(resource, copy.deepcopy(data))
            case Update(resource=resource, data=data, subresource=sub):
                self._change(resource, data["metadata"]["name"], data, sub)
            case Patch(object=obj, patch=patch, kind=kind, subresource=sub):
                before = self.objects.get((obj.resource.key, obj.name))
                assert isinstance(patch, dict)
                if before is None:
                    return
                model = model_of(obj.resource)
                after: Any = (
                    strategic_patch(copy.deepcopy(before), patch, model)
                    if kind == "strategic"
                    else merge_patch(copy.deepcopy(before), patch)
                )
                self._change(obj.resource, obj.name, after, sub)
            case Delete(object=obj):
                self.delete(obj.resource, obj.name, obj.uid)

    def _create(self, resource: Resource, data: Json) -> None:
        metadata = data["metadata"]
        self._serial += 1
        metadata.setdefault("name", f"{metadata.get('generateName', '')}{self._serial}")
        name = metadata["name"]
        assert (resource.key, name) not in self.objects, f"{name} is there already"
        metadata["uid"] = f"uid {self._serial}"
        metadata["creationTimestamp"] = format_time(self.now)
        if resource == PODS:
            data["status"] = {"phase": "Pending"}
        self.objects[resource.key, name] = data

    def _change(self, resource: Resource, name: str, data: Json, subresource: str) -> None:
        before = self.objects[resource.key, name]
        after = {**before, "status": data.get("status")} if subresource == "status" else data
        self.objects[resource.key, name] = copy.deepcopy(after)
        metadata = after["metadata"]
        if metadata.get("stopped") and not metadata.get("finalizers"):
            del self.objects[resource.key, name]

    def delete(self, resource: Resource, name: str, uid: str) -> None:
        data = self.objects.get((resource.key, name))
        if data is None or data["metadata"]["uid"] != uid:
            return
        if resource == PODS:
            data["metadata"].setdefault("deletionTimestamp", format_time(self.now))
        else:
            del self.objects[resource.key, name]

    # -- the nodes -----------------------------------------------------------------------------

    def reap(self, name: str) -> None:
        """The kubelet has stopped a terminating pod."""
        data = self.objects[PODS.key, name]
        assert data["metadata"].get("deletionTimestamp")
        data["metadata"]["stopped"] = True
        if not data["metadata"].get("finalizers"):
            del self.objects[PODS.key, name]

    def run(self, name: str, *, ready: bool = True, node: str = "") -> None:
        data = self.objects[PODS.key, name]
        said = {"type": "Ready", "status": "True" if ready else "False"}
        said["lastTransitionTime"] = format_time(self.now)
        data["status"] = {"phase": "Running", "conditions": [said]}
        if node:
            data["spec"]["nodeName"] = node

    def end(self, name: str, phase: str) -> None:
        stamp = format_time(self.now)
        self.objects[PODS.key, name]["status"] = {"phase": phase, "finishedAt": stamp}
