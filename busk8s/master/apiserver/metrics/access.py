"""Who was let in, and what was allowed.

Owns      the families and their labels. Leaves   deciding (authn, authz).
Invariant no name of a user becomes a label, but for a few that every cluster has.
Source    Kubernetes reference, "Kubernetes Metrics Reference".
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.metrics import Counter, Family, Histogram, exponential

LEFT_S = (
    0, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 345_600, 604_800, 2_592_000,
    7_776_000, 15_552_000, 31_104_000,
)  # fmt: skip
TIME_S = exponential(0.001, 2, 15)
SUCCESS, FAILURE, ERROR = ("success",), ("failure",), ("error",)
ALLOWED, NO_OPINION = ("allowed",), ("no-opinion",)
_KNOWN = frozenset(
    {"admin", "client", "kube_proxy", "kubelet", "system:serviceaccount:kube-system:default"}
)


def decisions() -> Counter:
    """Counted where requests are authorised."""
    return Counter(
        "authorization_attempts_total", "Requests by whether they were allowed.", ("result",)
    )


class AccessMetrics:
    def __init__(self) -> None:
        self._users = Counter(
            "authenticated_user_requests", "Requests by kinds of users.", ("username",)
        )
        self.attempts = Counter(
            "authentication_attempts", "Requests by whether their sender was known.", ("result",)
        )
        self.times = Histogram(
            "authentication_duration_seconds", "Time to know the sender.", TIME_S, ("result",)
        )
        self.certificates = Histogram(
            "apiserver_client_certificate_expiration_seconds",
            "What is left of the life of certificates that clients show.",
            LEFT_S,
        )

    def known(self, name: str, seconds: float) -> None:
        self.attempts.inc(SUCCESS)
        self.times.observe(seconds, SUCCESS)
        if name not in _KNOWN:
            name = "email_id" if "@" in name else "other"
        self._users.inc((name,))

    def unknown(self, seconds: float, *, wrong: bool) -> None:
        """`wrong`: there was a credential, and it was none."""
        result = ERROR if wrong else FAILURE
        self.attempts.inc(result)
        self.times.observe(seconds, result)

    def families(self) -> Sequence[Family]:
        return (self._users, self.attempts, self.times, self.certificates)
