"""A CustomResourceDefinition of widgets, and a server that keeps it."""

from __future__ import annotations

from typing import Any

from api_world import Api, Json, world

from busk8s.master.apiserver.definitions import DefinitionKeeper

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "count": {"type": "integer"},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "many": {"type": "integer"}},
                    },
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "count": {"type": "integer"},
                "selector": {"type": "string"},
                "ready": {"type": "boolean"},
            },
        },
    },
}
OPEN: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str = "v1", **given: Any) -> Json:
    return {
        "name": name,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        **given,
    }


def definition(plural: str = "widgets", kind: str = "Widget", **spec: Any) -> Json:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "shortNames": [plural[:2]]},
            "versions": [version(subresources={"status": {}})],
            **spec,
        },
    }


def widget(name: str = "a", spec: Json | None = None, **more: Any) -> Json:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1} if spec is None else spec,
        **more,
    }


async def keeping(api: Api) -> DefinitionKeeper:
    return DefinitionKeeper(api.server.parts, api.server.dispatch)


async def custom(*definitions: Json) -> tuple[Api, DefinitionKeeper]:
    """A server that serves what `definitions` define: of widgets, if there are none."""
    api = await world()
    keeper = await keeping(api)
    for each in definitions or (definition(),):
        await api.must("POST", DEFINITIONS, each)
    await keeper.settle()
    return api, keeper
