"""What is due for one CertificateSigningRequest: approval, a certificate, a failure, or its end.

Owns      the decision, from the object, what it asks for and who may; upstream's ages and words.
Leaves    reading PEM (request), making certificates (issuing), writing (keeper).
Invariant pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from busk8s.api.meta import parse_time
from busk8s.api.object import Json
from busk8s.master.apiserver.certificates import signers
from busk8s.master.apiserver.certificates.request import Requested

DECIDED_S = 3_600.0  # Approved, denied and failed ones are removed an hour after the decision,
PENDING_S = 24 * 3_600.0  # those nobody decided on a day after they were made.


@dataclass(frozen=True, slots=True)
class Approve:
    message: str


@dataclass(frozen=True, slots=True)
class Sign:
    pass


@dataclass(frozen=True, slots=True)
class Fail:
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Remove:
    pass


Action = Approve | Sign | Fail | Remove
May = Callable[[str], bool]  # whether its author may create certificatesigningrequests/PART


def decided(csr: Json) -> dict[str, Json]:
    conditions = (csr.get("status") or {}).get("conditions") or ()
    return {each.get("type", ""): each for each in conditions}


def is_open(csr: Json) -> bool:
    """Whether approving or signing is still possible: only then its PEM need be read."""
    conditions = decided(csr)
    done = (csr.get("status") or {}).get("certificate")
    return not done and "Denied" not in conditions and "Failed" not in conditions


def plan(csr: Json, asked: Requested, may: May) -> Action | None:
    """For one that `is_open` and whose signer is ours."""
    signer = csr["spec"]["signerName"]
    if "Approved" not in decided(csr):
        if signer != signers.KUBELET_CLIENT or signers.kubelet_client(asked):
            return None
        return _approval(csr, asked, may)
    why = signers.why_not(signer, asked)
    return Fail("SignerValidationFailure", why) if why else Sign()


def _approval(csr: Json, asked: Requested, may: May) -> Approve | None:
    """Kubelets' own client certificates, for whom RBAC says so."""
    if csr["spec"].get("username") == asked.name and may("selfnodeclient"):
        return Approve("Auto approving self kubelet client certificate after SubjectAccessReview.")
    if may("nodeclient"):
        return Approve("Auto approving kubelet client certificate after SubjectAccessReview.")
    return None


def is_old(csr: Json, now: float, ends: float | None) -> bool:
    """Whether it has had its time; `ends` of its certificate, where there is one."""
    if ends is not None and ends < now:
        return True
    conditions = decided(csr)
    if not conditions and not (csr.get("status") or {}).get("certificate"):
        return _age(csr["metadata"].get("creationTimestamp"), now) > PENDING_S
    for kind, condition in conditions.items():
        signed = (csr.get("status") or {}).get("certificate")
        waits = kind == "Approved" and not signed
        said = condition.get("lastUpdateTime") or csr["metadata"].get("creationTimestamp")
        decides = kind in ("Approved", "Denied", "Failed") and not waits
        if decides and _age(said, now) > DECIDED_S:
            return True
    return False


def _age(moment: str | None, now: float) -> float:
    try:
        return now - parse_time(moment or "")
    except ValueError:
        return 0.0
