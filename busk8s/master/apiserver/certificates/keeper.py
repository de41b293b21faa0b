"""The task that approves, signs and clears CertificateSigningRequests.

Owns      when each is looked at, and writing what was decided.
Leaves    the decision (plan), the certificate (issuing).
Invariant level, not edge: a request is looked at again as it is now; twice does nothing more.
Why here  the authority's key is in the API server's hands alone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from busk8s import errors
from busk8s.api.meta import format_time
from busk8s.api.object import Json, Object
from busk8s.api.request import User
from busk8s.api.scheme import CERTIFICATESIGNINGREQUESTS as REQUESTS
from busk8s.clock import Clock
from busk8s.log import Logger
from busk8s.master.apiserver.attributes import Attributes, Authorizer
from busk8s.master.apiserver.certificates import issuing, signers
from busk8s.master.apiserver.certificates.plan import (
    Action,
    Approve,
    Fail,
    Sign,
    decided,
    is_old,
    is_open,
    plan,
)
from busk8s.master.apiserver.certificates.request import read
from busk8s.master.apiserver.loopback import Dispatch, ask
from busk8s.master.apiserver.pki import Pki
from busk8s.master.store.watch import Event, WatchCache

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CLEAR_EVERY_S = 3_600.0
RETRY_S = 5.0

log = Logger("busk8s.certificates")


class CertificateKeeper:
    def __init__(
        self,
        pki: Pki,
        cache: WatchCache,
        dispatch: Dispatch,
        authorizer: Authorizer,
        clock: Clock,
    ) -> None:
        self._pki, self._cache, self._dispatch = pki, cache, dispatch
        self._authorizer, self._clock = authorizer, clock
        self._due: dict[str, None] = {}  # Names, each once: never more than there are objects.
        self._woken = asyncio.Event()

    def _observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.object.resource.key == REQUESTS.key and event.type != "DELETED":
                self._due[event.object.name] = None
                self._woken.set()

    async def run(self) -> None:
        """Once: follows the cache from now on."""
        self._cache.on_events(self._observe)
        self._due = {obj.name: None for obj in self._cache.list(REQUESTS.key)}
        self._woken.set()
        cleared = self._clock.monotonic()
        while True:
            try:
                async with asyncio.timeout(CLEAR_EVERY_S):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            await self._attend()
            if self._clock.monotonic() - cleared >= CLEAR_EVERY_S:
                cleared = self._clock.monotonic()
                await self._clear()

    async def _attend(self) -> None:
        while self._due:
            name = next(iter(self._due))
            del self._due[name]
            found = self._cache.get(REQUESTS.key, "", name)
            if found is None:
                continue
            try:
                await self._look(found)
            except errors.Error as error:
                log.warning("not written, will retry", request=name, why=error.message)
                await self._clock.sleep(RETRY_S)
                self._due[name] = None

    async def _look(self, found: Object) -> None:
        csr = found.data
        spec = csr["spec"]
        if not is_open(csr) or not signers.is_ours(spec.get("signerName", "")):
            return
        try:
            action: Action | None = plan(csr, read(spec), lambda part: self._may(spec, part))
        except ValueError as error:
            action = Fail("SignerValidationFailure", f"unable to parse csr: {error}")
            if "Approved" not in decided(csr):
                return
        if action is not None:
            await self._perform(csr, action)

    def _may(self, spec: Json, part: str) -> bool:
        """Whether the request's author may have such a one approved by itself."""
        extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
        groups = tuple(spec.get("groups") or ())
        user = User(spec.get("username") or "", groups, spec.get("uid") or "", extra)
        asked = Attributes(user, "create", REQUESTS, part)
        return self._authorizer.authorize(asked) is None

    async def _perform(self, csr: Json, action: Action) -> None:
        now = self._clock.now()
        if isinstance(action, Approve):
            await self._write(
                csr, "approval", _with(csr, "Approved", "AutoApproved", action.message, now)
            )
        elif isinstance(action, Fail):
            failed = _with(csr, "Failed", action.reason, action.message, now)
            await self._write(csr, "status", failed)
        elif isinstance(action, Sign):
            try:
                pem = issuing.issue(self._pki, csr["spec"], now)
            except ValueError as error:
                failed = _with(csr, "Failed", "SignerValidationFailure", str(error), now)
                await self._write(csr, "status", failed)
                return
            status = dict(csr.get("status") or {})
            status["certificate"] = base64.b64encode(pem).decode()
            await self._write(csr, "status", status)

    async def _write(self, csr: Json, part: str, status: Json) -> None:
        name = csr["metadata"]["name"]
        body = {**csr, "status": status}
        code, answer = await ask(self._dispatch, "PUT", f"{PATH}/{name}/{part}", body)
        if code in (404, 409):
            return  # It has changed, and is looked at again; or it is gone.
        if code >= 400:
            raise errors.Error.from_status(answer)

    async def _clear(self) -> None:
        now = self._clock.now()
        for found in list(self._cache.list(REQUESTS.key)):
            if is_old(found.data, now, _ends(found.data)):
                await ask(self._dispatch, "DELETE", f"{PATH}/{found.name}")


def _with(csr: Json, kind: str, reason: str, message: str, now: float) -> Json:
    """The status with one more condition."""
    status = dict(csr.get("status") or {})
    moment = format_time(now)
    status["conditions"] = [
        *(status.get("conditions") or ()),
        {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastUpdateTime": moment,
            "lastTransitionTime": moment,
        },
    ]
    return status


def _ends(csr: Json) -> float | None:
    """When the certificate that was given ends."""
    text = (csr.get("status") or {}).get("certificate")
    if not text:
        return None
    from cryptography import x509

    try:
        ends = x509.load_pem_x509_certificate(base64.b64decode(text)).not_valid_after_utc
    except ValueError:
        return None
    return ends.timestamp()
