"""Lines in the log about requests: each one at verbosity 3, slow ones always.

Owns      the fields of a line, in upstream's names. Leaves   who reads it; audit events (audit).
Invariant nothing of a body, of a credential or of a header that carries one is told.
"""

from __future__ import annotations

from urllib.parse import quote

from busk8s.api.request import Request, Response
from busk8s.log import REQUESTS_V, Logger, verbosity
from busk8s.master.apiserver.waits import waited

SLOW_S = 0.5  # As upstream's traces.
URI_CHARACTERS_MAX = 1_024
_PRIORITY = {
    "X-Kubernetes-PF-FlowSchema-UID": "apf_fs",
    "X-Kubernetes-PF-PriorityLevel-UID": "apf_pl",
}

log = Logger("busk8s.http")


def tell(request: Request, response: Response, seconds: float) -> None:
    slow = seconds > SLOW_S and response.stream is None
    if not slow and verbosity() < REQUESTS_V:
        return
    fields: dict[str, object] = {
        "verb": request.method,
        "URI": _uri(request),
        "latency": f"{seconds * 1_000:.3f}ms",
        "user": request.user.name,
        "userAgent": request.headers.get("user-agent", ""),
        "audit-ID": request.headers.get("audit-id", ""),
        "srcIP": request.source,
    }
    for name, value in response.headers:
        if name in _PRIORITY:
            fields[_PRIORITY[name]] = value
    if slow:
        fields["waited"] = f"{waited.get() * 1_000:.3f}ms"  # For its turn and for webhooks.
    log.info("slow request" if slow else "HTTP", **fields, resp=response.status)


def _uri(request: Request) -> str:
    """As it was asked; cut where it is long. What it holds cannot end the line."""
    pairs = [f"{name}={value}" for name, values in request.query.items() for value in values]
    uri = request.path + (f"?{'&'.join(pairs)}" if pairs else "")
    if len(uri) > URI_CHARACTERS_MAX:
        uri = uri[:URI_CHARACTERS_MAX] + "..."
    return quote(uri, safe="/?&=:,;@!$()*+~%[]'")
