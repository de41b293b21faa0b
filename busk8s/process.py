"""One component as one process: event loop, signals, readiness, exit status.

Owns      how every process of ours begins and ends.
Leaves    what runs in it (master.app, worker.app, cli.up).
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

from busk8s import log
from busk8s.config import ConfigError

REFUSED = 2  # Exit status for settings or a data directory that cannot be used.
Ready = Callable[[], None]

# The cyclic collector's thresholds. Reference counts free nearly all of what a request leaves; with
# the default of 700 the collector walks every stored object again and again, and a full walk of a
# large cluster stops the process for 0.3 s. Young ones stay small (under 1 ms), old ones rare.
GC_THRESHOLDS = (10_000, 5, 40)


async def until_told(job: Callable[[], Awaitable[None]]) -> None:
    """Run `job` until it ends, or SIGTERM or SIGINT says so; then it is cancelled and awaited."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    await job()


def notify(descriptor: int) -> Ready:
    """A function that tells whoever started us, once."""
    told: list[bool] = []

    def ready() -> None:
        gc.freeze()  # Modules and tables live as long as the process: never walk them again.
        if descriptor >= 0 and not told:
            told.append(True)
            try:
                os.write(descriptor, b"ready\n")
            except BrokenPipeError:
                pass  # nobody waits any more
            os.close(descriptor)

    return ready


def run_process(job: Callable[[Ready], Awaitable[None]], ready_fd: int) -> int:
    """One component as a process: uvloop, signals, exit status."""
    import uvloop

    gc.set_threshold(*GC_THRESHOLDS)
    log.configure(os.environ.get("BUSK8S_LOG", "info"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_told(lambda: job(notify(ready_fd))))
    except asyncio.CancelledError:
        return 0
    except ConfigError as error:
        sys.stderr.write(f"busk8s: {error}\n")
        return REFUSED
    return 0


def take_ready_fd(flags: Sequence[str]) -> tuple[int, list[str]]:
    """`--ready-fd=N` and the flags without it."""
    rest = [flag for flag in flags if not flag.startswith("--ready-fd=")]
    given = [flag for flag in flags if flag.startswith("--ready-fd=")]
    return (int(given[-1].partition("=")[2]) if given else -1), rest
