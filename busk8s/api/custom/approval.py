"""Whether a definition in a group of Kubernetes' own domains has been reviewed.

Owns      which groups need it, what the annotation says.
Leaves    refusing (definition), the condition (the API server's keeper of definitions).
Source    upstream's KubernetesAPIApprovalPolicyConformant condition and its validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

ANNOTATION = "api-approved.kubernetes.io"
_PROTECTED = (".k8s.io", ".kubernetes.io")
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"


@dataclass(frozen=True, slots=True)
class Approval:
    """`reason` and `message` as the condition has them; `refused`: nothing may be written so."""

    approved: bool
    reason: str
    message: str
    refused: bool = False


def approval(group: str, annotations: Mapping[str, str]) -> Approval | None:
    """None for groups that need none."""
    if not f".{group}".endswith(_PROTECTED):
        return None
    said = annotations.get(ANNOTATION) or ""
    needed = f'protected groups must have approval annotation "{ANNOTATION}"'
    if not said:
        return Approval(False, "MissingAnnotation", f"{needed}, {_SEE}", refused=True)
    if said.startswith("unapproved"):
        return Approval(False, "UnapprovedAnnotation", f'not approved: "{said}"')
    if _is_url(said):
        return Approval(True, "ApprovedAnnotation", f"approved in {said}")
    message = f'{needed} with either a URL or a reason starting with "unapproved", {_SEE}'
    return Approval(False, "InvalidAnnotation", message, refused=True)


def _is_url(text: str) -> bool:
    try:
        found = urlsplit(text)
    except ValueError:
        return False
    return bool(found.scheme and found.netloc) and text.isprintable() and " " not in text
