"""A server with a kind of four versions, and the webhook that converts between them, over HTTPS."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from hook_server import Certificates, HookServer, Json, hook_server

from busk8s.api.request import Request, Response, User
from busk8s.clock import SystemClock
from busk8s.ids import RandomIds
from busk8s.master.apiserver.admission.chain import AdmissionChain
from busk8s.master.apiserver.admission.policies.plugins import AdmissionPolicies
from busk8s.master.apiserver.admission.webhooks.plugins import Webhooks
from busk8s.master.apiserver.aggregation.aggregator import Aggregator
from busk8s.master.apiserver.attributes import AllowAll
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.definitions import DefinitionKeeper
from busk8s.master.apiserver.outgoing import Outgoing
from busk8s.master.apiserver.server import ApiServer
from busk8s.master.store.memory import MemoryStore
from busk8s.master.store.watch import WatchCache

ADMIN = User("admin", ("system:masters",))
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = "multiversions.stable.example.com"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
SERVED = ("v1beta1", "v1alpha1", "v1beta2")


def url(version: str, name: str = "", namespace: str = "default") -> str:
    path = f"/apis/stable.example.com/{version}/namespaces/{namespace}/multiversions"
    return f"{path}/{name}" if name else path


def fields(version: str) -> tuple[str, str]:
    return ("contentv2", "numv2") if version == "v1beta2" else ("content", "num")


def custom(version: str, name: str = "a", num1: int = 1, **more: Any) -> Json:
    content, num = fields(version)
    return {
        "apiVersion": f"stable.example.com/{version}",
        "kind": "MultiVersion",
        "metadata": {"name": name},
        content: {"key": "value"},
        num: {"num1": num1, "num2": 1_000_000},
        **more,
    }


def version(name: str, *, served: bool = True) -> Json:
    content, num = fields(name)
    numbers = {"num1": {"type": "integer"}, "num2": {"type": "integer"}}
    defaults = {each: {"type": "boolean"} for each in (*SERVED, "v1alpha2")}
    defaults[name] = {"type": "boolean", "default": True}
    places = {
        content: {"type": "object", "properties": {"key": {"type": "string"}}},
        num: {"type": "object", "properties": numbers},
        "defaults": {"type": "object", "properties": defaults},
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
        "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
    }
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    return {
        "name": name,
        "served": served,
        "storage": name == "v1beta1",
        "schema": {"openAPIV3Schema": {"type": "object", "properties": places}},
        "subresources": {"status": {}, "scale": scale},
        "additionalPrinterColumns": [
            {"name": "Num", "type": "integer", "jsonPath": f".{num}.num1"}
        ],
    }


def definition(conversion: Json) -> Json:
    versions = [version(each) for each in SERVED] + [version("v1alpha2", served=False)]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": "stable.example.com",
            "scope": "Namespaced",
            "names": {"plural": "multiversions", "kind": "MultiVersion"},
            "versions": versions,
            "conversion": conversion,
        },
    }


def converted(obj: Json, desired: str) -> Json:
    """What an honest webhook makes of `obj`: the fields of v1beta2 have other names."""
    made = copy.deepcopy(obj)
    old, new = (fields(each.rpartition("/")[2]) for each in (obj["apiVersion"], desired))
    for before, after in zip(old, new, strict=True):
        if before in made:
            made[after] = made.pop(before)
    made["apiVersion"] = desired
    return made


def said(asked: Json, objects: list[Any], **response: Any) -> Json:
    return {
        "kind": "ConversionReview",
        "apiVersion": asked["apiVersion"],
        "response": {
            "uid": asked["request"]["uid"],
            "convertedObjects": objects,
            "result": {"status": "Success"},
            **response,
        },
    }


def honest(asked: Json) -> Json:
    request = asked["request"]
    desired = request["desiredAPIVersion"]
    return said(asked, [converted(each, desired) for each in request["objects"]])


def changing(change: Callable[[Json], None]) -> Callable[[Json], Json]:
    """An honest webhook's answer, with each of its objects changed."""

    def answer(asked: Json) -> Json:
        review = honest(asked)
        for each in review["response"]["convertedObjects"]:
            change(each)
        return review

    return answer


class World:
    def __init__(self, hooks: HookServer, certificates: Certificates) -> None:
        self.hooks = hooks
        self.client: Json = {"url": hooks.url, "caBundle": certificates.bundle}
        clock = SystemClock()
        self.store = MemoryStore(clock)
        self.catalog = Catalog()
        self.cache = WatchCache(self.store, self.catalog.shelf, clock)
        ids = RandomIds(random.Random(1))
        self.outgoing = Outgoing(self.cache, clock)
        self.webhooks = Webhooks(self.cache, self.outgoing, ids, clock, None)
        self.policies = AdmissionPolicies(self.cache, AllowAll(), self.catalog)
        chain = AdmissionChain(
            self.cache,
            ids=ids,
            mutating=(self.policies.mutating, self.webhooks.mutating),
            validating=(self.policies.validating, self.webhooks.validating),
        )
        self.server = ApiServer(
            self.store,
            self.cache,
            clock=clock,
            ids=ids,
            admission=chain,
            catalog=self.catalog,
            aggregator=Aggregator(self.cache, self.outgoing, None),
        )
        self.keeper = DefinitionKeeper(self.server.parts, self.server.dispatch)

    async def open(self, reviews: tuple[str, ...]) -> None:
        await self.store.open()
        await self.cache.open()
        self.server.open()
        self.policies.open()
        self.webhooks.open()
        space = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "default"}}
        await self.must("POST", "/api/v1/namespaces", space)
        await self.must("POST", CRDS, definition(self.by_webhook(*reviews)))
        await self.keeper.settle()

    def by_webhook(self, *reviews: str) -> Json:
        webhook = {"clientConfig": self.client, "conversionReviewVersions": list(reviews)}
        return {"strategy": "Webhook", "webhook": webhook}

    async def raw(
        self, method: str, where: str, body: Any = None, media: str = "", accept: str = ""
    ) -> Response:
        path, _, text = where.partition("?")
        query = {k: [v] for k, _, v in (p.partition("=") for p in text.split("&") if p)}
        data = b"" if body is None else orjson.dumps(body)
        kind = media or "application/json"
        return await self.server.dispatch(Request(method, path, ADMIN, query, data, kind, accept))

    async def do(
        self, method: str, where: str, body: Any = None, media: str = "", accept: str = ""
    ) -> tuple[int, Json]:
        response = await self.raw(method, where, body, media, accept)
        return response.status, orjson.loads(response.body)

    async def must(self, method: str, where: str, body: Any = None, media: str = "") -> Json:
        status, data = await self.do(method, where, body, media)
        assert status < 300, data
        return data

    async def spec(self, **changes: Any) -> Json:
        """Change the definition, and wait until it is in force."""
        changed = await self.must("PATCH", f"{CRDS}/{NAME}", {"spec": changes}, MERGE)
        await self.keeper.settle()
        return changed

    async def store_as(self, name: str) -> Json:
        found = await self.must("GET", f"{CRDS}/{NAME}")
        versions = found["spec"]["versions"]
        return await self.spec(versions=[{**v, "storage": v["name"] == name} for v in versions])

    async def bound(self, kind: str, spec: Json) -> None:
        """An admission policy that refuses what it cannot judge, and its binding."""
        group = "admissionregistration.k8s.io"
        head = {"apiVersion": f"{group}/v1", "metadata": {"name": "mine"}}
        binding: Json = {"policyName": "mine"}
        if kind == "Validating":
            binding["validationActions"] = ["Deny"]
        for suffix, plural, body in (
            ("Policy", "policies", {"failurePolicy": "Fail", **spec}),
            ("PolicyBinding", "policybindings", binding),
        ):
            where = f"/apis/{group}/v1/{kind.lower()}admission{plural}"
            made = {**head, "kind": f"{kind}Admission{suffix}", "spec": body}
            await self.must("POST", where, made)

    def stored(self, name: str = "a") -> Json:
        """The object as it lies in the store, without its metadata."""
        obj = self.cache.get(NAME, "default", name)
        assert obj is not None
        return {key: value for key, value in obj.data.items() if key not in ("metadata", "kind")}

    @property
    def calls(self) -> int:
        return len(self.hooks.asked)


@asynccontextmanager
async def world(
    certificates: Certificates,
    answer: Callable[[Json], Any] = honest,
    reviews: tuple[str, ...] = ("v1", "v1beta1"),
) -> AsyncIterator[World]:
    async with hook_server(certificates.server("127.0.0.1")) as hooks:
        hooks.answer = answer
        made = World(hooks, certificates)
        await made.open(reviews)
        try:
            yield made
        finally:
            made.outgoing.close()


async def events(response: Response, count: int) -> list[Json]:
    """The first `count` events of a watch, which is then closed."""
    found: list[Json] = []
    assert response.stream is not None
    async for chunk in response.stream:
        found += [orjson.loads(line) for line in chunk.splitlines()]
        if len(found) >= count:
            break
    await response.stream.aclose()  # type: ignore[attr-defined]  # an async generator
    return found


async def listening(response: Response, count: int) -> asyncio.Task[list[Json]]:
    """As `events`, begun."""
    task = asyncio.ensure_future(events(response, count))
    await asyncio.sleep(0)
    return task
