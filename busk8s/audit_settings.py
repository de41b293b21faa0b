"""What is told of requests and kept of Events, by upstream's flags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from busk8s.authentication_settings import AuthenticationSettings
from busk8s.log import FORMS


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings(AuthenticationSettings):
    """ "" : the default."""

    audit_policy_file: str = ""
    audit_log_path: str = ""  # "" = audit.log in the data directory's logs; "-" = standard output
    audit_log_maxsize: float = 64.0  # MB
    audit_log_maxbackup: float = 4.0  # rotated files kept
    audit_webhook_config_file: str = ""
    audit_webhook_mode: str = "batch"
    audit_webhook_batch_max_size: float = 400.0
    audit_webhook_batch_max_wait: str = "30s"
    audit_webhook_batch_buffer_size: float = 10_000.0
    event_ttl: str = "1h"
    logging_format: str = ""  # "" = as BUSK8S_LOG_FORMAT says, else text
    v: float = 0.0

    @property
    def event_ttl_s(self) -> float:
        return seconds(self.event_ttl) or 0.0

    def wrong(self) -> str:
        """What cannot be right, naming the flag; "" when nothing is wrong."""
        if self.audit_log_maxsize < 1:
            return f"--audit-log-maxsize: {self.audit_log_maxsize:g} MB is too small; at least 1"
        if self.audit_log_maxbackup < 0:
            return "--audit-log-maxbackup must not be negative"
        if why := self._wrong_webhook():
            return why
        if self.logging_format not in ("", *FORMS):
            return f"--logging-format: {self.logging_format!r} is not one of {', '.join(FORMS)}"
        if not 0 <= self.v <= 10:
            return "--v must be between 0 and 10"
        if not seconds(self.event_ttl):
            return f"--event-ttl: {self.event_ttl!r} is not a duration like 90m or 1h30m0s"
        return AuthenticationSettings.wrong(self)

    def _wrong_webhook(self) -> str:
        if self.audit_webhook_mode != "batch":
            return f"--audit-webhook-mode: {self.audit_webhook_mode!r} is not supported, only batch"
        if self.audit_webhook_batch_max_size < 1:
            return "--audit-webhook-batch-max-size must be at least 1"
        if self.audit_webhook_batch_buffer_size < self.audit_webhook_batch_max_size:
            return "--audit-webhook-batch-buffer-size must be at least the size of a batch"
        if not seconds(self.audit_webhook_batch_max_wait):
            wait = self.audit_webhook_batch_max_wait
            return f"--audit-webhook-batch-max-wait: {wait!r} is not a duration like 30s"
        return ""


_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}


def seconds(text: str) -> float | None:
    """A duration as Go writes it; None when it is none."""
    if len(text) > 64 or not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


HELP: Mapping[str, str] = {
    "audit_policy_file": "audit.k8s.io/v1 Policy; else Metadata of all but the system's reads.",
    "audit_log_path": "Where events go, a line each; '-' is standard output.",
    "audit_log_maxsize": "MB after which a new file is begun (64).",
    "audit_log_maxbackup": "Files kept beside the present one (4).",
    "logging_format": "text, or json: a line of JSON for each message.",
    "v": "How much is logged: 3 tells of each request, 4 what is for debugging (0).",
    "audit_webhook_config_file": "Kubeconfig of a server that events are sent to as well.",
    "audit_webhook_mode": "How they are sent: batch.",
    "audit_webhook_batch_max_size": "Events sent at once (400).",
    "audit_webhook_batch_max_wait": "How long the first of them waits (30s).",
    "audit_webhook_batch_buffer_size": "Events that may wait; more are dropped (10000).",
    "event_ttl": "How long Events stay after they were last written (1h).",
}
