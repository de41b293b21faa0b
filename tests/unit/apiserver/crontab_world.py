"""A world with custom resources: definitions come to life as in the assembly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from api_world import Api, world

from busk8s.master.apiserver.definitions import DefinitionKeeper
from busk8s.tasks import Nursery

Json = dict[str, Any]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRONTABS = "/apis/stable.example.com/v1/namespaces/default/crontabs"
NAME = "crontabs.stable.example.com"


@asynccontextmanager
async def living(**given: Any) -> AsyncIterator[Api]:
    api = await world(**given)
    async with Nursery() as nursery:
        keeper = DefinitionKeeper(api.server.parts, api.server.dispatch)
        nursery.spawn(keeper.run(), name="definitions")
        yield api


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.01)


def version(name: str = "v1", *, storage: bool = True, **more: Any) -> Json:
    spec = {"type": "object", "properties": {"cronSpec": {"type": "string"},
            "replicas": {"type": "integer", "minimum": 0}}}  # fmt: skip
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema},
        **more,
    }


def definition(*versions: Json, group: str = "stable.example.com", **names: Any) -> Json:
    wanted = {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"], **names}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{wanted['plural']}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": wanted,
            "versions": list(versions) or [version()],
        },
    }


def crontab(name: str = "a", api_version: str = "v1", **spec: Any) -> Json:
    return {
        "apiVersion": f"stable.example.com/{api_version}",
        "kind": "CronTab",
        "metadata": {"name": name},
        "spec": spec or {"cronSpec": "* * * * *"},
    }


async def defined(api: Api, *versions: Json, **names: Any) -> Json:
    made = await api.must("POST", CRDS, definition(*versions, **names))
    await settle()
    return await api.must("GET", f"{CRDS}/{made['metadata']['name']}")
