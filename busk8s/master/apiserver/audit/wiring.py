"""The audit log put together from its flags."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from busk8s.audit_settings import seconds
from busk8s.clock import Clock
from busk8s.config import ConfigError, DataDir, MasterSettings, write_private
from busk8s.ids import IdSource
from busk8s.log import Logger
from busk8s.master.apiserver.attributes import Attributes
from busk8s.master.apiserver.audit.auditor import Auditor
from busk8s.master.apiserver.audit.log import AuditLog
from busk8s.master.apiserver.audit.policy import DEFAULT, AuditPolicy, BadPolicy, read
from busk8s.master.apiserver.audit.webhook import AuditWebhook, Batching
from busk8s.master.apiserver.outgoing import Outgoing, Target
from busk8s.master.apiserver.server import ApiServer
from busk8s.tasks import Nursery

if TYPE_CHECKING:
    from busk8s.client.kubeconfig import Connection

MEGABYTE = 1_000_000

log = Logger("busk8s.audit")


@asynccontextmanager
async def audit_log(
    settings: MasterSettings,
    data: DataDir,
    server: ApiServer,
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
    webhook = _webhook(settings, data, server.parts.outgoing, clock)
    try:
        async with Nursery(_failed) as nursery:
            nursery.spawn(lines.run(), name="audit log")
            if webhook is not None:
                nursery.spawn(webhook.run(), name="audit webhook")
            yield Auditor(policy, lines, server.route, ids.uid, clock, why=why, webhook=webhook)
    finally:
        lines.close()  # The tasks have ended.
        if webhook is not None:
            await webhook.close()


def _webhook(
    settings: MasterSettings, data: DataDir, outgoing: Outgoing | None, clock: Clock
) -> AuditWebhook | None:
    """The server that the kubeconfig names. Raises ConfigError."""
    if not settings.audit_webhook_config_file or outgoing is None:
        return None
    from busk8s.client import kubeconfig

    try:
        named = kubeconfig.load(Path(settings.audit_webhook_config_file))
        target = _target(named, data)
    except (kubeconfig.KubeconfigError, ValueError) as error:
        raise ConfigError(f"--audit-webhook-config-file: {error}") from None
    batching = Batching(
        int(settings.audit_webhook_batch_max_size),
        seconds(settings.audit_webhook_batch_max_wait) or 0.0,
        int(settings.audit_webhook_batch_buffer_size),
    )
    return AuditWebhook(target, named.token, outgoing, clock, batching)


def _target(named: Connection, data: DataDir) -> Target:
    url = urlsplit(named.server)
    if url.scheme not in ("https", "http") or not url.hostname:
        raise ValueError(f"{named.server}: not an http or https URL")
    identity = None
    if named.certificate:
        files = data.path / "audit-webhook.crt", data.path / "audit-webhook.key"
        for path, pem in zip(files, (named.certificate, named.key), strict=True):
            write_private(path, pem)
        identity = str(files[0]), str(files[1])
    return Target(
        url.hostname,
        url.port or (443 if url.scheme == "https" else 80),
        (url.path or "/") + (f"?{url.query}" if url.query else ""),
        server_name=named.server_name or url.hostname,
        ca=named.ca,
        insecure=named.insecure,
        plain=url.scheme == "http",
        identity=identity,
    )


def _failed(name: str, error: BaseException) -> None:
    log.error("task failed", task=name, error=error)
