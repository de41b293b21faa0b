"""The audit log put together from its flags."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from busk8s.clock import Clock
from busk8s.config import ConfigError, DataDir, MasterSettings
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.master.apiserver.audit.auditor import Auditor, Find
from busk8s.master.apiserver.audit.log import AuditLog
from busk8s.master.apiserver.audit.policy import DEFAULT, AuditPolicy, BadPolicy, read
from busk8s.tasks import Nursery

MEGABYTE = 1_000_000

log = Logger("busk8s.audit")


async def audited(
    settings: MasterSettings,
    data: DataDir,
    find: Find,
    stack: AsyncExitStack,
    *,
    clock: Clock,
    ids: IdSource,
) -> Auditor:
    """Writes while the block of `stack` lasts. Raises ConfigError for a file that is no policy."""
    try:
        file = settings.audit_policy_file
        policy = AuditPolicy(read(Path(file)) if file else DEFAULT)
    except BadPolicy as error:
        raise ConfigError(f"--audit-policy-file: {error}") from None
    path = settings.audit_log_path or str(data.logs / "audit.log")
    bytes_max = int(settings.audit_log_maxsize * MEGABYTE)
    backups = int(settings.audit_log_maxbackup)
    lines = AuditLog(path, bytes_max=bytes_max, backups=backups, clock=clock)
    stack.callback(lines.close)  # After the task below has ended.
    nursery = await stack.enter_async_context(Nursery(_failed))
    nursery.spawn(lines.run(), name="audit log")
    return Auditor(policy, lines, find, ids.uid, clock)


def _failed(name: str, error: BaseException) -> None:
    log.error("task failed", task=name, error=error)
