"""One loop for all controllers: watch, queue, observe, plan, perform, again.

Owns      queues, wake-ups, back-off, the error policy (`_settle`), metrics, concurrency.
Leaves    what wakes a controller, what it sees and what it decides (each controller).
Invariant one key of one controller is worked on by one task at a time; a plan without actions
          costs no task; whatever fails is tried again with back-off, in this one place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from busk8s.api.object import Object
from busk8s.api.scheme import Resource
from busk8s.client.reflector import SharedCaches
from busk8s.client.workqueue import WorkQueue
from busk8s.clock import Clock
from busk8s.errors import Error
from busk8s.log import Logger
from busk8s.master.controllers.actions import Plan
from busk8s.master.controllers.perform import Performer, is_benign
from busk8s.tasks import Nursery, supervise

WORKERS_MAX = 64  # Plans of one controller that are performed at the same time.
TURN_KEYS_MAX = 32  # Keys planned before other tasks get their turn.
AGAIN_MIN_S = 0.001
SPACING_S = 0.02  # Between two plans with actions for one key: a burst of changes is one write.
REST_SHARE = 10  # A key that is dear to plan (a Service of thousands) rests so many times as long.
REST_MIN_S = 0.005  # Shorter rests are not worth a task.
REST_MAX_S = 1.0

Wake = Callable[[Object | None, Object | None], Iterable[str]]

_log = Logger("busk8s.controllers")


class Controller(Protocol):
    """`wakes`: for a change (before, after) of each kind, the keys to look at."""

    @property
    def name(self) -> str: ...

    @property
    def component(self) -> str:
        """Who its Events are from."""
        ...

    @property
    def wakes(self) -> Mapping[Resource, Wake]: ...

    def observe(self, key: str, failure: Error | None) -> Any:
        """What the caches show of `key`, or None: gone, so done. `failure`: of the last try."""
        ...

    def plan(self, observed: Any, now: float) -> Plan: ...


@dataclass
class Counts:
    """What one controller did, for /metrics."""

    syncs: int = 0
    actions: int = 0
    errors: int = 0
    conflicts: int = 0
    seconds: float = 0.0


@dataclass
class _Post:
    """A controller at work: its queue, its failures, its counts."""

    controller: Controller
    queue: WorkQueue
    performer: Performer
    slots: asyncio.Semaphore
    failures: dict[str, Error] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)


class Loop:
    def __init__(
        self,
        controllers: Sequence[Controller],
        caches: SharedCaches,
        performer: Performer,
        clock: Clock,
    ) -> None:
        self._caches = caches
        self._clock = clock
        self._posts = [
            _Post(
                controller,
                WorkQueue(clock),
                performer.named(controller.component),
                asyncio.Semaphore(WORKERS_MAX),
            )
            for controller in controllers
        ]
        for post in self._posts:
            for resource, wake in post.controller.wakes.items():
                caches.listen(resource, _listener(post.queue, wake))

    @property
    def queues(self) -> Mapping[str, WorkQueue]:
        return {post.controller.name: post.queue for post in self._posts}

    @property
    def counts(self) -> Mapping[str, Counts]:
        return {post.controller.name: post.counts for post in self._posts}

    def wake_by(self, name: str, resource: Resource, wake: Wake) -> None:
        """Let changes of `resource`, a kind that came later, wake controller `name`."""
        self._caches.listen(resource, _listener(self.queue(name), wake))

    def queue(self, name: str) -> WorkQueue:
        """The queue of controller `name`: for sources of wake-ups that are not watches."""
        return next(post.queue for post in self._posts if post.controller.name == name)

    @property
    def idle(self) -> bool:
        """Nothing to do now; delayed looks may be due later."""
        return not any(len(post.queue) or post.queue.working for post in self._posts)

    async def run(self) -> None:
        async with Nursery(on_error=_bug) as nursery:
            await supervise(*[self._serve(post, nursery) for post in self._posts])

    async def _serve(self, post: _Post, nursery: Nursery) -> None:
        await self._caches.synced(post.controller.wakes)
        turn = 0
        while True:
            key = await post.queue.get()
            turn += 1
            if turn % TURN_KEYS_MAX == 0:
                await asyncio.sleep(0)
            started = self._clock.monotonic()
            plan = self._plan(post, key)
            rest_s = min((self._clock.monotonic() - started) * REST_SHARE, REST_MAX_S)
            if plan is None:
                continue
            if not plan.actions and rest_s < REST_MIN_S:
                self._settle(post, key, plan, None)
                continue
            await post.slots.acquire()
            nursery.spawn(self._work(post, key, plan, rest_s), name=f"{post.controller.name} {key}")

    def _plan(self, post: _Post, key: str) -> Plan | None:
        """The plan for `key`; None when planning itself failed (a bug: logged, tried again)."""
        controller = post.controller
        started = self._clock.monotonic()
        post.counts.syncs += 1
        try:
            observed = controller.observe(key, post.failures.get(key))
            plan = Plan() if observed is None else controller.plan(observed, self._clock.now())
        except Exception as error:  # noqa: BLE001 - one bad object must not stop the controller
            post.counts.errors += 1
            _log.error("plan failed", error=error, controller=controller.name, key=key)
            post.queue.done(key)
            post.queue.add_rate_limited(key)
            return None
        if observed is None:
            post.failures.pop(key, None)
        post.counts.seconds += self._clock.monotonic() - started
        return plan

    async def _work(self, post: _Post, key: str, plan: Plan, rest_s: float) -> None:
        failure: Exception | None = None
        try:
            post.counts.actions += len(plan.actions)
            await post.performer.perform(plan.actions)
        except Exception as error:  # noqa: BLE001 - judged in _settle, the one place for it
            failure = error
        finally:
            post.slots.release()
        await self._clock.sleep(max(rest_s, SPACING_S if plan.actions else 0.0))
        self._settle(post, key, plan, failure)

    def _settle(self, post: _Post, key: str, plan: Plan, failure: Exception | None) -> None:
        """The error policy: what becomes of `key` after its plan went well, or did not."""
        queue = post.queue
        queue.done(key)
        if failure is None:
            queue.forget(key)
            if post.failures.pop(key, None) is not None:
                queue.add(key)  # What was said about the failure must be taken back.
            if plan.look_again_after_s is not None:
                queue.add_after(key, max(plan.look_again_after_s, AGAIN_MIN_S))
            return
        if isinstance(failure, Error):
            if is_benign(failure):
                post.counts.conflicts += 1
            else:
                post.counts.errors += 1
                post.failures[key] = failure
                _log.warning(
                    "sync failed", controller=post.controller.name, key=key, why=failure.message
                )
        else:
            post.counts.errors += 1
            _log.error("action failed", error=failure, controller=post.controller.name, key=key)
        queue.add_rate_limited(key)


def _listener(queue: WorkQueue, wake: Wake) -> Callable[[Object | None, Object | None], None]:
    def changed(old: Object | None, new: Object | None) -> None:
        for key in wake(old, new):
            queue.add(key)

    return changed


def _bug(name: str, error: BaseException) -> None:
    _log.error("task failed", error=error, task=name)


def own_key(old: Object | None, new: Object | None) -> Iterable[str]:
    """The object itself: what most controllers look at when their kind changes."""
    obj = new or old
    return () if obj is None else (obj.key,)
