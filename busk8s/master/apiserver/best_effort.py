"""Writes that nobody waits for: what can be written is, what cannot is left for the next round.

Owns      what becomes of a batch where somebody else wrote in between, or the store refuses.
Leaves    which writes, and when again (expiry, lease_renewals).
Invariant never raises for what the store says.
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.log import Logger
from busk8s.master.store.base import Store, StoreError, Write


async def commit(store: Store, batch: Sequence[Write], log: Logger, complaint: str) -> None:
    """One by one where a write of `batch` has lost a race: a batch is all or nothing."""
    if not batch:
        return
    try:
        outcome = await store.commit(batch)
        if not isinstance(outcome, int):
            for write in batch:
                await store.commit((write,))
    except StoreError as error:
        log.warning(complaint, count=len(batch), why=error)
