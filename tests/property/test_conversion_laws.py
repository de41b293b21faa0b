"""Shared conversions under any timing: everybody who stays gets what is right, or the failure."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from busk8s import errors
from busk8s.api.definitions import resources_of
from busk8s.api.object import Json, Object, encode, head_length, with_revision
from busk8s.api.scheme import CUSTOMRESOURCEDEFINITIONS, Resource
from busk8s.clock import LoopClock
from busk8s.ids import RandomIds
from busk8s.master.apiserver.conversion import converter
from busk8s.master.apiserver.conversion.converter import Conversions
from busk8s.master.apiserver.outgoing import Answer, CallFailed

ASKERS, STATES = 60, 12


class Webhook:
    """Stands where the network is: answers late, fails, or lies, as chance has it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.asked: list[tuple[str, ...]] = []
        self.at_work = self.most = 0

    async def call(self, target: object, body: bytes, **more: Any) -> Answer:
        request = orjson.loads(body)["request"]
        self.asked.append(tuple(o["metadata"]["resourceVersion"] for o in request["objects"]))
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            await asyncio.sleep(self._chance.uniform(0, 2))
        finally:
            self.at_work -= 1
        fate = self._chance.random()
        if fate < 0.1:
            raise CallFailed("EOF")
        objects = [{**o, "apiVersion": request["desiredAPIVersion"]} for o in request["objects"]]
        if fate < 0.2:
            objects = objects[1:]
        response = {
            "uid": request["uid"],
            "convertedObjects": objects,
            "result": {"status": "Success"},
        }
        review = {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1"}
        return Answer(200, orjson.dumps({**review, "response": response}), {})


def versions() -> Sequence[Resource]:
    opened = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    data: Json = {
        "kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1",
        "metadata": {"name": "ws.example.com", "uid": "u", "generation": 1},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "ws", "kind": "W"},
            "versions": [
                {"name": name, "served": True, "storage": name == "v1", "schema": opened}
                for name in ("v1", "v2")
            ],
            "conversion": {
                "strategy": "Webhook",
                "webhook": {
                    "clientConfig": {"url": "https://hook.example.com/"},
                    "conversionReviewVersions": ["v1"],
                },
            },
        },
    }
    body = encode(data)
    return resources_of(
        Object(CUSTOMRESOURCEDEFINITIONS, "", "ws.example.com", revision=1, body=body), data
    )


def state(stored: Resource, revision: int) -> Object:
    name = f"w{revision % 4}"
    metadata = {"name": name, "namespace": "default", "uid": name}
    body = encode({"kind": "W", "apiVersion": "example.com/v1", "metadata": metadata,
                   "said": revision})  # fmt: skip
    body = with_revision(body, revision, head_length=head_length(stored, body))
    return Object(stored, "default", name, revision=revision, body=body)


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_stays_is_answered_rightly_and_nothing_is_left_behind(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(converter, "KEPT_BYTES_MAX", 1_500)  # About eight objects.
    monkeypatch.setattr(converter, "BATCH_OBJECTS_MAX", 3)
    webhook = Webhook(chance)
    conversions = Conversions(webhook, RandomIds(chance), LoopClock())  # type: ignore[arg-type]  # what it calls of it
    served = versions()
    stored = next(r for r in served if r.version == "v1")
    wanted = next(r for r in served if r.version == "v2")
    states = [state(stored, revision) for revision in range(2, 2 + STATES)]

    async def ask() -> str:
        await asyncio.sleep(chance.uniform(0, 20))
        given = chance.sample(states, chance.randint(1, 6))
        try:
            found = await conversions.objects(wanted, given)
        except errors.Error as error:
            return error.message
        for before, after in zip(given, found, strict=True):
            assert after.data == before.data | {"apiVersion": "example.com/v2"}
        return "answered"

    tasks = [asyncio.ensure_future(ask()) for _ in range(ASKERS)]
    for task in chance.sample(tasks, ASKERS // 4):
        asyncio.get_running_loop().call_later(chance.uniform(0, 22), task.cancel)
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ends} <= {str, asyncio.CancelledError}
    assert "answered" in ends
    said = {end for end in ends if isinstance(end, str)} - {"answered"}
    assert all(text.startswith("conversion webhook for example.com/v") for text in said)
    assert webhook.at_work == 0
    assert webhook.most <= converter.CALLS_AT_ONCE_MAX
    assert max(map(len, webhook.asked)) <= 3
    assert not conversions._flights
    kept = [len(each.made.body) for each in conversions._kept.values()]
    assert sum(kept) == conversions._bytes <= 1_500


async def test_a_state_is_asked_for_once_while_it_is_kept_and_again_when_it_is_old() -> None:
    webhook = Webhook(random.Random(3))
    webhook._chance.random = lambda: 0.5  # type: ignore[method-assign]  # it always succeeds
    clock = LoopClock()
    conversions = Conversions(webhook, RandomIds(random.Random(1)), clock)  # type: ignore[arg-type]  # as above
    served = versions()
    stored, wanted = (next(r for r in served if r.version == name) for name in ("v1", "v2"))
    obj = state(stored, 5)
    found = await asyncio.gather(*(conversions.object(wanted, obj) for _ in range(100)))
    assert len(webhook.asked) == 1
    assert len({id(each) for each in found}) == 1
    await asyncio.sleep(converter.KEPT_S - 5)
    await conversions.object(wanted, obj)
    assert len(webhook.asked) == 1
    await asyncio.sleep(10)
    await conversions.object(wanted, obj)
    assert len(webhook.asked) == 2
    conversions.forget()
    await conversions.object(wanted, obj)
    assert len(webhook.asked) == 3
