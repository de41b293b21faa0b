"""One component as one process: event loop, signals, readiness, exit status.

Owns      how every process of ours begins and ends.
Leaves    what runs in it (master.app, worker.app, cli.up).
Invariant a component ends when its supervisor does, however that died: nobody else could start it
          again, and a second one beside it would fight over its ports and files.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from busk8s import log
from busk8s.config import ConfigError
from busk8s.inherited import Inherited

FAILED = 1  # Exit status for what may work later.
REFUSED = 2  # Exit status for settings or a data directory that cannot be used.
Ready = Callable[[], None]

# The cyclic collector's thresholds. Reference counts free nearly all of what a request leaves; with
# the default of 700 the collector walks every stored object again and again, and a full walk of a
# large cluster stops the process for 0.3 s. Young ones stay small (under 1 ms), old ones rare.
GC_THRESHOLDS = (10_000, 5, 40)


# What the machine refuses, not a bug: said in one line. Full, read-only, forbidden, a bad disk.
ENVIRONMENT = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR)
)


async def until_told(job: Callable[[], Awaitable[None]], life: int = -1) -> None:
    """Run `job` until it ends, or SIGTERM, SIGINT or the end of `life` says so; then cancel it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)

    def orphaned() -> None:
        loop.remove_reader(life)
        log.Logger("busk8s").warning("the supervisor is gone: ending")
        task.cancel()

    if life >= 0:
        loop.add_reader(life, orphaned)
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


def run_process(
    job: Callable[[Ready], Awaitable[None]],
    inherited: Inherited,
    *,
    form: str = "",
    verbosity: int = 0,
) -> int:
    """One component as a process: uvloop, signals, exit status. `form` "": as the environment
    says."""
    import uvloop

    for number in inherited.numbers():
        os.set_inheritable(number, False)  # What outlives us (containers) must not hold them.
    gc.set_threshold(*GC_THRESHOLDS)
    form = form or os.environ.get("BUSK8S_LOG_FORMAT", "text")
    log.configure(os.environ.get("BUSK8S_LOG", "info"), form, verbosity)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_told(lambda: job(notify(inherited.ready)), inherited.life))
    except asyncio.CancelledError:
        return 0
    except ConfigError as error:
        sys.stderr.write(f"busk8s: {error}\n")
        return REFUSED
    except OSError as error:
        if error.errno not in ENVIRONMENT:
            raise
        sys.stderr.write(f"busk8s: {error.strerror}: {error.filename or 'the data directory'}\n")
        return FAILED  # Not REFUSED: it may pass, so the supervisor tries again.
    return 0
