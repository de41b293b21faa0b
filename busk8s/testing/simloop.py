"""An asyncio loop on virtual time: it never sleeps, it jumps to the next timer.

Owns      virtual time and the order of tasks: same program, same seed, same order of events.
Leaves    real sockets and threads (mark such a test `realtime`).
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn


class SimDeadlock(RuntimeError):
    """Every task waits and no timer is set, so nothing can ever happen again."""


class SimLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now_s = 0.0
        self.births = itertools.count()  # Per loop, so that earlier simulations change nothing.
        super().__init__(_JumpSelector(self))
        self.set_task_factory(_new_task)

    def time(self) -> float:
        return self.now_s

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]  # refusing is the point
        raise RuntimeError("a thread would end at its own time; pass the simulation a plain call")


class _JumpSelector(selectors.SelectSelector):
    """Stands where the loop would wait for sockets, and moves the clock instead."""

    def __init__(self, loop: SimLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise SimDeadlock
        self._loop.now_s += max(0.0, timeout)
        return []


class _SimTask(asyncio.Task[Any]):
    """Hashes by birth order, so the sets inside asyncio iterate the same way in every process."""

    def __init__(self, coro: Any, *, loop: SimLoop, **kwargs: Any) -> None:
        self._birth = next(loop.births)
        super().__init__(coro, loop=loop, **kwargs)

    def __hash__(self) -> int:
        return self._birth


def _new_task(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
    assert isinstance(loop, SimLoop)
    return _SimTask(coro, loop=loop, **kwargs)


def simulate(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run `main()` to its end on virtual time. Raises SimDeadlock when it can never end."""
    with asyncio.Runner(loop_factory=SimLoop) as runner:
        return runner.run(main())
