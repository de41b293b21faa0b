"""How the supervisor says no: a reason for the container's status, and words."""

from __future__ import annotations

from collections.abc import Callable


class Failure(Exception):
    """Becomes RuntimeFailure(reason, message) at the client."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


# Called once: with a result, or with the failure.
Reply = Callable[[object, Failure | None], None]


def too_small(limit: int, used: int) -> str:
    """Why a memory limit cannot be set: the container would be killed for it."""
    return f"attempting to set memory limit ({limit}) below current usage ({used})"
