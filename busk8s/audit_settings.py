"""What the audit log is told, by upstream's flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from busk8s.authentication_settings import AuthenticationSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings(AuthenticationSettings):
    """ "" : the default."""

    audit_policy_file: str = ""
    audit_log_path: str = ""  # "" = audit.log in the data directory's logs; "-" = standard output
    audit_log_maxsize: float = 64.0  # MB
    audit_log_maxbackup: float = 4.0  # rotated files kept

    def wrong(self) -> str:
        """What cannot be right, naming the flag; "" when nothing is wrong."""
        if self.audit_log_maxsize < 1:
            return f"--audit-log-maxsize: {self.audit_log_maxsize:g} MB is too small; at least 1"
        if self.audit_log_maxbackup < 0:
            return "--audit-log-maxbackup must not be negative"
        return AuthenticationSettings.wrong(self)


HELP: Mapping[str, str] = {
    "audit_policy_file": "audit.k8s.io/v1 Policy; else Metadata of all but the system's reads.",
    "audit_log_path": "Where events go, a line each; '-' is standard output.",
    "audit_log_maxsize": "MB after which a new file is begun (64).",
    "audit_log_maxbackup": "Files kept beside the present one (4).",
}
