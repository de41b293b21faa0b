"""Names of signers, and of what is named after them.

Source    Kubernetes API reference, certificates.k8s.io; the rules of core and certificates
          validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from busk8s.api.meta import label_errors, qualified_name_errors, subdomain_errors
from busk8s.api.rules.cause import invalid, required, too_long
from busk8s.errors import Cause

DOMAIN_LENGTH_MAX = 253
SIGNER_LENGTH_MAX = 571  # A domain, `/`, a namespace, `.`, and a name in it.
SECONDS_MIN = 3600
SECONDS_MAX = 91 * 24 * 3600
KUBERNETES_SECONDS_MAX = 24 * 3600
ANNOTATIONS_BYTES_MAX = 256 * 1024
_Errors = Callable[[str], tuple[str, ...]]
_FORM = "must be a fully qualified domain and path of the form 'example.com/signer-name'"


def validate_signer(signer: str, path: str) -> list[Cause]:
    if not signer:
        return [required(path)]
    segments = signer.split("/")
    if len(segments) != 2:
        return [invalid(path, signer, _FORM)]
    domain, name = segments
    causes: list[Cause] = []
    if len(domain) > DOMAIN_LENGTH_MAX:
        causes.append(too_long(path, DOMAIN_LENGTH_MAX))
    labels = domain.split(".")
    causes += _first_bad(domain, labels, label_errors, path)
    if len(labels) < 2:
        detail = "should be a domain with at least two segments separated by dots"
        causes.append(invalid(path, domain, detail))
    causes += _first_bad(name, name.split("."), subdomain_errors, path)
    if len(signer) > SIGNER_LENGTH_MAX:
        causes.append(too_long(path, SIGNER_LENGTH_MAX))
    return causes


def _first_bad(whole: str, parts: list[str], errors_of: _Errors, path: str) -> list[Cause]:
    for part in parts:
        if errors := errors_of(part):
            return [invalid(path, whole, f'validating label "{part}": {error}') for error in errors]
    return []


def is_kubernetes(signer: str) -> bool:
    host = signer.partition("/")[0]
    return host == "kubernetes.io" or host.endswith(".kubernetes.io")


def signer_of_bundle(name: str) -> str:
    """The signer that a ClusterTrustBundle of that name belongs to; empty for none."""
    signer, colon, _ = name.rpartition(":")
    return signer.replace(":", "/") if colon else ""


def bundle_name_errors(name: str, signer: str) -> tuple[str, ...]:
    if not signer:
        if ":" in name:
            return ('ClusterTrustBundle without signer name must not have ":" in its name',)
        return subdomain_errors(name)
    prefix = signer.replace("/", ":") + ":"
    if not name.startswith(prefix):
        return (f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}",)
    return subdomain_errors(name.removeprefix(prefix))


def validate_user_annotations(annotations: Mapping[str, str], path: str) -> list[Cause]:
    """Keys with a domain, whatever the case."""
    causes: list[Cause] = []
    for key in map(str.lower, annotations):
        if not key:
            causes.append(required(path))
        elif errors := qualified_name_errors(key):
            causes += [invalid(path, key, error) for error in errors]
        elif "/" not in key:
            detail = 'must be a domain-prefixed key (such as "acme.io/foo")'
            causes.append(invalid(path, key, detail))
    size = sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items())
    if size > ANNOTATIONS_BYTES_MAX:
        causes.append(too_long(path, ANNOTATIONS_BYTES_MAX))
    return causes
