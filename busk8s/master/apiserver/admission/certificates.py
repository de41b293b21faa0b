"""Who may approve, who may sign, and which group no request may ask for.

Owns      CertificateApproval, CertificateSigning, CertificateSubjectRestriction.
Leaves    the decision itself to roles: the verbs `approve` and `sign` on `signers`.
"""

from __future__ import annotations

from busk8s.api.object import Json
from busk8s.api.scheme import CERTIFICATESIGNINGREQUESTS, Resource
from busk8s.master.apiserver.admission.plugin import Interest, name_of, refuse
from busk8s.master.apiserver.attributes import Attributes, Authorizer, Operation
from busk8s.master.apiserver.certificates.request import read
from busk8s.master.apiserver.certificates.signers import CLIENT

MASTERS = "system:masters"
KEYS = frozenset({CERTIFICATESIGNINGREQUESTS.key})
# Not served: they exist to be granted.
SIGNERS = Resource("certificates.k8s.io", "v1", "signers", "Signer", namespaced=False)


class CertificateApproval:
    interest = Interest(frozenset({"UPDATE"}), KEYS, frozenset({"approval"}))

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def admit(self, operation: Operation) -> None:
        _ask(self._authorizer, operation, "approve")


class CertificateSigning:
    interest = Interest(frozenset({"UPDATE"}), KEYS, frozenset({"status"}))

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def admit(self, operation: Operation) -> None:
        new, old = _status(operation.object), _status(operation.old.data if operation.old else None)
        if any(new.get(key) != old.get(key) for key in ("certificate", "conditions")):
            _ask(self._authorizer, operation, "sign")


class CertificateSubjectRestriction:
    interest = Interest(frozenset({"CREATE"}), KEYS)

    def admit(self, operation: Operation) -> None:
        spec = (operation.object or {}).get("spec") or {}
        if spec.get("signerName") != CLIENT:
            return
        try:
            groups = read(spec).organizations
        except ValueError as error:
            why = f"could not parse CSR: {error}"
            raise refuse(operation.attributes, why, name=name_of(operation)) from None
        if MASTERS in groups:
            why = f"use of {CLIENT} signer with {MASTERS} group is not allowed"
            raise refuse(operation.attributes, why, name=name_of(operation))


def _status(obj: Json | None) -> Json:
    return (obj or {}).get("status") or {}


def _ask(authorizer: Authorizer, operation: Operation, verb: str) -> None:
    """By the signer's name, or by its domain and `*`."""
    attributes = operation.attributes
    old = operation.old.data if operation.old is not None else operation.object or {}
    signer = str((old.get("spec") or {}).get("signerName", ""))
    domain = signer.partition("/")[0]
    for name in (signer, f"{domain}/*"):
        asked = Attributes(attributes.user, verb, SIGNERS, name=name)
        if authorizer.authorize(asked) is None:
            return
    why = f'user not permitted to {verb} requests with signerName "{signer}"'
    raise refuse(attributes, why, name=name_of(operation))
