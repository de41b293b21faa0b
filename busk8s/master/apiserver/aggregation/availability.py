"""Which API servers answer: the condition Available of every APIService.

Owns      an APIService for each group version served here, and asking the others whether they
          are there.
Leaves    what availability means for a request (aggregator).
Invariant a status is written only when it changed; one server that hangs delays no other by more
          than its time limit.
Source    upstream's available-condition and auto-registration controllers: reasons and messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from busk8s import errors
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.scheme import Resource
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.aggregation.aggregator import KEY, Aggregator, Service
from busk8s.master.apiserver.catalog import Catalog
from busk8s.master.apiserver.endpoints import SERVICE_LABEL, SLICES
from busk8s.master.apiserver.loopback import Dispatch, ask
from busk8s.master.apiserver.outgoing import CallFailed
from busk8s.master.store.watch import Event, WatchCache

CHECK_EVERY_S = 30.0  # Between checks of a server of which nothing is heard; upstream's resync.
SETTLE_S = 0.2  # Changes of Services come in bursts.
COLLECTION = "/apis/apiregistration.k8s.io/v1/apiservices"
AUTOMANAGED = "kube-aggregator.kubernetes.io/automanaged"
# Group and version priorities, upstream's; who is not named comes after them.
PRIORITIES: Mapping[str, int] = {
    "": 18_000,
    "apiregistration.k8s.io": 18_000,
    "apps": 17_800,
    "events.k8s.io": 17_750,
    "authentication.k8s.io": 17_700,
    "authorization.k8s.io": 17_600,
    "autoscaling": 17_500,
    "batch": 17_400,
    "certificates.k8s.io": 17_300,
    "networking.k8s.io": 17_200,
    "policy": 17_100,
    "rbac.authorization.k8s.io": 17_000,
    "storage.k8s.io": 16_800,
    "apiextensions.k8s.io": 16_700,
    "admissionregistration.k8s.io": 16_700,
    "scheduling.k8s.io": 16_600,
    "coordination.k8s.io": 16_500,
    "node.k8s.io": 16_300,
    "discovery.k8s.io": 16_200,
    "flowcontrol.apiserver.k8s.io": 16_100,
}
PRIORITY = 15_000
CUSTOM_PRIORITY, CUSTOM_VERSION_PRIORITY = 1_000, 100
LOCAL = ("True", "Local", "Local APIServices are always available")

log = Logger("busk8s.apiserver")
Said = tuple[str, str, str]  # status, reason, message


def local_services(served: Iterable[Resource]) -> Mapping[str, Json]:
    """The APIService of every group version served here, by name."""
    found = {(r.group, r.version): r.custom is not None for r in served}
    return {
        f"{version}.{group}": _local(group, version, custom=custom)
        for (group, version), custom in found.items()
    }


def _local(group: str, version: str, *, custom: bool) -> Json:
    priorities = (CUSTOM_PRIORITY, CUSTOM_VERSION_PRIORITY)
    if not custom:
        priorities = (PRIORITIES.get(group, PRIORITY), 30 if version == "v2" else 15)
    return {
        "kind": "APIService",
        "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {
            "name": f"{version}.{group}",
            "labels": {AUTOMANAGED: "true" if custom else "onstart"},
        },
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": priorities[0],
            "versionPriority": priorities[1],
        },
    }


def condition(data: Json) -> Said | None:
    for each in (data.get("status") or {}).get("conditions") or ():
        if each.get("type") == "Available":
            return each.get("status", ""), each.get("reason", ""), each.get("message", "")
    return None


class Availability:
    """`run` for ever, beside the API server."""

    def __init__(
        self,
        cache: WatchCache,
        catalog: Catalog,
        aggregator: Aggregator,
        dispatch: Dispatch,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._catalog = catalog
        self._aggregator = aggregator
        self._dispatch = dispatch
        self._clock = clock
        self._wake = asyncio.Event()

    async def run(self) -> None:
        self._cache.on_events(self._observe)
        self._catalog.on_change(self._wake.set)
        while True:
            self._wake.clear()
            try:
                await self._register()
                await self._check_all()
            except* errors.Error as failed:
                log.warning("APIServices not kept", why=failed.exceptions[0])
            try:
                async with asyncio.timeout(CHECK_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await self._clock.sleep(SETTLE_S)

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            key = event.object.resource.key
            if key == KEY or (key in ("services", SLICES) and self._concerns(key, event.object)):
                self._wake.set()

    def _concerns(self, key: str, obj: Object) -> bool:
        if not self._aggregator.services:
            return False
        name = obj.name if key == "services" else obj.labels.get(SERVICE_LABEL, "")
        return any(
            service.target.service is not None
            and service.target.service[:2] == (obj.namespace, name)
            for service in self._aggregator.services
        )

    async def _register(self) -> None:
        """What is served here has an APIService; what no longer is, has none of ours."""
        wanted = local_services(self._catalog.served())
        async with asyncio.TaskGroup() as group:  # at once, so that commits are shared
            for name, body in wanted.items():
                group.create_task(self._register_one(name, body))
        for found in self._cache.list(KEY):
            if found.labels.get(AUTOMANAGED) == "true" and found.name not in wanted:
                await self._ask("DELETE", f"{COLLECTION}/{found.name}")

    async def _register_one(self, name: str, body: Json) -> None:
        found = self._cache.get(KEY, "", name)
        if found is None:
            await self._ask("POST", COLLECTION, body)
            found = self._cache.get(KEY, "", name)
        if found is None or (found.glance().get("spec") or {}).get("service"):
            return
        if condition(found.glance()) != LOCAL:
            await self._tell(name, LOCAL)

    async def _ask(self, method: str, path: str, body: Json | None = None) -> None:
        """Somebody else's change in between is no failure: we are woken by it again."""
        status, answer = await ask(self._dispatch, method, path, body)
        if status >= 400 and status not in (404, 409):
            raise errors.Error.from_status(answer)

    async def _check_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for service in self._aggregator.services:
                group.create_task(self._check(service))

    async def _check(self, service: Service) -> None:
        said = self._reachable(service) or await self._answers(service)
        found = self._cache.get(KEY, "", service.name)
        if found is not None and condition(found.glance()) != said:
            await self._tell(service.name, said)

    def _reachable(self, service: Service) -> Said | None:
        """Why it cannot be there, as far as the Service says."""
        assert service.target.service is not None
        namespace, name, port = service.target.service
        found = self._cache.get("services", namespace, name)
        where = f'service/{name} in "{namespace}"'
        if found is None:
            return "False", "ServiceNotFound", f"{where} is not present"
        spec = found.data.get("spec") or {}
        if spec.get("type", "ClusterIP") != "ClusterIP":
            return None
        ports = [p for p in spec.get("ports") or () if p.get("port") == port]
        if not ports:
            return "False", "ServicePortError", f"{where} is not listening on port {port}"
        slices = [
            s for s in self._cache.list(SLICES, namespace) if s.labels.get(SERVICE_LABEL) == name
        ]
        if not slices:
            return "False", "EndpointsNotFound", f"cannot find endpointslices for {where}"
        if self._aggregator.can_reach(service):
            return None
        said = (
            f"endpointslices for {where} have no addresses with port name "
            f'"{ports[0].get("name") or ""}"'
        )
        return "False", "MissingEndpoints", said

    async def _answers(self, service: Service) -> Said:
        url = f"{service.target.url().rstrip('/')}/apis/{service.group}/{service.version}"
        try:
            answer = await self._aggregator.ask(service)
        except CallFailed as error:
            why = f'failing or missing response from {url}: Get "{url}": {error}'
            return "False", "FailedDiscoveryCheck", why
        if not 200 <= answer.status < 300:
            why = f"bad status from {url}: {answer.status}"
            said = f"failing or missing response from {url}: {why}"
            return "False", "FailedDiscoveryCheck", said
        self._aggregator.learn(service, answer.body)
        return "True", "Passed", "all checks passed"

    async def _tell(self, name: str, said: Said) -> None:
        status, reason, message = said
        found = self._cache.get(KEY, "", name)
        if found is None:
            return
        before = condition(found.glance())
        when = format_time(self._clock.now())
        if before is not None and before[0] == status:
            when = _since(found.glance()) or when
        body = found.copy()
        body["status"] = {
            "conditions": [
                {
                    "type": "Available",
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastTransitionTime": when,
                }
            ]
        }
        await self._ask("PUT", f"{COLLECTION}/{name}/status", body)


def _since(data: Json) -> str:
    conditions = (data.get("status") or {}).get("conditions") or ()
    return next(
        (str(c["lastTransitionTime"]) for c in conditions if c.get("lastTransitionTime")), ""
    )
