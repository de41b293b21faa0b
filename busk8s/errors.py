"""What went wrong at the peer's or the user's side, as the Kubernetes API words it.

Owns      the mapping reason <-> HTTP code, and the `Status` object clients parse.
Leaves    bugs of ours (plain exceptions) and expected outcomes (return values).
Source    Kubernetes API conventions, "Response Status Kind"; apimachinery StatusReason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One `details.causes[]` entry: `reason` is a CauseType such as FieldValueRequired."""

    reason: str
    message: str
    field: str = ""


class Error(Exception):
    """A failure that belongs to the caller; becomes a `Status` with this code and reason."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        group: str = "",
        kind: str = "",
        name: str = "",
        uid: str = "",
        causes: Sequence[Cause] = (),
        retry_after_s: int = 0,
        generic: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.group = group
        self.kind = kind
        self.name = name
        self.uid = uid
        self.causes = tuple(causes)
        self.retry_after_s = retry_after_s
        self.generic = generic  # About no object: upstream says `details`, and nothing in them.
        self.plain = False  # Told as text: the path is no part of the API.
        self.warnings: tuple[str, ...] = ()  # told to the client beside the refusal

    def to_status(self) -> dict[str, Any]:
        """The `Status` object (meta/v1) for this error."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        details: dict[str, Any] = {}
        for key in ("name", "group", "kind", "uid"):
            if value := getattr(self, key):
                details[key] = value
        if self.causes:
            details["causes"] = [_cause(cause) for cause in self.causes]
        if self.retry_after_s:
            details["retryAfterSeconds"] = self.retry_after_s
        if details or self.generic:
            status["details"] = details
        status["code"] = self.code
        if not self.reason:
            del status["reason"]
        return status

    @classmethod
    def from_status(cls, status: Mapping[str, Any]) -> Error:
        """The inverse of `to_status`, tolerant of what other servers leave out."""
        details = status.get("details") or {}
        return cls(
            int(status.get("code") or 500),
            str(status.get("reason") or ""),
            str(status.get("message") or "unknown error"),
            group=str(details.get("group") or ""),
            kind=str(details.get("kind") or ""),
            name=str(details.get("name") or ""),
            uid=str(details.get("uid") or ""),
            causes=[
                Cause(str(c.get("reason", "")), str(c.get("message", "")), str(c.get("field", "")))
                for c in details.get("causes") or ()
            ],
            retry_after_s=int(details.get("retryAfterSeconds") or 0),
        )


def _cause(cause: Cause) -> dict[str, str]:
    entry = {"reason": cause.reason, "message": cause.message}
    if not cause.reason:
        del entry["reason"]
    if cause.field:
        entry["field"] = cause.field
    return entry


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def bad_request(message: str) -> Error:
    return Error(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> Error:
    return Error(401, "Unauthorized", message)


def forbidden(resource: str, name: str, why: str, *, group: str = "") -> Error:
    """`resource` is the plural; the message has upstream's form `pods "x" is forbidden: why`."""
    subject = f'{_qualified(resource, group)} "{name}"' if name else _qualified(resource, group)
    message = f"{subject} is forbidden: {why}"
    return Error(403, "Forbidden", message, group=group, kind=resource, name=name)


def not_found(resource: str, name: str, *, group: str = "") -> Error:
    message = f'{_qualified(resource, group)} "{name}" not found'
    return Error(404, "NotFound", message, group=group, kind=resource, name=name)


def path_not_found() -> Error:
    message = "the server could not find the requested resource"
    return Error(404, "NotFound", message, generic=True)


def nothing_here() -> Error:
    """404 for a path outside the API, told as text."""
    error = Error(404, "NotFound", "404 page not found")
    error.plain = True
    return error


def method_not_allowed() -> Error:
    message = "the server does not allow this method on the requested resource"
    return Error(405, "MethodNotAllowed", message, generic=True)


def not_acceptable(offered: Sequence[str]) -> Error:
    only = ", ".join(offered)
    message = f"only the following media types are accepted: {only}"
    return Error(406, "NotAcceptable", message)


def already_exists(resource: str, name: str, *, group: str = "") -> Error:
    message = f'{_qualified(resource, group)} "{name}" already exists'
    return Error(409, "AlreadyExists", message, group=group, kind=resource, name=name)


OBJECT_MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def conflict(resource: str, name: str, why: str = OBJECT_MODIFIED, *, group: str = "") -> Error:
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {why}'
    return Error(409, "Conflict", message, group=group, kind=resource, name=name)


def expired(message: str) -> Error:
    """410: the asked-for revision is no longer in the history."""
    return Error(410, "Expired", message)


def too_large(limit_bytes: int) -> Error:
    message = f"Request entity too large: limit is {limit_bytes}"
    return Error(413, "RequestEntityTooLarge", message)


def unsupported_media_type(content_type: str, offered: Sequence[str]) -> Error:
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(offered)
    )
    return Error(415, "UnsupportedMediaType", message)


def unsupported_patch() -> Error:
    """415 for a patch of a built-in kind; those of custom kinds name what is accepted."""
    return Error(415, "UnsupportedMediaType", "415: Unsupported Media Type", generic=True)


def invalid(kind: str, name: str, causes: Sequence[Cause], *, group: str = "") -> Error:
    """422 with one cause a field; `kind` is the kind, not the plural, as upstream has it."""
    subject = f'{_qualified(kind, group)} "{name}"' if name else f'{_qualified(kind, group)} ""'
    said = [f"{c.field}: {c.message}" if c.field else c.message for c in causes]
    text = said[0] if len(said) == 1 else "[" + ", ".join(said) + "]"
    message = f"{subject} is invalid: {text}"
    return Error(422, "Invalid", message, group=group, kind=kind, name=name, causes=causes)


def too_many_requests(message: str, retry_after_s: int = 1) -> Error:
    return Error(429, "TooManyRequests", message, retry_after_s=retry_after_s)


def internal(message: str) -> Error:
    said = f"Internal error occurred: {message}"
    return Error(500, "InternalError", said, causes=[Cause("", message)])


def unavailable(message: str) -> Error:
    return Error(503, "ServiceUnavailable", message, retry_after_s=1)


def timeout(message: str) -> Error:
    return Error(504, "Timeout", f"Timeout: {message}")
