"""How long the request of this task has waited for others: its turn, and webhooks.

Owns      the sum, which begins anew with each request (front).
Leaves    waiting (fairness, admission).
"""

from __future__ import annotations

from contextvars import ContextVar

waited: ContextVar[float] = ContextVar("waited", default=0.0)


def add(seconds: float) -> None:
    waited.set(waited.get() + seconds)
