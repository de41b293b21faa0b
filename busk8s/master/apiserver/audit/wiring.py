"""The audit log put together from its flags."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from busk8s.clock import Clock
from busk8s.config import ConfigError, DataDir, MasterSettings
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.audit.auditor import Auditor, Find
from busk8s.master.apiserver.audit.log import AuditLog
from busk8s.master.apiserver.audit.policy import DEFAULT, AuditPolicy, BadPolicy, read
from busk8s.tasks import Nursery

MEGABYTE = 1_000_000

log = Logger("busk8s.audit")


@asynccontextmanager
async def audit_log(
    settings: MasterSettings,
    data: DataDir,
    find: Find,
    why: Callable[[Attributes], str],
    clock: Clock,
    ids: IdSource,
) -> AsyncIterator[Auditor]:
    """Writes while the block lasts. Raises ConfigError for a file that is no policy."""
    try:
        file = settings.audit_policy_file
        policy = AuditPolicy(read(Path(file)) if file else DEFAULT)
    except BadPolicy as error:
        raise ConfigError(f"--audit-policy-file: {error}") from None
    path = settings.audit_log_path or str(data.logs / "audit.log")
    bytes_max = int(settings.audit_log_maxsize * MEGABYTE)
    backups = int(settings.audit_log_maxbackup)
    lines = AuditLog(path, bytes_max=bytes_max, backups=backups, clock=clock)
    try:
        async with Nursery(_failed) as nursery:
            nursery.spawn(lines.run(), name="audit log")
            yield Auditor(policy, lines, find, ids.uid, clock, why=why)
    finally:
        lines.close()  # The task has ended.


def _failed(name: str, error: BaseException) -> None:
    log.error("task failed", task=name, error=error)
