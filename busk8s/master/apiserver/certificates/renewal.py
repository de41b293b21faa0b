"""Certificates renew themselves while the server runs.

Owns      looking at their ends, taking new ones into use without a restart, telling of the
          authority's end in time.
Leaves    making them (pki), what else must hear of new ones (`on_renewed`).
Invariant a connection keeps the certificate it began with; the next one gets the new one.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence

from busk8s.clock import Clock
from busk8s.config import ConfigError
from busk8s.log import Logger
from busk8s.master.apiserver.pki import AUTHORITIES, DAY_S, Pki

LOOK_EVERY_S = 3_600.0
TOLD_BEFORE_S = 180 * DAY_S  # From then on the log speaks of an authority's end, once a day.

log = Logger("busk8s.certificates")
Renewed = Callable[[Sequence[str]], None]  # the names of what is new


class Renewal:
    def __init__(self, pki: Pki, names: Sequence[str], clock: Clock) -> None:
        self._pki, self._names, self._clock = pki, tuple(names), clock
        self._callbacks: list[Renewed] = []
        self._contexts: list[ssl.SSLContext] = []
        self._ends = pki.ends()
        self._told_at = float("-inf")

    def follow(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """`context` with today's serving certificate, and with each later one."""
        self._contexts.append(context)
        return context

    def on_renewed(self, callback: Renewed) -> None:
        self._callbacks.append(callback)

    def authority_ends(self) -> float:
        return min(self._ends[name] for name in AUTHORITIES)

    def check(self) -> str | None:
        """For /readyz: an authority that has ended makes every certificate worthless."""
        return "an authority has ended" if self.authority_ends() <= self._clock.now() else None

    async def run(self) -> None:
        while True:
            try:
                self.look()
            except (ConfigError, ssl.SSLError, OSError, ValueError) as error:
                log.error("certificates not renewed, will retry", why=error)
            await self._clock.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Renew what is due, and have it used."""
        now = self._clock.now()
        renewed = self._pki.renew(self._names, now)
        self._ends = self._pki.ends()
        self._tell(now)
        if not renewed:
            return
        log.info("certificates renewed", names=", ".join(renewed))
        if "serving" in renewed:
            for context in self._contexts:
                self._pki.reload(context)
        for callback in self._callbacks:
            callback(renewed)

    def _tell(self, now: float) -> None:
        if now - self._told_at < DAY_S:
            return
        for name in AUTHORITIES:
            left = self._ends[name] - now
            if left < TOLD_BEFORE_S:
                self._told_at = now
                days = round(left / DAY_S)
                log.warning("an authority nears its end", name=name, days=days)
