"""DefaultBinder: assigns by the pod's `binding` subresource."""

from __future__ import annotations

from busk8s.client.interface import Client
from busk8s.master.scheduler.pod import PodInfo


class DefaultBinder:
    name = "DefaultBinder"

    def __init__(self, client: Client) -> None:
        self._client = client

    async def bind(self, pod: PodInfo, node: str) -> None:
        await self._client.bind(pod.namespace, pod.name, node, uid=pod.uid)
