"""Tokens kept in Secrets of type `kubernetes.io/service-account-token`, of old.

Owns      filling such Secrets, and removing them with their account.
Leaves    what the token says (accounts), whether it is good (account_proof).
Invariant level, not edge: a Secret is looked at as it is now; a filled one is left alone.
Why here  the key that signs is in the API server's hands alone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.accounts import AccountTokens
from busk8s.master.apiserver.loopback import Dispatch, ask
from busk8s.master.store.watch import Event, WatchCache

TYPE = "kubernetes.io/service-account-token"
NAME = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"
RETRY_S = 5.0

Key = tuple[str, str]
log = Logger("busk8s.authentication")


class KeptTokens:
    def __init__(
        self,
        accounts: AccountTokens,
        authority: bytes,
        cache: WatchCache,
        dispatch: Dispatch,
        clock: Clock,
    ) -> None:
        self._accounts, self._cache, self._dispatch = accounts, cache, dispatch
        self._authority, self._clock = authority, clock
        self._due: dict[Key, None] = {}  # Each Secret once: never more than there are.
        self._woken = asyncio.Event()

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            found = event.object
            key = found.resource.key
            if key == "secrets" and event.type != "DELETED" and found.data.get("type") == TYPE:
                self._want(found)
            elif key == "serviceaccounts" and event.type == "DELETED":
                for secret in self._cache.list("secrets", found.namespace):
                    if _account_of(secret) == found.name:
                        self._want(secret)

    def _want(self, secret: Object) -> None:
        self._due[secret.namespace, secret.name] = None
        self._woken.set()

    async def run(self) -> None:
        """Once: follows the cache from now on."""
        self._cache.on_events(self._observe)
        for secret in self._cache.list("secrets"):
            if secret.data.get("type") == TYPE:
                self._want(secret)
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._due:
                key = next(iter(self._due))
                del self._due[key]
                try:
                    await self._look(*key)
                except errors.Error as error:
                    log.warning("token not kept, will retry", secret=key, why=error.message)
                    await self._clock.sleep(RETRY_S)
                    self._due[key] = None

    async def _look(self, namespace: str, name: str) -> None:
        secret = self._cache.get("secrets", namespace, name)
        if secret is None or not (account_name := _account_of(secret)):
            return
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        account = self._cache.get("serviceaccounts", namespace, account_name)
        annotations = secret.data["metadata"]["annotations"]
        if account is None or annotations.get(UID, account.uid) != account.uid:
            uid = {"preconditions": {"uid": secret.uid}}
            await self._write("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", **uid})
            return
        wanted = self._filled(secret, account)
        if wanted is not None:
            await self._write("PUT", path, wanted)

    def _filled(self, secret: Object, account: Object) -> Json | None:
        """The Secret with all it should hold; None when it holds it."""
        data: Json = dict(secret.data.get("data") or {})
        before = dict(data)
        data["ca.crt"] = _encoded(self._authority)
        data["namespace"] = _encoded(secret.namespace.encode())
        if not data.get("token"):
            token = self._accounts.kept(secret.namespace, account.data, secret.name)
            data["token"] = _encoded(token.encode())
        metadata = secret.data["metadata"]
        annotations = {**metadata["annotations"], UID: account.uid}
        if data == before and annotations == metadata["annotations"]:
            return None
        return {
            **secret.data,
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {**metadata, "annotations": annotations},
            "data": data,
        }

    async def _write(self, method: str, path: str, body: Json) -> None:
        status, answer = await ask(self._dispatch, method, path, body)
        if status >= 400 and status not in (404, 409):  # Changed meanwhile: it is looked at again.
            raise errors.Error.from_status(answer)


def _account_of(secret: Object) -> str:
    """The account that the Secret is a token of, "" when it is none."""
    if secret.data.get("type") != TYPE:
        return ""
    return str((secret.data["metadata"].get("annotations") or {}).get(NAME, ""))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
